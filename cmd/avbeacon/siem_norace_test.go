//go:build !race

package main

// raced says that the race detector makes everything some ten times slower.
const raced = false
