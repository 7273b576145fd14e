package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Damage describes the damage found when the store was opened, and names the file that was kept; "" if there was none.
func (s *Store) Damage() string { return s.damage }

// damaged reports whether an error from opening a steady store means that a new one must be made. A file that the engine does not
// recognise is ours only if our reserve is beside it: other files are never moved.
func (s *Store) damaged(err error) bool {
	if !s.steady {
		return false
	}
	_, ours := os.Stat(s.file + ".reserve")
	return errors.Is(err, ErrCorrupt) || errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) && ours == nil
}

// beginAgain moves a damaged store aside, opens a new one, and copies what is readable into it.
func (s *Store) beginAgain(opt Options, why error) error {
	if err := s.release(); err != nil {
		return errors.Join(why, err)
	}
	s.db, s.readers, s.lock = nil, nil, nil
	aside := s.file + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000")
	for _, end := range []string{"", "-wal", "-shm"} { // the log belongs to the file of its name
		if err := os.Rename(s.file+end, aside+end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(why, fmt.Errorf("move the damaged store aside: %w", err))
		}
	}
	if err := s.connect(); err != nil {
		return errors.Join(why, err)
	}
	if err := s.recognise(); err != nil {
		return errors.Join(why, plain(err))
	}
	saved, alerts := s.salvage(aside)
	s.damage = fmt.Sprintf("%v; it was moved to %s; %d rows were saved from it, %d of them alerts", why, aside, saved, alerts)
	return s.begun(opt)
}

// salvage copies the rows of every table of a damaged file: from the first row up to an unreadable one, then from the last row
// back. Unreadable rows stay in the damaged file.
func (s *Store) salvage(from string) (rows, alerts int64) {
	name, err := address(from, "mode=rw", "_pragma=busy_timeout(5000)", "_pragma=trusted_schema(off)", "_pragma=cell_size_check(on)")
	if err != nil {
		return 0, 0
	}
	old, err := sql.Open("sqlite3", name)
	if err != nil {
		return 0, 0
	}
	defer old.Close()
	var tables []string
	err = s.begin(context.Background(), func(t *tx) error {
		list, err := t.tx.Query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
		return eachRow("tables", list, err, func(row scanner) error {
			var name string
			err := row.Scan(&name)
			tables = append(tables, name)
			return err
		})
	})
	if err != nil { // the new store's own tables
		return 0, 0
	}
	for _, table := range tables {
		for _, order := range []string{"ASC", "DESC"} {
			n, whole := s.copyTable(old, table, order)
			if rows += n; table == "alerts" {
				alerts += n
			}
			if whole {
				break
			}
		}
	}
	return rows, alerts
}

// copyTable copies the rows of a table by row number until one cannot be read; whole reports that all could. Rows that the new
// store already has stay as they are.
func (s *Store) copyTable(old *sql.DB, table, order string) (n int64, whole bool) {
	list, err := old.Query("SELECT * FROM " + table + " ORDER BY rowid " + order)
	if err != nil {
		return 0, false
	}
	defer list.Close()
	columns, err := list.Columns()
	if err != nil {
		return 0, false
	}
	// The columns are those of the damaged file. If our schema does not have one, each insert fails and the rows stay there.
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	insert := "INSERT OR IGNORE INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (" + marks + ")"
	values, pointers := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		pointers[i] = &values[i]
	}
	err = s.begin(context.Background(), func(t *tx) error {
		for list.Next() {
			if list.Scan(pointers...) != nil {
				return nil
			}
			if done, err := t.tx.Exec(insert, values...); err == nil { // else a row that the schema rejects
				more, _ := done.RowsAffected()
				n += more
			}
		}
		return nil
	})
	return n, err == nil && list.Err() == nil
}
