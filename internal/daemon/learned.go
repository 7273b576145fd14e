package daemon

import (
	"fmt"
	"strings"

	"avbeacon/classify"
	"avbeacon/internal/names"
)

// What hosts learned from DNS is kept beside the classifier's memory, so that a flow without a name is known after a restart
// by what was looked up before it: pieces without a host, under keys that are no vendor's.
const namesKey = "dns/"

// names gives what hosts learned since it was last asked.
func (o *owner) names() (list []classify.Saved) {
	for _, p := range o.p.Names.Changed(o.tell.Now()) {
		list = append(list, classify.Saved{Vendor: fmt.Sprintf("%s%02x", namesKey, p.Part), Data: p.Data})
	}
	return list
}

// namesIn gives what earlier runs learned.
func namesIn(pieces []classify.Saved) (list []names.Piece) {
	for i := range pieces {
		if p := &pieces[i]; p.Host == "" && strings.HasPrefix(p.Vendor, namesKey) {
			list = append(list, names.Piece{Data: p.Data})
		}
	}
	return list
}
