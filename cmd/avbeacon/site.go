package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"avbeacon/classify"
	"avbeacon/classify/place"
)

// site are the flags that say where the tap is and which addresses are the site's own.
type site struct {
	location string
	home     []string
}

func (t *site) flags(f *pflag.FlagSet) {
	f.StringVar(&t.location, "sensor-location", "", "`LAT,LON` of the tap in degrees: a server that answers sooner than it could from Moscow or Russia is not there")
	f.StringArrayVar(&t.home, "home", nil, "`PREFIX` of the site's own addresses, or 'default' for the private ranges (repeatable; default: the private ranges)")
}

// options gives what the flags say to the classifier.
func (t *site) options() (home []netip.Prefix, at *place.Point, err error) {
	for _, word := range t.home {
		list, err := homePrefix(word)
		if err != nil {
			return nil, nil, err
		}
		home = append(home, list...)
	}
	if t.location != "" {
		if at, err = parsePoint(t.location); err != nil {
			return nil, nil, err
		}
	}
	return home, at, nil
}

func homePrefix(word string) ([]netip.Prefix, error) {
	if word == "default" {
		return classify.DefaultHome(), nil
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		return []netip.Prefix{netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())}, nil
	}
	p, err := netip.ParsePrefix(word)
	switch {
	case err != nil:
		return nil, fmt.Errorf("--home %q: it is a network (10.1.0.0/16), an address, or 'default' for the private ranges", word)
	case p.Bits() == 0:
		return nil, fmt.Errorf("--home %q: all addresses cannot be the site's own", word)
	case p.Addr().Is4In6():
		return nil, fmt.Errorf("--home %q: write IPv4 networks as IPv4", word)
	}
	return []netip.Prefix{p.Masked()}, nil
}

// parsePoint reads LAT,LON in decimal degrees.
func parsePoint(text string) (*place.Point, error) {
	lat, lon, ok := strings.Cut(text, ",")
	var p place.Point
	var errs [2]error
	p.Lat, errs[0] = strconv.ParseFloat(strings.TrimSpace(lat), 64)
	p.Lon, errs[1] = strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if !ok || errors.Join(errs[:]...) != nil {
		return nil, fmt.Errorf("--sensor-location %q: it is LAT,LON in decimal degrees, as 50.11,8.68 for Frankfurt", text)
	}
	if !p.Valid() {
		return nil, fmt.Errorf("--sensor-location %q: latitude is -90 to 90, longitude -180 to 180; south and west are negative", text)
	}
	return &p, nil
}
