package siem

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"avbeacon/internal/siem/format"
)

// Strict parsers of the formats that are not JSON. They reject what the format's specification forbids, and return the fields.

// printable returns an error if a line must not be sent: it has invalid UTF-8 or a hidden character.
func printable(line string) error {
	if !utf8.ValidString(line) {
		return errors.New("no UTF-8")
	}
	if format.Clean(line, len(line)) != line {
		return errors.New("hidden characters")
	}
	return nil
}

// unescape takes the backslashes off; only those before a byte of special are allowed.
func unescape(s, special string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) || strings.IndexByte(special, s[i]) < 0 {
				return "", fmt.Errorf("a lone backslash in %q", s)
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), nil
}

// bare returns the index of the first sep in s that is not escaped by a backslash; -1 if there is none.
func bare(s string, sep byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			return i
		}
	}
	return -1
}

// readCEF gives the seven fields of the header under "0" to "6", and the extension.
func readCEF(line string) (map[string]string, error) {
	fields := map[string]string{}
	rest, ok := strings.CutPrefix(line, "CEF:")
	if err := printable(line); err != nil || !ok {
		return nil, fmt.Errorf("no CEF: %w", errors.Join(err))
	}
	for n := range 7 {
		i := bare(rest, '|')
		if i <= 0 {
			return nil, fmt.Errorf("field %d of the header is empty or does not end", n)
		}
		value, err := unescape(rest[:i], `\|`)
		if err != nil {
			return nil, err
		}
		fields[fmt.Sprint(n)], rest = value, rest[i+1:]
	}
	return fields, readCEFExtension(fields, rest)
}

func readCEFExtension(fields map[string]string, s string) error {
	key := regexp.MustCompile(`^[A-Za-z0-9_]+$`)
	for s != "" {
		i := bare(s, '=')
		if i < 0 || !key.MatchString(s[:i]) {
			return fmt.Errorf("no key before %q", s)
		}
		name, rest := s[:i], s[i+1:]
		end, next := len(rest), ""
		if j := bare(rest, '='); j >= 0 {
			if end = strings.LastIndexByte(rest[:j], ' '); end < 0 {
				return fmt.Errorf("%s: an equals sign without backslash in %q", name, rest)
			}
			next = rest[end+1:]
		}
		value, err := unescape(rest[:end], `\=`)
		if err != nil {
			return err
		}
		if _, twice := fields[name]; twice || value == "" || strings.Trim(value, " ") != value {
			return fmt.Errorf("%s is twice, empty or has blanks at its ends: %q", name, value)
		}
		fields[name], s = value, next
	}
	return nil
}

// readLEEF gives the header under "0" to "4" and the attributes.
func readLEEF(line string) (map[string]string, error) {
	if err := printable(strings.ReplaceAll(line, "\t", " ")); err != nil {
		return nil, err
	}
	fields := map[string]string{}
	version := strings.HasPrefix(line, "LEEF:2.0|")
	if !version && !strings.HasPrefix(line, "LEEF:1.0|") {
		return nil, errors.New("no LEEF")
	}
	parts, delimiter := strings.SplitN(line, "|", 6), "\t"
	if version {
		parts = strings.SplitN(line, "|", 7)
		switch delimiter = parts[5]; delimiter {
		case "x09":
			delimiter = "\t"
		case "x7C":
			delimiter = "|"
		}
	}
	for i, part := range parts[:5] {
		if fields[fmt.Sprint(i)] = part; part == "" {
			return nil, fmt.Errorf("field %d of the header is empty", i)
		}
	}
	for _, pair := range strings.Split(parts[len(parts)-1], delimiter) {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := fields[name]; twice || !ok || name == "" || value == "" || strings.Contains(value, "\t") {
			return nil, fmt.Errorf("attribute %q", pair)
		}
		fields[name] = value
	}
	return fields, nil
}

// header5424 is RFC 5424 6: fields of printable ASCII within their lengths, a time with at most six digits.
func header5424() *regexp.Regexp {
	return regexp.MustCompile(`^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) `)
}

// message is an RFC 5424 message with one element of structured data at most. A name may come more than once.
type message struct {
	priority, time, host, app, process, id, element string
	data                                            map[string][]string
	text                                            string
	marked                                          bool // a byte order mark stood before the text
}

func readSyslog(line string) (*message, error) {
	h := header5424().FindStringSubmatch(line)
	if h == nil || !utf8.ValidString(line) {
		return nil, fmt.Errorf("header of %q", line)
	}
	m := &message{priority: h[1], time: h[2], host: h[3], app: h[4], process: h[5], id: h[6], data: map[string][]string{}}
	if _, err := time.Parse(time.RFC3339Nano, m.time); err != nil {
		return nil, err
	}
	rest, err := m.readData(line[len(h[0]):])
	if err != nil || rest == "" {
		return m, err
	}
	if m.text, err = strings.TrimPrefix(rest, " "), nil; m.text == rest {
		return nil, fmt.Errorf("no space before the text %q", rest)
	}
	whole := m.text
	m.text = strings.TrimPrefix(whole, "\ufeff")
	m.marked = m.text != whole
	return m, printable(m.text)
}

func (m *message) readData(s string) (rest string, err error) {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return rest, nil
	}
	head := regexp.MustCompile(`^\[([!#-<>-\\^-~]{1,32})`).FindStringSubmatch(s)
	if head == nil {
		return "", fmt.Errorf("no structured data in %q", s)
	}
	m.element, s = head[1], s[len(head[0]):]
	param := regexp.MustCompile(`^ ([!#-<>-\\^-~]{1,32})="`)
	for !strings.HasPrefix(s, "]") {
		name := param.FindStringSubmatch(s)
		if name == nil {
			return "", fmt.Errorf("no parameter in %q", s)
		}
		s = s[len(name[0]):]
		end := bare(s, '"')
		if end < 0 || bare(s[:end], ']') >= 0 {
			return "", fmt.Errorf("value of %s", name[1])
		}
		value, err := unescape(s[:end], `"\]`)
		if err = errors.Join(err, printable(value)); err != nil {
			return "", err
		}
		m.data[name[1]], s = append(m.data[name[1]], value), s[end+1:]
	}
	return s[1:], nil
}
