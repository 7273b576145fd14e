package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"avbeacon/internal/lockfile"
	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"
)

// Everything specific to SQLite is in this file, backup.go and retain.go; the rest is SQL that PostgreSQL understands too.

// mark is the application id in the file's header: avbc.
const mark = 0x61766263

// address makes the engine's name of a file. A writer waits 5 s for a reader's checkpoint. WAL lets readers work while it writes.
// synchronous FULL puts each transaction on disk before it commits, so that no receiver has an alert that a power cut removes
// from the store.
func address(file string, pragmas ...string) (string, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	path := filepath.ToSlash(abs)
	if runtime.GOOS == "windows" {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(pragmas, "&"), nil
}

// connect opens the file. Writing goes through one connection (db): SQLite has one writer at a time anyway, and a second would only
// wait for it. Reading has connections of its own (readers), so that a long report does not hold up the writer. A lock file keeps a
// second process from writing: SQLite would allow it, but each process has state of the outbox in memory.
func (s *Store) connect() error {
	there, err := exists(s.file)
	if err != nil {
		return err
	}
	if s.read {
		if !there {
			return ErrMissing
		}
		return s.connectReader()
	}
	if s.lock, err = lockfile.Take(s.file + ".lock"); err != nil {
		if errors.Is(err, lockfile.ErrHeld) {
			return ErrLocked
		}
		return fmt.Errorf("%w (%w)", ErrReadOnly, reason(err))
	}
	if err := s.makePrivate(); err != nil {
		return fmt.Errorf("%w (%w)", ErrReadOnly, reason(err))
	}
	durable := "full"
	if s.temp != "" { // it ends with the process: nothing could be read after a power cut
		durable = "off"
	}
	name, err := address(s.file, "_pragma=busy_timeout(5000)", "_pragma=auto_vacuum(incremental)", "_pragma=journal_mode(wal)",
		"_pragma=synchronous("+durable+")", "_pragma=cache_size(-16384)", "_pragma=wal_autocheckpoint(4096)", "_pragma=trusted_schema(off)", "_txlock=immediate")
	if err != nil {
		return err
	}
	if s.db, err = sql.Open("sqlite3", name); err != nil {
		return plain(err)
	}
	s.db.SetMaxOpenConns(1)
	if name, err = address(s.file, "mode=ro", "_pragma=busy_timeout(5000)", "_pragma=trusted_schema(off)", "_txlock=deferred"); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite3", name); err != nil { // it opens the file when it is first used
		return plain(err)
	}
	if !there {
		return nil
	}
	return plain(s.check(context.Background(), "quick_check")) // damage in pages and records; it does not compare indexes with their tables
}

// relaxed runs transactions that a power cut may undo: they do not wait for the disk. The caller holds s.writing.
func (s *Store) relaxed(ctx context.Context, do func() error) error {
	if s.temp != "" { // nothing waits there
		return do()
	}
	if _, err := s.db.ExecContext(ctx, "PRAGMA synchronous = normal"); err != nil {
		return plain(err)
	}
	err := do()
	_, back := s.db.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = full")
	return errors.Join(err, plain(back))
}

// checkpoint copies the log into the file and empties it. The caller holds s.writing.
func (s *Store) checkpoint(ctx context.Context) error {
	return s.pragma(ctx, "wal_checkpoint(truncate)")
}

func (s *Store) pragma(ctx context.Context, what string) error {
	rows, err := s.db.QueryContext(ctx, "PRAGMA "+what)
	if err != nil {
		return plain(err)
	}
	for rows.Next() { // incremental_vacuum frees one page a step
	}
	return plain(errors.Join(rows.Err(), rows.Close()))
}

// makePrivate creates missing files readable by the owner alone: they hold a key, and who runs what. The engine would make its
// log readable by everyone.
func (s *Store) makePrivate() error {
	f, err := os.OpenFile(s.file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	for _, name := range []string{s.file + "-wal", s.file + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// connectReader opens a file that another process may be writing. It changes nothing of the store.
func (s *Store) connectReader() error {
	pragmas := []string{"mode=ro", "_pragma=busy_timeout(5000)", "_pragma=trusted_schema(off)", "_txlock=deferred"}
	for _, more := range [][]string{nil, {"immutable=1"}} {
		name, err := address(s.file, append(pragmas, more...)...)
		if err != nil {
			return err
		}
		if s.db, err = sql.Open("sqlite3", name); err != nil {
			return plain(err)
		}
		var n int
		err = s.db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&n)
		if err == nil {
			return nil
		}
		// On a read-only disk the engine cannot make the index of the WAL. Where there is no WAL, the file is all there is.
		_, wal := os.Stat(s.file + "-wal")
		if !errors.Is(err, sqlite3.CANTOPEN) && !errors.Is(err, sqlite3.READONLY) || !errors.Is(wal, os.ErrNotExist) || more != nil {
			return plain(err)
		}
		if err := s.db.Close(); err != nil {
			return err
		}
	}
	return nil
}

// check runs a check of the engine, for at most eight findings of it. Callers make its error plain.
func (s *Store) check(ctx context.Context, how string) error {
	rows, err := s.db.QueryContext(ctx, "PRAGMA "+how+"(8)")
	if err != nil {
		return err
	}
	defer rows.Close()
	var wrong []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			wrong = append(wrong, line)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w (%s)", ErrCorrupt, strings.Join(wrong, "; "))
	}
	return nil
}

// recognise rejects other programs' databases and migrates ours to this version's schema.
func (s *Store) recognise() error {
	var id, tables int
	if err := s.db.QueryRow("PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if err := s.db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	switch {
	case id == 0 && tables == 0 && s.read: // its maker was killed
		return ErrMissing
	case id != mark && (id != 0 || tables > 0):
		return fmt.Errorf("%w, but a database of another program", ErrNoStore)
	case s.read:
		return s.readable()
	}
	if _, err := s.db.Exec(fmt.Sprintf("PRAGMA application_id = %d", mark)); err != nil {
		return err
	}
	if err := s.migrate(); err != nil {
		return err
	}
	return s.makePrivate() // the log is there now, and the key not yet in it
}

// used returns the size of the file and how much of it is in use, in bytes.
func (s *Store) used(ctx context.Context) (file, used int64, err error) {
	var pages, free, size int64
	for name, v := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := s.db.QueryRowContext(ctx, "PRAGMA "+name).Scan(v); err != nil {
			return 0, 0, err
		}
	}
	return pages * size, (pages - free) * size, nil
}
