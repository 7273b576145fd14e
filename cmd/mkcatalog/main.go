// Mkcatalog writes feeds/catalog.snapshot: the catalogue of feeds/vendors in a form that the program reads 25 ms faster than the
// files. `make catalog` runs it after a change of the files.
package main

import (
	"flag"
	"log"
	"os"

	"avbeacon/feeds"
)

func main() {
	output := flag.String("o", "feeds/catalog.snapshot", "the file to write")
	flag.Parse()
	snapshot, err := feeds.Snapshot()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*output, snapshot, 0o644); err != nil {
		log.Fatal(err)
	}
}
