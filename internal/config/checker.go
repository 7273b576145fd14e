package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// checker notes what is wrong with values, by key.
type checker struct{ found []problem }

func (k *checker) fail(key, format string, args ...any) {
	k.found = append(k.found, problem{key: key, text: fmt.Sprintf(format, args...)})
}

// natural looks at everything that is in v: no number is negative, no text holds control characters, and no entry of a
// list is empty or stands twice.
func (k *checker) natural(key string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := keyOf(v.Type().Field(i)); name != "" && v.Type() != reflect.TypeFor[time.Time]() {
				k.natural(under(key, name), v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			at := fmt.Sprintf("%s[%d]", key, i)
			k.natural(at, v.Index(i))
			if v.Index(i).Kind() == reflect.String {
				k.entry(at, v, i)
			}
		}
	case reflect.Int, reflect.Int64:
		if v.Int() < 0 {
			k.fail(key, "is negative")
		}
	case reflect.String:
		if key != "capture.filter" && strings.ContainsFunc(v.String(), unicode.IsControl) {
			k.fail(key, "holds control characters")
		}
	}
}

func (k *checker) entry(key string, list reflect.Value, i int) {
	text := list.Index(i).String()
	if text == "" {
		k.fail(key, "is empty")
	}
	for j := range i {
		if list.Index(j).String() == text && text != "" {
			k.fail(key, "%q stands twice", text)
			return
		}
	}
}

// word wants one of a list.
func (k *checker) word(key, word string, list []string) {
	if slices.Contains(list, word) {
		return
	}
	text := fmt.Sprintf("%q is none of %s", word, strings.Join(list, ", "))
	if near := alike(word, list); near != "" {
		text += fmt.Sprintf("; is %s meant?", near)
	}
	k.fail(key, "%s", text)
}

// wordOrNone wants one of a list, or nothing.
func (k *checker) wordOrNone(key, word string, list []string) {
	if word != "" {
		k.word(key, word, list)
	}
}

func (k *checker) words(key string, words, list []string) {
	for i, w := range words {
		k.word(fmt.Sprintf("%s[%d]", key, i), w, list)
	}
}

// between wants a number of the range; a negative one was told by natural.
func (k *checker) between(key string, n, least, most int64) {
	if n >= 0 && (n < least || n > most) {
		k.fail(key, "is from %d to %d, have %d", least, most, n)
	}
}

// sized wants a size of the range.
func (k *checker) sized(key string, n, least, most Size) {
	if n >= 0 && (n < least || n > most) {
		k.fail(key, "is from %s to %s, have %s", least, most, n)
	}
}

func (k *checker) required(key, text string) {
	if strings.TrimSpace(text) == "" {
		k.fail(key, "is missing")
	}
}

// hostPort wants host:port; the host may be left out where we listen.
func (k *checker) hostPort(key, address string, listen bool) {
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || bad != nil || host == "" && !listen || strings.ContainsAny(host, " /@"):
		k.fail(key, "%q is not host:port", address)
	case n == 0 && !listen:
		k.fail(key, "%q has no port", address)
	}
}

// link wants an absolute URL of one of the schemes. A password in it would stand in the clear.
func (k *checker) link(key, text string, schemes ...string) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // its text shows the URL with a password that may be in it
		k.fail(key, "is no URL")
	case u.User != nil:
		k.fail(key, "a URL without user and password: they would stand in the clear")
	case !slices.Contains(schemes, u.Scheme) || u.Hostname() == "":
		k.fail(key, "is a URL that begins with %s://", strings.Join(schemes, ":// or "))
	}
}

// home wants a network of the site: a prefix, an address, or "default".
func (k *checker) home(key, word string) {
	if word == "default" || word == "" {
		return
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		return
	}
	p, err := netip.ParsePrefix(word)
	switch {
	case err != nil:
		k.fail(key, `%q is no network (10.1.0.0/16), address, or "default" for the private ranges`, word)
	case p.Bits() == 0:
		k.fail(key, "all addresses cannot be the site's own")
	case p.Addr().Is4In6():
		k.fail(key, "%q: write IPv4 networks as IPv4", word)
	}
}

// point wants LAT,LON.
func (k *checker) point(key, text string) {
	lat, lon, _ := strings.Cut(text, ",")
	y, badY := strconv.ParseFloat(strings.TrimSpace(lat), 64)
	x, badX := strconv.ParseFloat(strings.TrimSpace(lon), 64)
	if badY != nil || badX != nil || !(y >= -90 && y <= 90 && x >= -180 && x <= 180) {
		k.fail(key, "%q is not LAT,LON in decimal degrees, as 50.11,8.68 for Frankfurt", text)
	}
}

// clock wants a time of day, 15:04.
func (k *checker) clock(key, text string) {
	if _, err := time.Parse("15:04", text); err != nil {
		k.fail(key, "%q is no time of day, as 22:00", text)
	}
}
