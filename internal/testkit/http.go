package testkit

import (
	"fmt"
	"strings"
)

// HTTPRequest makes the head of a request: its line without the version, and its fields, each "Name: value".
func HTTPRequest(line string, fields ...string) []byte {
	return []byte(line + " HTTP/1.1\r\n" + strings.Join(append(fields, "\r\n"), "\r\n"))
}

// HTTPResponse makes a response with its length given.
func HTTPResponse(status, contentType string, body []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 %s\r\nServer: nginx\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", status, contentType, len(body))
	return append([]byte(head), body...)
}
