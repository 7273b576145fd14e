package daemon

import (
	"context"
	"fmt"

	"avbeacon/internal/alert"
)

// acknowledged gives the findings that somebody takes care of, as the store says: `avbeacon alerts ack` writes it there
// beside us.
func (d *Daemon) acknowledged(ctx context.Context) ([]string, error) {
	if d.store == nil {
		return nil, nil
	}
	list, err := d.store.Alerts(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	var findings []string
	for i := range list {
		if list[i].State == string(alert.Acknowledged) {
			findings = append(findings, list[i].Finding)
		}
	}
	return findings, nil
}

// acknowledge tells the book what new knowledge says of that.
func (o *owner) acknowledge(findings []string) {
	for _, id := range findings {
		o.tell.Book.Acknowledge(id, o.tell.Now())
	}
}
