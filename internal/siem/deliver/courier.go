package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"avbeacon/internal/alert"
	"avbeacon/internal/siem/format"
)

// item is one alert as it goes over the wire.
type item struct {
	index int // in the batch
	id    string
	body  []byte // one encoded alert, without a newline at its end
}

// sender posts a part of a batch. done counts the alerts at its front that are finished; rejected lists those of them that the
// receiver rejected permanently, by index in the batch. err is nil iff all are done; a *partRejected asks for a smaller part.
type sender func(ctx context.Context, part []item) (done int, rejected []alert.Rejection, err error)

// courier cuts batches into parts that a receiver accepts.
type courier struct {
	encode format.Encoder
	most   int // alerts in a part
	limit  int // bytes in a part, unless it is a single alert
	send   sender
	end    func() // closes the connection
}

// Close closes the connection. What is not acknowledged is sent again after the next start.
func (c *courier) Close() error {
	c.end()
	return nil
}

// Deliver implements alert.Sink. A rejected part is sent again in halves, in order, down to a single alert. Only an alert
// that the receiver rejects alone counts as rejected: no alert is lost because of its neighbours.
func (c *courier) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	items, rejected := c.encodeAll(batch)
	for step := c.most; len(items) > 0; {
		part := items[:c.fit(items, step)]
		done, bad, err := c.send(ctx, part)
		rejected = append(rejected, bad...)
		items = items[done:]
		if err == nil {
			step = min(2*step, c.most)
			continue
		}
		var r *partRejected
		switch {
		case !errors.As(err, &r):
			n, rejected := stopped(items, len(batch), rejected)
			return n, rejected, err
		case len(part) == 1:
			rejected = append(rejected, reject(part[0].index, r.reason))
			items = items[1:]
		case done == 0 && r.at >= 0 && r.at < len(part):
			step = max(r.at, 1) // those before it, then it alone
		default:
			step = max((len(part)-done)/2, 1)
		}
	}
	n, rejected := stopped(nil, len(batch), rejected)
	return n, rejected, nil
}

// encodeAll encodes a batch; what cannot be encoded is rejected.
func (c *courier) encodeAll(batch []*alert.Alert) ([]item, []alert.Rejection) {
	items := make([]item, 0, len(batch))
	var rejected []alert.Rejection
	for i, a := range batch {
		body, err := c.encode.Append(nil, a)
		if err != nil {
			rejected = append(rejected, reject(i, "cannot be encoded: "+err.Error()))
			continue
		}
		items = append(items, item{index: i, id: a.ID, body: body})
	}
	return items, rejected
}

// fit returns how many alerts from the front fit into one part; at least one.
func (c *courier) fit(items []item, most int) int {
	size := 0
	for n, i := range items[:min(len(items), most)] {
		if size += len(i.body); size > c.limit && n > 0 {
			return n
		}
	}
	return min(len(items), most)
}

// stopped returns how many alerts are done when rest is still to be sent, and which of those were rejected, in order.
func stopped(rest []item, size int, rejected []alert.Rejection) (int, []alert.Rejection) {
	n := size
	if len(rest) > 0 {
		n = rest[0].index
	}
	rejected = slices.DeleteFunc(rejected, func(r alert.Rejection) bool { return r.Index >= n })
	slices.SortFunc(rejected, func(a, b alert.Rejection) int { return a.Index - b.Index })
	return n, rejected
}

func reject(index int, reason string) alert.Rejection {
	return alert.Rejection{Index: index, Reason: bounded(reason)}
}

// bounded cuts a reason to what alert.Rejection allows.
func bounded(reason string) string {
	const most = 1 << 10
	return strings.ToValidUTF8(reason[:min(len(reason), most)], "")
}
