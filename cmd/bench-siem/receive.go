package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"avbeacon/internal/siem"
)

// way is one kind of delivery with its receiver.
type way struct {
	name     string
	sink     siem.Sink
	barred   bool // it has to keep to the bar
	receiver func(sink *siem.Sink, work string) (*receiver, error)
}

func ways() []way {
	return []way{
		{"file", siem.Sink{Type: "file", Format: "ecs"}, true, toFile},
		{"syslog-tcp", siem.Sink{Type: "syslog", Format: "cef"}, true, toSyslog},
		{"webhook", siem.Sink{Type: "webhook", Format: "ecs"}, false, toWebhook},
		{"splunk", siem.Sink{Type: "splunk", Format: "hec"}, false, toSplunk},
	}
}

// receiver counts the alerts that arrive.
type receiver struct {
	got   atomic.Int64
	lines string // the file to count, where it is one
	end   func() error
}

func (r *receiver) close() error {
	if r.end == nil {
		return nil
	}
	return r.end()
}

// count waits briefly for alerts in flight, because syslog does not acknowledge them.
func (r *receiver) count(want int) int {
	if r.lines != "" {
		text, err := os.ReadFile(r.lines)
		if err != nil {
			return 0
		}
		return bytes.Count(text, []byte{'\n'})
	}
	for end := time.Now().Add(5 * time.Second); int(r.got.Load()) < want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return int(r.got.Load())
}

func toFile(sink *siem.Sink, work string) (*receiver, error) {
	sink.File.Path, sink.File.Sync = filepath.Join(work, "alerts.ndjson"), true
	return &receiver{lines: sink.File.Path}, nil
}

// toSyslog reads frames with octet counting (RFC 6587 3.4.1).
func toSyslog(sink *siem.Sink, _ string) (*receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	sink.Syslog.Network, sink.Syslog.Address = "tcp", l.Addr().String()
	r := &receiver{end: l.Close}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go r.frames(conn)
		}
	}()
	return r, nil
}

func (r *receiver) frames(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		word, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(word, " "))
		if err != nil {
			return
		}
		if _, err := in.Discard(n); err != nil {
			return
		}
		r.got.Add(1)
	}
}

func toWebhook(sink *siem.Sink, _ string) (*receiver, error) {
	return toHTTP(sink, "", func(body io.Reader) (int, error) {
		var all []json.RawMessage
		err := json.NewDecoder(body).Decode(&all)
		return len(all), err
	})
}

func toSplunk(sink *siem.Sink, _ string) (*receiver, error) {
	sink.HTTP.Token = "bench"
	return toHTTP(sink, `{"text":"Success","code":0}`, func(body io.Reader) (int, error) {
		n, events := 0, json.NewDecoder(body)
		for {
			var one json.RawMessage
			if err := events.Decode(&one); errors.Is(err, io.EOF) {
				return n, nil
			} else if err != nil {
				return n, err
			}
			n++
		}
	})
}

// toHTTP counts the alerts of each request and answers.
func toHTTP(sink *siem.Sink, answer string, count func(io.Reader) (int, error)) (*receiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	sink.HTTP.URL = "http://" + l.Addr().String() + "/"
	r := &receiver{}
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		n, err := count(q.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.got.Add(int64(n))
		_, _ = io.WriteString(w, answer) // if the client is gone, it reports that itself
	})}
	r.end = server.Close
	go func() { _ = server.Serve(l) }() // ends with close
	return r, nil
}
