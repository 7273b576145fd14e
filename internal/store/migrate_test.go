package store

import (
	"compress/gzip"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"avbeacon/classify"
	"avbeacon/internal/policy"

	"github.com/stretchr/testify/require"
)

var makeOld = flag.Bool("make-schema", false, "write testdata/schemaN.db.gz of the present schema, if it is not there")

func schemaFile(n int) string { return fmt.Sprintf("testdata/schema%d.db.gz", n) }

// A file of every schema there was is brought to the present one, with all that it held.
func TestMigrationFromEverySchema(t *testing.T) {
	ctx := context.Background()
	if _, err := os.Stat(schemaFile(Schema())); *makeOld && err != nil {
		writeSchema(t)
	}
	want := sample()
	for n := 1; n <= Schema(); n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "old.db")
			require.NoError(t, os.WriteFile(file, gunzip(t, schemaFile(n)), 0o600))
			if n < Schema() {
				_, err := Open(file, Options{ReadOnly: true})
				require.ErrorIs(t, err, ErrOlder)
			}
			s := open(t, file, Options{})
			require.Equal(t, "hq", s.Sensor())
			require.Equal(t, "0123456789abcdef", string(s.IDKey()))
			at, err := s.schema()
			require.NoError(t, err)
			require.Equal(t, Schema(), at)
			require.NoError(t, s.Check(ctx))
			got, err := s.Findings(ctx, nil)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, findingsJSON(t, catalog(t), bare([]Kept{{Finding: want}})), findingsJSON(t, catalog(t), bare(got)))
			s.Keep(want, policy.Decision{})
			require.NoError(t, s.Flush(ctx, now))
			require.Equal(t, schemaOf(t, open(t, tempFile(t), Options{})), schemaOf(t, s), "the same as a new one's")
		})
	}
}

// sample is what the files in testdata hold.
func sample() *classify.Finding { return finding("k", 3) }

func schemaOf(t *testing.T, s *Store) []string {
	t.Helper()
	rows, err := s.db.Query("SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1")
	require.NoError(t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var x string
		require.NoError(t, rows.Scan(&x))
		out = append(out, x)
	}
	require.NoError(t, rows.Err())
	return out
}

func writeSchema(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "new.db")
	s := open(t, file, Options{Sensor: "hq", IDKey: []byte("0123456789abcdef")})
	s.Keep(sample(), policy.Decision{})
	require.NoError(t, s.Flush(context.Background(), now))
	copied := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, s.Backup(context.Background(), copied))
	data, err := os.ReadFile(copied)
	require.NoError(t, err)
	out, err := os.Create(schemaFile(Schema()))
	require.NoError(t, err)
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(data)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, out.Close())
}

// A migration that fails leaves the schema as it was.
func TestFailedMigrationChangesNothing(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "old.db")
	require.NoError(t, os.WriteFile(file, gunzip(t, schemaFile(1)), 0o600))
	db, err := sql.Open("sqlite3", "file:"+file)
	require.NoError(t, err)
	_, err = db.Exec("CREATE TABLE unmatched_day_ (x); CREATE INDEX unmatched_day ON unmatched_day_ (x)") // in the way of the second step
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = Open(file, Options{})
	require.ErrorContains(t, err, "from 1 to 2")
	db, err = sql.Open("sqlite3", "file:"+file)
	require.NoError(t, err)
	defer db.Close()
	var version string
	require.NoError(t, db.QueryRow("SELECT value FROM meta WHERE name = 'schema'").Scan(&version))
	require.Equal(t, "1", version)
	var n int
	require.NoError(t, db.QueryRow("SELECT count(*) FROM sqlite_master WHERE name = 'unmatched'").Scan(&n))
	require.Zero(t, n)
}

// Every query of queries.sql is understood, is used, and numbers its parameters as both engines do.
func TestQueries(t *testing.T) {
	t.Parallel()
	require.NotEmpty(t, migrations)
	require.Greater(t, len(queries), 40)
	s := open(t, tempFile(t), Options{})
	code := ""
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		code += string(text)
	}
	number := regexp.MustCompile(`\$(\d+)`)
	for name, query := range queries {
		stmt, err := s.db.Prepare(query)
		require.NoError(t, err, name)
		require.NoError(t, stmt.Close())
		require.Contains(t, code, `"`+name+`"`, "nobody uses it")
		next := 1
		for _, m := range number.FindAllStringSubmatch(query, -1) {
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			require.LessOrEqual(t, n, next, "%s: parameters stand out of order", name)
			next = max(next, n+1)
		}
	}
}

// No statement uses what only one of the two engines understands.
func TestSQLIsShared(t *testing.T) {
	t.Parallel()
	alone := regexp.MustCompile(`(?i)\b(AUTOINCREMENT|ROWID|WITHOUT ROWID|STRICT|REPLACE INTO|INSERT OR|IFNULL|GLOB|PRAGMA|SERIAL|JSONB|RETURNING|ILIKE|julianday|strftime|datetime|BLOB|::)\b`)
	names, err := fs.Glob(scripts, "sql/*.sql")
	require.NoError(t, err)
	require.Len(t, names, Schema()+1)
	for _, name := range names {
		text, err := scripts.ReadFile(name)
		require.NoError(t, err)
		require.Empty(t, alone.FindAllString(string(text), -1), name)
	}
}
