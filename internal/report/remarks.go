package report

import (
	"slices"

	"avbeacon/classify"
)

// Remark says why something that looks like an antivirus was ruled out.
type Remark struct {
	Host   string `json:"host"`
	Vendor string `json:"vendor,omitempty"` // its key, or ""
	Kind   string `json:"kind"`
	Words  string `json:"words"`
	Count  uint64 `json:"count"`
	First  Time   `json:"first"`
	Last   Time   `json:"last"`
	Frame  *Frame `json:"frame,omitempty"` // the first
}

func newRemarks(list []classify.Remark) []Remark {
	var out []Remark
	for i := range list {
		r := &list[i]
		x := Remark{Host: r.Host.String(), Kind: r.Kind.String(), Words: valid(r.Words), Count: r.Count, First: at(r.First), Last: at(r.Last)}
		if r.Vendor != nil {
			x.Vendor = r.Vendor.Key
		}
		if r.Frame.Frame != 0 {
			x.Frame = &Frame{Input: r.Frame.Input, Frame: r.Frame.Frame}
		}
		out = append(out, x)
	}
	return out
}

// mostRemarks is how many remarks the text report shows; --explain shows all of a host's.
const mostRemarks = 12

// remarks writes the look-alikes: all remarks of some hosts, or the first mostRemarks of all if hosts is nil.
func (t *writer) remarks(r *Report, hosts []string) {
	var list []*Remark
	for i := range r.Remarks {
		if hosts == nil || slices.Contains(hosts, r.Remarks[i].Host) {
			list = append(list, &r.Remarks[i])
		}
	}
	if len(list) == 0 {
		return
	}
	t.line("")
	t.title("Look-alikes that were ruled out")
	for i, x := range list {
		if hosts == nil && i == mostRemarks {
			t.para(2, "... and %d more (--explain HOST, or --format json, shows all)", len(list)-i)
			return
		}
		times := ""
		if x.Count > 1 {
			times = ", " + plural(x.Count, "time")
		}
		t.para(2, "%s: %s (since %s%s)", Clean(x.Host), Clean(x.Words), stamp(x.First), times)
	}
}

// hostsOf returns the addresses that a --explain argument means: those of its findings, or the argument itself.
func (r *Report) hostsOf(host string) []string {
	var out []string
	for _, f := range r.About(host) {
		for i := range f.Host.Addresses {
			out = append(out, f.Host.Addresses[i].Address)
		}
	}
	if len(out) == 0 {
		return []string{host}
	}
	return out
}
