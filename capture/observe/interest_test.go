package observe

import "net/netip"

// no and all are the two ends of interest.
type (
	no  struct{}
	all struct{}
)

func (no) Name([]byte) bool                       { return false }
func (no) Addr(netip.Addr) bool                   { return false }
func (no) Flow(bool, uint16, []byte, []byte) bool { return false }

func (all) Name([]byte) bool                       { return true }
func (all) Addr(netip.Addr) bool                   { return true }
func (all) Flow(bool, uint16, []byte, []byte) bool { return true }
