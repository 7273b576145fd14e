package wire

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// ParseServerHello reads the body of a ServerHello (a HelloRetryRequest of TLS 1.3 included) into a record that
// aliases nothing. Extensions are read as far as they hold their format. The error wraps ErrTruncated or ErrMalformed.
func ParseServerHello(body []byte, dtls bool) (*ServerHello, error) {
	s := cryptobyte.String(body)
	var legacy, cipher uint16
	var session, exts cryptobyte.String
	if !s.ReadUint16(&legacy) || !s.Skip(32) {
		return nil, fmt.Errorf("server hello: %w", ErrTruncated)
	}
	if v := legacy >> 8; (v == 3 || v == 0x7f) == dtls {
		return nil, fmt.Errorf("server hello version: %w", ErrMalformed)
	}
	// The drafts of TLS 1.3 before 22 sent neither session id nor compression method.
	draft := legacy>>8 == 0x7f
	if !draft && !s.ReadUint8LengthPrefixed(&session) || !s.ReadUint16(&cipher) || !draft && !s.Skip(1) {
		return nil, fmt.Errorf("server hello: %w", ErrTruncated)
	}
	if len(session) > 32 {
		return nil, fmt.Errorf("server hello session: %w", ErrMalformed)
	}
	s.ReadUint16LengthPrefixed(&exts)
	out := &ServerHello{Version: legacy, Cipher: cipher, DTLS: dtls}
	var room [32]uint16
	out.JA3S = ja3s(legacy, cipher, out.addExtensions(room[:0], exts))
	return out, nil
}

// addExtensions reads what the extensions choose and appends their types to types.
func (h *ServerHello) addExtensions(types []uint16, list []byte) []uint16 {
	for typ, data := range helloExtensions(list) {
		types = append(types, typ)
		switch typ {
		case extSupportedVersions:
			if v := cryptobyte.String(data); len(v) == 2 {
				v.ReadUint16(&h.Version)
			}
		case extALPN:
			h.ALPN = string(vector8(vector16(data)))
		}
	}
	return types
}
