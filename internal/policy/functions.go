package policy

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"avbeacon/classify/place"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
)

// functions are the language's own functions. The grammar has already checked every literal argument.
func functions() []expr.Option {
	return []expr.Option{
		expr.Function("at_least", func(...any) (any, error) { return false, nil }, new(func(string) bool)), // the ranker replaces it at load
		expr.Function("rank_of_verdict", rank("verdict"), new(func(string) int)),
		expr.Function("rank_of_level", rank("level"), new(func(string) int)),
		expr.Function("in_network", inNetwork, new(func(string, string) bool)),
		expr.Function("in_city", inCity, new(func(destination, string) bool), new(func(destination, int) bool)),
		expr.Function("within", within, new(func(destination, float64, float64, float64) bool)),
		expr.Function("under", under, new(func(string, string) bool)),
	}
}

// rank returns the function that returns a word's index on the scale of a field, or -1.
func rank(field string) func(...any) (any, error) {
	words := scaleNamed(field).words
	return func(args ...any) (any, error) {
		word, _ := args[0].(string)
		return slices.Index(words, word), nil
	}
}

// inNetwork is false for an address that is missing.
func inNetwork(args ...any) (any, error) {
	text, _ := args[0].(string)
	literal, _ := args[1].(string)
	a, err := netip.ParseAddr(text)
	if err != nil {
		return false, nil
	}
	n, err := netip.ParsePrefix(literal)
	return err == nil && n.Contains(a.Unmap()), nil
}

func inCity(args ...any) (any, error) {
	d, _ := args[0].(destination)
	c, err := parseCity(fmt.Sprint(args[1]))
	return err == nil && d.Place.of != nil && d.Place.of.In(c), nil
}

// within takes whole numbers and fractions alike: users write 55 as well as 55.75.
func within(args ...any) (any, error) {
	d, _ := args[0].(destination)
	var at [3]float64
	for i, a := range args[1:] {
		switch n := a.(type) {
		case float64:
			at[i] = n
		case int:
			at[i] = float64(n)
		}
	}
	return d.Place.of != nil && d.Place.of.Within(at[0], at[1], at[2]), nil
}

// under reports whether a host name is a domain or one of its subdomains.
func under(args ...any) (any, error) {
	name, _ := args[0].(string)
	parent, _ := args[1].(string)
	name, parent = strings.ToLower(name), strings.ToLower(parent)
	return name == parent || strings.HasSuffix(name, "."+parent), nil
}

// domain checks a domain name.
func domain(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.ContainsAny(name, "*/ ") {
		return fmt.Errorf("under takes a domain in quotes, such as \"example.org\", not %q", name)
	}
	return nil
}

// cityOf reads a city from a literal.
func cityOf(n ast.Node) (place.City, error) {
	if v, ok := n.(*ast.IntegerNode); ok {
		return parseCity(strconv.Itoa(v.Value))
	}
	return parseCity(textOf(n))
}

// parseCity reads a city: its GeoNames number, or COUNTRY/NAME.
func parseCity(text string) (place.City, error) {
	if id, err := strconv.ParseUint(text, 10, 32); err == nil && id > 0 {
		return place.City{ID: uint32(id)}, nil
	}
	country, name, ok := strings.Cut(text, "/")
	if !ok || !isCountry(strings.ToUpper(country)) || strings.TrimSpace(name) == "" {
		return place.City{}, fmt.Errorf("city %q is neither a GeoNames number (524901) nor COUNTRY/NAME (RU/Moscow)", text)
	}
	return place.City{Country: strings.ToUpper(country), Name: strings.TrimSpace(name)}, nil
}

// isCountry reports whether s looks like an ISO 3166 alpha-2 code.
func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// halfway is half of the Earth's circumference in km.
const halfway = 20038

func (c Circle) check() error {
	switch {
	case !(place.Point{Lat: c.Lat, Lon: c.Lon}).Valid():
		return fmt.Errorf("%g, %g is not a point on the globe: latitude is -90 to 90, longitude -180 to 180", c.Lat, c.Lon)
	case !(c.KM > 0 && c.KM <= halfway) || math.IsNaN(c.KM): // more than half way around is the whole globe
		return errors.New("the radius of a circle must be more than 0 and at most 20038 km")
	}
	return nil
}

// warning returns a sentence if the circle covers Moscow, for which a circle is the wrong condition; else "".
func (c Circle) warning() string {
	if !place.CoversMoscow(c.Lat, c.Lon, c.KM) {
		return ""
	}
	return "the circle covers central Moscow: records for Russia as a whole have their point there and never count; for Moscow use places: [M3, M2]"
}
