package observe

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A hello in very many parts is looked at only when what comes behind it is there too: that is not lost.
func TestSecondHelloBehindAHelloInManyParts(t *testing.T) {
	hello := smallHello(t)
	require.Greater(t, len(hello), 150)
	k := opened(40000, 443)
	for i := range hello {
		k.say(client, hello[i:i+1])
	}
	k.say(server, retryRequest())
	k.say(client, hello)
	seen, _ := observed(t, Options{}, k.list)
	require.ElementsMatch(t, []string{"server hello", tlsHello1, tlsHello1}, briefs(seen))
}

// The beginning of a request is lost on its way and sent again, behind all that the sender's window let it send.
func TestBeginningComesAfterAWindow(t *testing.T) {
	request := slices.Concat([]byte("POST /x HTTP/1.1\r\nHost: www.example.org\r\nContent-Length: 9000\r\n\r\n"), make([]byte, 9000))
	const part = 110
	require.Greater(t, len(request)/part, 64)
	k := opened(40000, 80)
	for i := part; i < len(request); i += part {
		k.part(client, i, request[i:min(i+part, len(request))])
	}
	k.part(client, 0, request[:part])
	seen, _ := observed(t, Options{}, k.list)
	require.Equal(t, []string{"POST www.example.org /x"}, briefs(seen))
}
