// Package rounds scales what tests repeat at random: property tests, kills of processes, floods. A test names the rounds that
// are enough for every day, and the environment variable ROUNDS multiplies them. `make test` leaves it at 1, .ci/run sets it.
package rounds

import (
	"os"
	"strconv"
	"testing"
)

// Of returns n times ROUNDS. The test fails if ROUNDS is not a positive number.
func Of(t testing.TB, n int) int {
	t.Helper()
	text := os.Getenv("ROUNDS")
	if text == "" {
		return n
	}
	times, err := strconv.Atoi(text)
	if err != nil || times < 1 {
		t.Fatalf("ROUNDS=%q: must be a number from 1", text)
	}
	return n * times
}
