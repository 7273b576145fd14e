// Package drivers measures two SQLite drivers without cgo on the store's write pattern. It is a module of its own, so that
// the program requires one of them alone.
package drivers

import (
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "modernc.org/sqlite"
)

const tables = `
CREATE TABLE findings (id TEXT PRIMARY KEY, vendor TEXT NOT NULL, host TEXT NOT NULL, verdict INTEGER, first BIGINT, last BIGINT, contacts BIGINT, reasons TEXT);
CREATE INDEX findings_last ON findings (last);
CREATE TABLE evidence (finding TEXT, kind INTEGER, value TEXT, role INTEGER, seen BIGINT, last BIGINT, frames TEXT, why TEXT, PRIMARY KEY (finding, kind, value, role));
CREATE TABLE hours (finding TEXT, hour BIGINT, contacts BIGINT, PRIMARY KEY (finding, hour));
CREATE TABLE states (host TEXT, vendor TEXT, data BYTEA, PRIMARY KEY (host, vendor));`

// A second's transaction: so many findings, each with so many pieces of evidence, its hour and its state.
const findings, pieces = 1000, 4

func BenchmarkSecond(b *testing.B) {
	for _, driver := range []string{"sqlite", "sqlite3"} {
		name := map[string]string{"sqlite": "modernc", "sqlite3": "ncruces"}[driver]
		for _, readers := range []int{0, 2} {
			b.Run(fmt.Sprintf("%s/readers=%d", name, readers), func(b *testing.B) { second(b, driver, readers) })
		}
	}
}

func open(b *testing.B, driver, file string) *sql.DB {
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?_pragma=journal_mode(wal)&_pragma=synchronous(normal)&_pragma=busy_timeout(5000)"
	db, err := sql.Open(driver, name)
	if err != nil {
		b.Fatal(err)
	}
	return db
}

func second(b *testing.B, driver string, readers int) {
	file := filepath.Join(b.TempDir(), "x.db")
	w := open(b, driver, file)
	defer w.Close()
	w.SetMaxOpenConns(1)
	if _, err := w.Exec(tables); err != nil {
		b.Fatal(err)
	}
	write(b, w, 0)
	var stop atomic.Bool
	var reads atomic.Int64
	var wg sync.WaitGroup
	r := open(b, driver, file)
	defer r.Close()
	for range readers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ; !stop.Load(); time.Sleep(10 * time.Millisecond) {
				if err := page(r); err != nil {
					b.Error(err)
					return
				}
				reads.Add(1)
			}
		}()
	}
	b.ResetTimer()
	var worst time.Duration
	for i := range b.N {
		began := time.Now()
		write(b, w, i+1)
		worst = max(worst, time.Since(began))
	}
	b.StopTimer()
	stop.Store(true)
	wg.Wait()
	b.ReportMetric(float64(findings*(pieces+3)*b.N)/b.Elapsed().Seconds(), "upserts/s")
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
	b.ReportMetric(float64(reads.Load())/b.Elapsed().Seconds(), "reads/s")
}

// page reads what a page of an analyst shows.
func page(db *sql.DB) error {
	rows, err := db.Query("SELECT f.id, f.contacts, e.value FROM findings f JOIN evidence e ON e.finding = f.id WHERE f.vendor = $1 ORDER BY f.last DESC LIMIT 100", "v1")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, value string
		var contacts int64
		if err := rows.Scan(&id, &contacts, &value); err != nil {
			return err
		}
	}
	return rows.Err()
}

func write(b *testing.B, db *sql.DB, turn int) {
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	prepare := func(query string) func(...any) {
		s, err := tx.Prepare(query)
		if err != nil {
			b.Fatal(err)
		}
		return func(args ...any) {
			if _, err := s.Exec(args...); err != nil {
				b.Fatal(err)
			}
		}
	}
	finding := prepare("INSERT INTO findings VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET verdict = excluded.verdict, last = excluded.last, contacts = excluded.contacts, reasons = excluded.reasons")
	piece := prepare("INSERT INTO evidence VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (finding, kind, value, role) DO UPDATE SET seen = excluded.seen, last = excluded.last, frames = excluded.frames, why = excluded.why")
	hour := prepare("INSERT INTO hours VALUES ($1, $2, $3) ON CONFLICT (finding, hour) DO UPDATE SET contacts = hours.contacts + excluded.contacts")
	state := prepare("INSERT INTO states VALUES ($1, $2, $3) ON CONFLICT (host, vendor) DO UPDATE SET data = excluded.data")
	data := make([]byte, 1500)
	for i := range findings {
		id := fmt.Sprintf("%016x", uint64(i)*0x9e3779b97f4a7c15)
		host := fmt.Sprintf("10.0.%d.%d", i/256, i%256)
		finding(id, fmt.Sprintf("v%d", i%20), host, 3, 1, turn, turn, "A sentence as long as those that say why a verdict was given.")
		for k := range pieces {
			piece(id, k, fmt.Sprintf("dnl-%02d.geo.example.com", k), 1, turn, turn, "[[0,1],[0,2]]", "the host opened TLS or QUIC with this server name")
		}
		hour(id, turn/60, 3)
		state(host, "v", data)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
