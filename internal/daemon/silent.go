package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"avbeacon/internal/alert"
	"avbeacon/internal/config"
)

// suppressions gives those of the configuration, then those of the store that have another ID.
func (d *Daemon) suppressions(ctx context.Context, ours []alert.SuppressionRule) ([]*alert.Suppression, error) {
	var list []*alert.Suppression
	known := map[string]bool{}
	for i := range ours {
		s, err := alert.NewSuppression(ours[i])
		if err != nil {
			return nil, fmt.Errorf("alerts.suppress[%d]: %w", i, err)
		}
		list, known[s.ID] = append(list, s), true
	}
	if d.store == nil {
		return list, nil
	}
	kept, err := d.store.Suppressions(ctx)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	for i := range kept {
		s, err := alert.ReadSuppression(kept[i].Body)
		switch {
		case err != nil:
			d.log.Error("a suppression of the store cannot be read; it keeps nothing from being told", zap.String("id", kept[i].ID), zap.Error(err))
		case !known[s.ID]:
			list, known[s.ID] = append(list, s), true
		}
	}
	return list, nil
}

// silences reads all suppressions anew.
func (d *Daemon) silences(ctx context.Context) ([]*alert.Suppression, error) {
	ours, err := d.configured()
	if err != nil {
		return nil, err
	}
	return d.suppressions(ctx, ours)
}

// configured reads the suppressions of the configuration anew. A file that may not be read any more, now that privileges
// are given up, is no error: what it said stays.
func (d *Daemon) configured() ([]alert.SuppressionRule, error) {
	if d.opt.File == "" {
		return d.cfg.Alerts.Suppress, nil
	}
	c, err := config.Load(d.opt.File)
	if errors.Is(err, os.ErrPermission) {
		d.log.Warn("the configuration cannot be read any more; its suppressions stay as they were", zap.Error(err))
		return d.cfg.Alerts.Suppress, nil
	}
	return c.Alerts.Suppress, err
}
