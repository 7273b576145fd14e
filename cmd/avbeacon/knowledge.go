package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"avbeacon/feeds"
	"avbeacon/internal/config"
	"avbeacon/internal/session"
)

// knowledge are the flags that say what is known of vendors and places; they mean the same in every subcommand.
type knowledge struct {
	feeds         string
	geo           []string
	noEmbeddedGeo bool
}

func (k *knowledge) flags(f *pflag.FlagSet) {
	k.feedsFlag(f)
	f.StringArrayVar(&k.geo, "geo", nil, "place database in MaxMind's format, used beside the embedded one (repeatable)")
	f.BoolVar(&k.noEmbeddedGeo, "no-embedded-geo", false, "do not use the embedded place data")
}

// feedsFlag is for the commands that know vendors but no places.
func (k *knowledge) feedsFlag(f *pflag.FlagSet) {
	f.StringVar(&k.feeds, "feeds", "", "folder of catalogue files that replaces the embedded catalogue")
}

// catalog loads the catalogue alone.
func (k *knowledge) catalog() (*feeds.Catalog, error) {
	c, err := session.LoadCatalog(k.feeds)
	if err != nil {
		return nil, k.named(err)
	}
	return c, nil
}

// withCatalog completes a command that knows vendors but no places.
func withCatalog(c *cobra.Command, do func(cat *feeds.Catalog, args []string) error) *cobra.Command {
	var k knowledge
	k.feedsFlag(c.Flags())
	c.RunE = func(_ *cobra.Command, args []string) error {
		cat, err := k.catalog()
		if err != nil {
			return err
		}
		return do(cat, args)
	}
	return c
}

func (k *knowledge) load(policyName string) (*session.Knowledge, error) {
	know, err := session.Load(&config.Knowledge{Feeds: k.feeds, Geo: k.geo, NoEmbeddedGeo: k.noEmbeddedGeo}, policyName)
	if err != nil {
		return nil, k.named(err)
	}
	return know, nil
}

// named says which flag an error of the catalogue is about.
func (k *knowledge) named(err error) error {
	var c *session.CatalogError
	if errors.As(err, &c) {
		return fmt.Errorf("--feeds %s: %w", k.feeds, c.Err)
	}
	return err
}

// site are the flags that say where the tap is and which addresses are the site's own.
type site struct {
	location string
	home     []string
}

func (t *site) flags(f *pflag.FlagSet) {
	f.StringVar(&t.location, "sensor-location", "", "`LAT,LON` of the tap in degrees: a server that answers faster than light allows from Moscow or Russia is not there")
	f.StringArrayVar(&t.home, "home", nil, "`PREFIX` of the site's own addresses, or 'default' for the private ranges (repeatable; default: the private ranges)")
}

func (t *site) parse() (session.Site, error) { return session.ParseSite(t.home, t.location) }

func join(words []string) string { return strings.Join(words, ", ") }
