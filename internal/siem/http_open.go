package siem

import (
	"cmp"

	"avbeacon/internal/alert"
)

func openWebhook(cfg Sink, opt Options) (alert.Sink, error) {
	encode, err := documentEncoder(cfg, opt)
	if err != nil {
		return nil, err
	}
	return newWebhook(cfg, opt, encode)
}

func openElastic(cfg Sink, opt Options) (alert.Sink, error) {
	encode, err := documentEncoder(cfg, opt)
	if err != nil {
		return nil, err
	}
	return newElastic(cfg, opt, encode)
}

func openSplunk(cfg Sink, opt Options) (alert.Sink, error) {
	encode, err := eventEncoder(cfg, opt)
	if err != nil {
		return nil, err
	}
	return newSplunk(cfg, opt, encode)
}

// documentEncoder is that of a sink whose receiver takes the record as it is.
func documentEncoder(cfg Sink, opt Options) (Encoder, error) {
	encode, err := Encoding(cfg.Format, encodeOptions(cfg, opt))
	if err != nil {
		return nil, bad(cfg, "format", "%w", err)
	}
	return encode, nil
}

// eventEncoder is that of a collector of events: hec is made for it, and every other format goes into an event as it is.
func eventEncoder(cfg Sink, opt Options) (Encoder, error) {
	encode, err := documentEncoder(cfg, opt)
	if err != nil || cfg.Format == "hec" {
		return encode, err
	}
	return &splunkEvent{encode: encode, text: !isJSON(cfg.Format), source: cmp.Or(cfg.Options.Source, "avbeacon"),
		kind: cmp.Or(cfg.Options.Sourcetype, "avbeacon:"+cfg.Format), index: cfg.HTTP.Index}, nil
}
