package classify

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAddressSpans shows a host records of flows in the order in which they end: each has the time when it began.
func TestAddressSpans(t *testing.T) {
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	var h host
	h.seeAt(one, at(20))
	h.seeAt(one, at(5))
	h.seeAt(one, at(30))
	h.seeAt(one, at(10))
	require.Equal(t, []AddressSpan{{Address: one, From: at(5), To: at(30)}}, h.addresses())
	h.seeAt(two, at(60))
	h.seeAt(two, at(50))
	require.Equal(t, []AddressSpan{{Address: one, From: at(5), To: at(30)}, {Address: two, From: at(50), To: at(60)}}, h.addresses())
	h.seeAt(one, at(2))
	require.Equal(t, at(2), h.addresses()[0].From, "back at the first address, by a flow that began before all")
}
