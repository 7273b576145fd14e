package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"avbeacon/capture"
	"avbeacon/capture/files"
	"avbeacon/capture/observe"
	"avbeacon/classify"
	"avbeacon/internal/hosts"
	"avbeacon/internal/names"
	"avbeacon/internal/pipeline"
)

// restarts puts another classifier, and hosts that know nothing, in the place of the pipeline's after every so many Observations: one that continues from
// what the store has.
type restarts struct {
	t     *testing.T
	p     *pipeline.Pipeline
	store *Store
	saver *classify.Saver
	every int
	n     int
}

func (r *restarts) Note(*capture.Observation) {}

func (r *restarts) Take(*capture.Observation) bool {
	if r.n++; r.n%r.every != 0 {
		return false
	}
	ctx := context.Background()
	r.store.KeepMemory(r.saver.Changed(r.n%(2*r.every) == 0), judge(r.t))
	require.NoError(r.t, r.store.Flush(ctx, now))
	pieces, err := r.store.Memory(ctx)
	require.NoError(r.t, err)
	r.p.Hosts = hosts.New(hosts.Options{})
	c := classifier(r.t, catalog(r.t), r.store.IDKey(), r.p.Hosts.Recall)
	done := c.Restore(pieces)
	require.NoError(r.t, done.Err)
	require.Zero(r.t, done.Unknown+done.Beyond)
	r.p.Classifier, r.saver = c, c.NewSaver()
	r.saver.Fresh()
	return false
}

// A daemon that is stopped and started again many times within a capture, by way of the file, finds what one that runs on
// does.
func TestRestartsChangeNoFinding(t *testing.T) {
	t.Parallel()
	cat := catalog(t)
	for _, file := range captures(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := open(t, tempFile(t), Options{})
			whole := classifier(t, cat, s.IDKey(), nil)
			total := 0
			run(t, whole, cat, cat, counter{&total}, file, nil)
			src := files.Open([]string{file}, files.Options{})
			defer src.Close()
			c := classifier(t, cat, s.IDKey(), nil)
			p := &pipeline.Pipeline{Source: src, Capture: observe.Options{Workers: 1, Observer: observe.ObserverOptions{Interest: cat, Headers: cat.HeaderNames()}},
				Hosts: hosts.New(hosts.Options{}), Names: names.New(names.Options{Interest: cat}), Classifier: c, Catalog: cat}
			r := &restarts{t: t, p: p, store: s, saver: c.NewSaver(), every: max(1, total/5)}
			p.Watch = r
			_, err := p.Run(context.Background())
			require.NoError(t, err)
			require.Equal(t, findingsJSON(t, cat, whole.Findings()), findingsJSON(t, cat, p.Classifier.Findings()))
		})
	}
}

type counter struct{ n *int }

func (c counter) Take(*capture.Observation) bool { *c.n++; return false }
func (c counter) Note(*capture.Observation)      {}
