package observe

import (
	"avbeacon/capture"
	"avbeacon/capture/wire"
)

// TCP ports of SMB, bare and over NetBIOS. On other ports its first byte, a zero, is no evidence of SMB.
const (
	portSMB         = 445
	portNetBIOSOver = 139
)

// smbMessages is how many messages of each direction of an SMB connection are read: negotiation and sign-in come first.
const smbMessages = 6

// beginSMB recognises SMB by its port. Only with an Interest: nothing else uses the names in it.
func (o *observer) beginSMB(g *segment) {
	port := g.e.PortB
	if g.e.Flags&flowReversed != 0 {
		port = g.e.PortA
	}
	if o.in != nil && (port == portSMB || port == portNetBIOSOver) {
		g.e.Class = classSMB
	}
}

// readSMB looks for computer names in the sign-in at the start of a connection.
func (o *observer) readSMB(g *segment, b []byte) (n int, more bool) {
	phase := &g.e.Phase[g.dir]
	if *phase >= smbMessages {
		return len(b), false
	}
	packet, rest, st := wire.NextSession(b)
	switch st {
	case wire.More:
		return 0, true
	case wire.No:
		*phase = smbMessages
		return len(b), false
	}
	*phase++
	if name, err := wire.ParseComputerName(packet); err == nil {
		*phase = smbMessages
		obs := o.emit(g, capture.Identity, capture.TCP, true)
		obs.ID = &capture.IdentityDetail{SMB: &name}
	}
	return len(b) - len(rest), false
}
