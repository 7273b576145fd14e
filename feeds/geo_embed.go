package feeds

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"

	"github.com/oschwald/maxminddb-golang/v2"
)

// placesType is the database_type of the embedded data; cmd/mkgeo writes it.
const placesType = "avbeacon-Places"

// placesName is what reports call it: whose data it is, and that it is not all of it.
const placesName = "DB-IP City Lite extract (embedded)"

//go:embed geo/avbeacon-places.mmdb
var embeddedPlaces []byte

// openEmbedded opens the data that is part of the program. It stays in place: nothing is copied.
func openEmbedded() (*base, error) {
	reader, err := maxminddb.OpenBytes(embeddedPlaces)
	if err != nil {
		return nil, err
	}
	b, err := newBase(reader, "")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(embeddedPlaces)
	b.about.SHA256 = hex.EncodeToString(sum[:])
	return b, nil
}
