package feeds

import (
	"errors"
	"strconv"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2/mmdbdata"
)

// recordBudget bounds the keys that are looked at in one record, all levels together. The richest record known
// (GeoIP2 Enterprise) has about 120.
const recordBudget = 512

// textLimit bounds one text of a record in bytes; longer ones are skipped.
const textLimit = 256

// maxRadius is the largest accuracy radius in km that is believed; makers' own country-sized circles end at 1,000.
const maxRadius = 1000

var errBudget = errors.New("record has too many fields")

// fields is one record of any of the known schemas, flattened. Where two schemas use one key for different things, the
// kind of the value tells them apart: `country` is a map (MaxMind, DB-IP), a code (IPinfo) or an English name (IPinfo).
type fields struct {
	country, countryCode, registered string
	city                             string
	cityID, cityFlatID               uint32
	lat, lon                         float64
	hasLat, hasLon                   bool
	radius                           float64
	anycast                          bool
	asn                              uint32
	owner, isp, name                 string
	network                          string
	budget                           int
}

// UnmarshalMaxMindDBCursor reads a whole record. It bounds its own work: recordBudget keys, four levels, short texts.
func (f *fields) UnmarshalMaxMindDBCursor(c mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	f.budget = recordBudget
	return f.each(c, f.top)
}

// visit reads the value at v, for the given key, and returns what follows it.
type visit func(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error)

// each calls see for every key of the map at c; a value of another kind is skipped.
func (f *fields) each(c mmdbdata.Cursor, see visit) (mmdbdata.Cursor, error) {
	kind, err := c.Kind()
	if err != nil || kind != mmdbdata.KindMap {
		return skip(c, err)
	}
	m, err := c.Map()
	if err != nil {
		return c, err
	}
	var after mmdbdata.Cursor
	for {
		key, value, more := m.Next(after)
		if !more {
			return m.End()
		}
		if f.budget--; f.budget < 0 {
			return c, errBudget
		}
		if after, err = see(string(key), value); err != nil {
			return c, err
		}
	}
}

// skip passes over the value at c, unless err says that it cannot be read at all.
func skip(c mmdbdata.Cursor, err error) (mmdbdata.Cursor, error) {
	if err != nil {
		return c, err
	}
	return c.Skip()
}

// top reads the keys of the record itself: the nested maps of MaxMind's shape and the scalars of the flat shapes.
func (f *fields) top(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	switch key {
	case "country":
		if kind, err := v.Kind(); err == nil && kind == mmdbdata.KindString {
			return text(v, &f.country)
		}
		return f.each(v, f.nation(&f.country))
	case "registered_country":
		return f.each(v, f.nation(&f.registered))
	case "city":
		if kind, err := v.Kind(); err == nil && kind == mmdbdata.KindString {
			return text(v, &f.city)
		}
		return f.each(v, f.town)
	case "location":
		return f.each(v, f.point)
	case "traits":
		return f.each(v, f.trait)
	case "country_code":
		return text(v, &f.countryCode)
	case "geoname_id":
		return whole(v, &f.cityFlatID)
	case "network_kind":
		return text(v, &f.network)
	case "name":
		return text(v, &f.name)
	}
	if next, known, err := f.flatPoint(key, v); known {
		return next, err
	}
	return f.trait(key, v)
}

// nation reads a country's map.
func (f *fields) nation(code *string) visit {
	return func(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
		if key == "iso_code" {
			return text(v, code)
		}
		return v.Skip()
	}
}

// town reads a city's map.
func (f *fields) town(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	switch key {
	case "geoname_id":
		return whole(v, &f.cityID)
	case "names":
		return f.each(v, func(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
			if key == "en" {
				return text(v, &f.city)
			}
			return v.Skip()
		})
	}
	return v.Skip()
}

// point reads a location's map.
func (f *fields) point(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	if next, known, err := f.flatPoint(key, v); known {
		return next, err
	}
	return v.Skip()
}

// flatPoint reads coordinates and radius, under every name that the makers give them.
func (f *fields) flatPoint(key string, v mmdbdata.Cursor) (next mmdbdata.Cursor, known bool, err error) {
	switch key {
	case "latitude", "lat":
		next, f.hasLat, err = number(v, &f.lat)
	case "longitude", "lng", "lon":
		next, f.hasLon, err = number(v, &f.lon)
	case "accuracy_radius", "radius":
		next, _, err = number(v, &f.radius)
	default:
		return v, false, nil
	}
	return next, true, err
}

// trait reads what is known of the network.
func (f *fields) trait(key string, v mmdbdata.Cursor) (mmdbdata.Cursor, error) {
	switch key {
	case "is_anycast":
		return truth(v, &f.anycast)
	case "autonomous_system_number", "asn":
		return whole(v, &f.asn)
	case "autonomous_system_organization", "as_name":
		return text(v, &f.owner)
	case "isp":
		return text(v, &f.isp)
	}
	return v.Skip()
}

// text reads a string; other kinds and overlong texts leave `to` unchanged.
func text(v mmdbdata.Cursor, to *string) (mmdbdata.Cursor, error) {
	kind, err := v.Kind()
	if err != nil || kind != mmdbdata.KindString {
		return skip(v, err)
	}
	if v.CheckMaxSize(mmdbdata.NewKindSet(mmdbdata.KindString), textLimit) != nil {
		return v.Skip()
	}
	s, next, err := v.ReadString()
	if err == nil && s != "" {
		*to = strings.ToValidUTF8(s, "\uFFFD")
	}
	return next, err
}

// number reads a number, or a string that is one; other kinds leave `to` unchanged. ok says whether one was read.
func number(v mmdbdata.Cursor, to *float64) (next mmdbdata.Cursor, ok bool, err error) {
	kind, err := v.Kind()
	if err != nil {
		return v, false, err
	}
	var n float64
	switch kind {
	case mmdbdata.KindString:
		var s string
		if next, err = text(v, &s); err != nil {
			return next, false, err
		}
		var bad error
		n, bad = strconv.ParseFloat(strings.TrimPrefix(strings.ToUpper(s), "AS"), 64)
		ok = bad == nil
	case mmdbdata.KindFloat32, mmdbdata.KindFloat64:
		n, next, err = v.ReadFloat()
		ok = err == nil
	case mmdbdata.KindUint16, mmdbdata.KindUint32, mmdbdata.KindUint64, mmdbdata.KindInt32:
		var u uint64
		u, _, next, err = v.ReadInteger()
		n, ok = float64(int64(u)), err == nil
	default:
		next, err = v.Skip()
	}
	if ok {
		*to = n
	}
	return next, ok, err
}

// whole reads a number that must fit 32 bits; others leave `to` unchanged.
func whole(v mmdbdata.Cursor, to *uint32) (mmdbdata.Cursor, error) {
	var n float64
	next, ok, err := number(v, &n)
	if ok && n >= 0 && n <= 1<<32-1 && n == float64(uint32(n)) {
		*to = uint32(n)
	}
	return next, err
}

// truth reads a boolean, or a string that says true.
func truth(v mmdbdata.Cursor, to *bool) (mmdbdata.Cursor, error) {
	kind, err := v.Kind()
	if err != nil {
		return v, err
	}
	switch kind {
	case mmdbdata.KindBool:
		b, next, err := v.ReadBool()
		*to = *to || b
		return next, err
	case mmdbdata.KindString:
		var s string
		next, err := text(v, &s)
		*to = *to || strings.EqualFold(s, "true")
		return next, err
	}
	return v.Skip()
}
