package stix

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestObservableIDs compares ids with those that the published guidance (STIX 2.1 best practices) and other producers have.
func TestObservableIDs(t *testing.T) {
	require.Equal(t, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4", observableID("ipv4-addr", `{"value":"198.51.100.3"}`))
	require.Equal(t, "domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7", observableID("domain-name", `{"value":"example.com"}`))
	require.Equal(t, "2ed6657d-e927-568b-95e1-2665a8aea6a2", uuid5("6ba7b8109dad11d180b400c04fd430c8", "www.example.com")) // RFC 9562 A.4
}
