package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

//go:embed sql/*.sql
var scripts embed.FS

// migrations are the schema's steps in order: the first makes version 1, each next one the next version.
var migrations = steps()

// queries are the statements of sql/queries.sql by name.
var queries = named()

// steps reads the migrations. The files are embedded, so that only a build can be wrong; a test looks at them.
func steps() []string {
	names, _ := fs.Glob(scripts, "sql/0*.sql")
	out := make([]string, 0, len(names))
	for _, name := range names {
		text, _ := scripts.ReadFile(name)
		out = append(out, string(text))
	}
	return out
}

func named() map[string]string {
	text, _ := scripts.ReadFile("sql/queries.sql")
	out := map[string]string{}
	for i, part := range strings.Split(string(text), "-- name: ") {
		if name, query, ok := strings.Cut(part, "\n"); i > 0 && ok {
			out[strings.TrimSpace(name)] = strings.TrimSuffix(strings.TrimSpace(query), ";")
		}
	}
	return out
}

// Schema is the version of the schema that this package writes.
func Schema() int { return len(migrations) }

// migrate brings the schema up to date, each step in a transaction of its own together with its number: after a crash it continues
// where it was. A store of a later schema is rejected, not guessed at.
func (s *Store) migrate() error {
	at, err := s.schema()
	if err != nil {
		return err
	}
	if at > Schema() {
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, at, Schema())
	}
	for ; at < Schema(); at++ {
		err := s.begin(context.Background(), func(t *tx) error {
			if _, err := t.tx.ExecContext(t.ctx, migrations[at]); err != nil {
				return err
			}
			return t.do("meta.put", "schema", strconv.Itoa(at+1))
		})
		if err != nil {
			return fmt.Errorf("bring schema from %d to %d: %w", at, at+1, err)
		}
	}
	return nil
}

// readable checks the schema of a store that may not be changed: an older one cannot be migrated, and its queries would fail.
func (s *Store) readable() error {
	at, err := s.schema()
	switch {
	case err != nil:
		return err
	case at > Schema():
		return fmt.Errorf("%w (schema %d, this one knows %d)", ErrNewer, at, Schema())
	case at < Schema():
		return fmt.Errorf("%w (schema %d of %d)", ErrOlder, at, Schema())
	}
	return nil
}

// schema returns the version of the file's schema; 0 if it is empty.
func (s *Store) schema() (int, error) {
	var n int
	if err := s.db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	text, _, err := s.meta(context.Background(), "schema")
	if err != nil {
		return 0, err
	}
	at, err := strconv.Atoi(text)
	if err != nil || at < 1 {
		return 0, fmt.Errorf("%w: its schema is %q", ErrCorrupt, text)
	}
	return at, nil
}

func (s *Store) meta(ctx context.Context, name string) (value string, known bool, err error) {
	err = s.db.QueryRowContext(ctx, queries["meta.get"], name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return value, err == nil, err
}

// tx is a transaction with its prepared statements. After the first error it does nothing more and keeps that error.
type tx struct {
	ctx   context.Context
	tx    *sql.Tx
	known map[string]*sql.Stmt
	rows  int64 // that the last statement changed
	err   error
}

// begin makes one transaction: all of it is in the file afterwards, or nothing.
func (s *Store) begin(ctx context.Context, do func(*tx) error) error {
	in, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.full(plain(err))
	}
	t := &tx{ctx: ctx, tx: in, known: map[string]*sql.Stmt{}}
	if err := cmp.Or(do(t), t.err); err != nil {
		_ = in.Rollback() // what failed may have rolled back already
		return s.full(plain(err))
	}
	return s.full(plain(in.Commit()))
}

// do runs a named statement. It always returns nil: errors stay in tx.err, where begin finds them. The result is only there to end a
// function with.
func (t *tx) do(name string, args ...any) error {
	if t.err != nil {
		t.rows = 0
		return nil // it is in t.err
	}
	stmt := t.known[name]
	if stmt == nil {
		if stmt, t.err = t.tx.PrepareContext(t.ctx, queries[name]); t.err != nil {
			return nil
		}
		t.known[name] = stmt
	}
	done, err := stmt.ExecContext(t.ctx, args...)
	if err == nil {
		t.rows, err = done.RowsAffected()
	}
	if err != nil {
		t.rows, t.err = 0, fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// each yields the rows of a named query. The transaction runs nothing else until it returns.
func (t *tx) each(name string, args []any, row func(scanner) error) error {
	if t.err != nil {
		return t.err
	}
	rows, err := t.tx.QueryContext(t.ctx, queries[name], args...)
	return eachRow(name, rows, err, row)
}

type scanner interface{ Scan(...any) error }

// each yields the rows of a named query.
func (s *Store) each(ctx context.Context, name string, args []any, row func(scanner) error) error {
	db := s.db
	if s.readers != nil {
		db = s.readers
	}
	rows, err := db.QueryContext(ctx, queries[name], args...)
	return eachRow(name, rows, err, row)
}

// eachRow ends the query in any case: rows that stay open would keep the log from being emptied.
func eachRow(name string, rows *sql.Rows, err error, row func(scanner) error) error {
	if err != nil {
		return plain(fmt.Errorf("%s: %w", name, err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return plain(fmt.Errorf("%s: %w", name, err))
		}
	}
	return plain(rows.Err())
}

// nanos is a time as stored: nanoseconds since 1970; 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func whole(is bool) int {
	if is {
		return 1
	}
	return 0
}
