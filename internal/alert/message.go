package alert

import (
	"fmt"
	"strings"
	"time"
)

// message says on one line who does what, and where to.
func message(a *Alert) string {
	var s string
	switch a.Event {
	case Raised:
		s = fmt.Sprintf("It is surer now: %s (%s)%s", does(a), a.Verdict, whereTo(a))
	case Place:
		s = fmt.Sprintf("%s on %s calls a place of concern that it did not call before%s", product(a), who(a),
			strings.Replace(whereTo(a), "; calls", ":", 1))
	case Returned:
		s = fmt.Sprintf("%s is back on %s after it had been quiet (%s)%s", product(a), who(a), a.Verdict, whereTo(a))
	case Blocked:
		s = fmt.Sprintf("%s is still on %s, though every attempt to call home failed of late%s", product(a), who(a), whereTo(a))
	case RemovalDue:
		s = fmt.Sprintf("The time to remove %s from %s is over, and it was last seen on %s", product(a), who(a), day(a.Last))
	case Repeated:
		s = fmt.Sprintf("It goes on: %s (%s), seen %s since %s%s", does(a), a.Verdict, times(a.Seen), day(a.First), whereTo(a))
	case Resolved:
		s = fmt.Sprintf("%s on %s has been quiet since %s", product(a), who(a), day(a.Last))
	case Test:
		s = "A test of avbeacon: nothing was found"
	default:
		s = fmt.Sprintf("%s (%s)%s", does(a), a.Verdict, whereTo(a))
	}
	if rest, ok := strings.CutPrefix(s, "a product"); ok {
		s = "A product" + rest
	}
	return line(s + ".")
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// does says what the host does, as surely as the verdict is. A resolver or proxy speaks for its clients, and behind a
// translator or a console stands somebody else.
func does(a *Alert) string {
	subject := who(a)
	switch a.HostRole {
	case "resolver", "proxy":
		subject = fmt.Sprintf("A client of %s (%s)", subject, a.HostRole)
	case "nat", "management":
		subject = fmt.Sprintf("A machine behind %s (%s)", subject, a.HostRole)
	}
	verb := "runs"
	switch a.Verdict {
	case "likely":
		verb = "likely runs"
	case "possible":
		verb = "may run"
	case "visit":
		return subject + " visited pages of " + a.Vendor.Name
	}
	return subject + " " + verb + " " + product(a)
}

// who names the host by what people know it by.
func who(a *Alert) string {
	address := ""
	if a.Host.Address.IsValid() {
		address = a.Host.Address.String()
	}
	switch {
	case a.Host.Name != "" && address != "":
		return fmt.Sprintf("%s (%s)", a.Host.Name, address)
	case a.Host.Name+address != "":
		return a.Host.Name + address
	case a.Host.MAC != "":
		return a.Host.MAC
	}
	return "A host"
}

// product names what runs: the product with its maker, or the maker's product.
func product(a *Alert) string {
	v := &a.Vendor
	words := v.Product
	switch {
	case words == "":
		return "a product of " + v.Name
	case !strings.HasPrefix(strings.ToLower(words), strings.ToLower(v.Name)):
		words = v.Name + " " + words
	}
	if v.ProductVersion != "" {
		words += " " + v.ProductVersion
	}
	return words
}

// whereTo names the first destination, which is one of concern where there is any, and how many more there are.
func whereTo(a *Alert) string {
	if len(a.Destinations) == 0 {
		return ""
	}
	d := &a.Destinations[0]
	s := "; calls " + destination(d)
	if n := len(a.Destinations) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

func destination(d *Destination) string {
	s := d.Address.String()
	if len(d.Names) > 0 {
		s = fmt.Sprintf("%s (%s)", d.Names[0], s)
	}
	switch {
	case d.City != "" && d.Country != "":
		s += fmt.Sprintf(" in %s, %s", d.City, d.Country)
	case d.Country != "":
		s += " in " + d.Country
	}
	if d.Level != "" && d.Concern {
		s += fmt.Sprintf(" (%s)", d.Level)
	}
	return s
}
