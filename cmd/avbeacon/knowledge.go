package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"avbeacon/feeds"
)

// knowledge are the flags that say what is known of vendors and places; they mean the same in every subcommand.
type knowledge struct {
	feeds         string
	geo           []string
	noEmbeddedGeo bool
}

func (k *knowledge) flags(f *pflag.FlagSet) {
	k.feedsFlag(f)
	f.StringArrayVar(&k.geo, "geo", nil, "place database in MaxMind's format, beside the embedded one (repeatable)")
	f.BoolVar(&k.noEmbeddedGeo, "no-embedded-geo", false, "do not use the embedded place data")
}

// feedsFlag is for the commands that know vendors but no places.
func (k *knowledge) feedsFlag(f *pflag.FlagSet) {
	f.StringVar(&k.feeds, "feeds", "", "folder of catalogue files that replaces the embedded catalogue")
}

func (k *knowledge) catalog() (*feeds.Catalog, error) {
	if k.feeds == "" {
		return feeds.Embedded()
	}
	c, err := feeds.LoadDir(k.feeds)
	if err != nil {
		return nil, fmt.Errorf("--feeds %s: %w", k.feeds, err)
	}
	return c, nil
}

func (k *knowledge) load() (*known, error) {
	c, err := k.catalog()
	if err != nil {
		return nil, err
	}
	p, err := feeds.OpenPlaces(k.geo, !k.noEmbeddedGeo)
	if err != nil {
		return nil, err
	}
	return &known{catalog: c, places: p}, nil
}

func join(words []string) string { return strings.Join(words, ", ") }
