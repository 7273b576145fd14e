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

// sender posts a part of a batch. done counts the alerts at its front that are finished; refused lists those of them that the
// receiver rejected permanently, by index in the batch. err is nil iff all are done; a *rejected asks for a smaller part.
type sender func(ctx context.Context, part []item) (done int, refused []alert.Refusal, err error)

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
// that was rejected by itself is refused: no alert is lost because of its neighbours.
func (c *courier) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Refusal, error) {
	items, refused := c.encodeAll(batch)
	for step := c.most; len(items) > 0; {
		part := items[:c.fit(items, step)]
		done, bad, err := c.send(ctx, part)
		refused = append(refused, bad...)
		items = items[done:]
		if err == nil {
			step = min(2*step, c.most)
			continue
		}
		var r *rejected
		switch {
		case !errors.As(err, &r):
			n, refused := stopped(items, len(batch), refused)
			return n, refused, err
		case len(part) == 1:
			refused = append(refused, refuse(part[0].index, r.reason))
			items = items[1:]
		case done == 0 && r.at >= 0 && r.at < len(part):
			step = max(r.at, 1) // those before it, then it alone
		default:
			step = max((len(part)-done)/2, 1)
		}
	}
	n, refused := stopped(nil, len(batch), refused)
	return n, refused, nil
}

// encodeAll encodes a batch; what cannot be encoded is refused.
func (c *courier) encodeAll(batch []*alert.Alert) ([]item, []alert.Refusal) {
	items := make([]item, 0, len(batch))
	var refused []alert.Refusal
	for i, a := range batch {
		body, err := c.encode.Append(nil, a)
		if err != nil {
			refused = append(refused, refuse(i, "cannot be encoded: "+err.Error()))
			continue
		}
		items = append(items, item{index: i, id: a.ID, body: body})
	}
	return items, refused
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

// stopped returns how many alerts are done when rest is still to be sent, and which of those were refused, in order.
func stopped(rest []item, size int, refused []alert.Refusal) (int, []alert.Refusal) {
	n := size
	if len(rest) > 0 {
		n = rest[0].index
	}
	refused = slices.DeleteFunc(refused, func(r alert.Refusal) bool { return r.Index >= n })
	slices.SortFunc(refused, func(a, b alert.Refusal) int { return a.Index - b.Index })
	return n, refused
}

func refuse(index int, reason string) alert.Refusal {
	return alert.Refusal{Index: index, Reason: bounded(reason)}
}

// bounded cuts a reason to what alert.Refusal allows.
func bounded(reason string) string {
	const most = 1 << 10
	return strings.ToValidUTF8(reason[:min(len(reason), most)], "")
}
