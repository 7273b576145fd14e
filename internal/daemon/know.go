package daemon

import (
	"fmt"

	"avbeacon/capture"
	"avbeacon/classify"
	"avbeacon/classify/place"
	"avbeacon/feeds"
	"avbeacon/internal/alert"
	"avbeacon/internal/config"
	"avbeacon/internal/policy"
)

// knowledge is what judges: exchanged as a whole, never changed.
type knowledge struct {
	catalog *feeds.Catalog
	places  *feeds.Places
	policy  *policy.Policy
	silent  []*alert.Suppression // of the configuration and of the store
	taken   []string             // ids of findings that somebody takes care of
}

// load reads all that the configuration names. After an error nothing is open.
func load(cfg *config.Config) (k knowledge, err error) {
	if k.catalog, err = loadCatalog(cfg.Knowledge.Feeds); err != nil {
		return k, err
	}
	if k.policy, err = policy.Load(cfg.Policy); err != nil {
		return k, err
	}
	k.places, err = feeds.OpenPlaces(cfg.Knowledge.Geo, !cfg.Knowledge.NoEmbeddedGeo)
	return k, err
}

func loadCatalog(folder string) (*feeds.Catalog, error) {
	if folder == "" {
		return feeds.Embedded()
	}
	c, err := feeds.LoadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("catalogue %s: %w", folder, err)
	}
	return c, nil
}

func (k *knowledge) close() {
	if k.places != nil {
		k.places.Close()
	}
}

// interest is what the observers and the passive DNS ask, whichever catalogue is in use.
type interest interface {
	capture.Interest
	HeaderNames() []string
}

// mostFlows is how many open flows of interest are remembered; each keeps its host.
const mostFlows = 16384

// classifier makes one that judges by k.
func (d *Daemon) classifier(k *knowledge, key []byte) *classify.Classifier {
	return classify.New(classify.Options{
		Catalog: k.catalog, Locate: place.Locator(k.places), Home: d.opt.Home, SensorAt: d.opt.SensorAt,
		Sensor: d.cfg.Sensor, IDKey: key, MaxHosts: d.cfg.Limits.Hosts, MaxFlows: min(d.cfg.Limits.Hosts, mostFlows),
	})
}
