// Package reporttest is the least of a Sentry server: it takes envelopes as
// sentry-go posts them, checks the key, and keeps what came. It reads the envelope
// format by its specification (a header line, then for each item a header line with
// type and length, and the item), and answers as a script says. That its reading is
// right, the tests with Spotlight show.
package reporttest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Key is the public key that the receiver's DSN has.
const Key = "c0ffee00c0ffee00c0ffee00c0ffee00"

// Event is one item of an envelope, as far as tests look at it.
type Event struct {
	Kind        string // the item's type: event or transaction
	Message     string
	Level       string
	Transaction string
	Release     string
	Environment string
	Tags        map[string]string
	User        struct{ ID string }
	Contexts    map[string]map[string]any
	Exception   []struct {
		Type, Value string
		Stacktrace  struct {
			Frames []struct{ Function, Module string }
		}
	}
	Breadcrumbs []struct{ Category, Message, Level string }
	Spans       []struct {
		Op, Description, Status string
		Data                    map[string]any
		ParentSpanID            string `json:"parent_span_id"`
	}
	Raw string `json:"-"` // the item as it came
}

// Receiver is the server. Safe for concurrent use.
type Receiver struct {
	URL string
	// Answer, when set before the first request, may answer an envelope in place
	// of the receiver, which then keeps nothing; it reports whether it did.
	Answer func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex // guards what follows
	events   []Event
	requests int
	bad      []string // what was wrong with a request
	came     chan struct{}
}

// New starts a receiver that ends with the test, which fails if anything that came
// was not an envelope.
func New(t testing.TB) *Receiver {
	r := &Receiver{came: make(chan struct{}, 1)}
	server := httptest.NewServer(r)
	r.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, text := range r.bad {
			t.Error("the receiver: " + text)
		}
	})
	return r
}

// DSN is where to report to.
func (r *Receiver) DSN() string {
	return strings.Replace(r.URL, "://", "://"+Key+"@", 1) + "/42"
}

// Events is what came so far.
func (r *Receiver) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}

// Requests is how many requests came, whatever was answered.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Came wakes who waits for something to come; one wake may stand for several.
func (r *Receiver) Came() <-chan struct{} { return r.came }

// ServeHTTP is http.Handler's.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.requests++
	r.mu.Unlock()
	if r.Answer != nil && r.Answer(w, request) {
		return
	}
	events, err := read(request)
	r.mu.Lock()
	r.events = append(r.events, events...)
	if err != nil {
		r.bad = append(r.bad, err.Error())
	}
	r.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"id":"00000000000000000000000000000000"}`))
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// read takes an envelope apart.
func read(request *http.Request) ([]Event, error) {
	if request.Method != http.MethodPost || request.URL.Path != "/api/42/envelope/" {
		return nil, fmt.Errorf("%s %s is no envelope endpoint", request.Method, request.URL.Path)
	}
	if auth := request.Header.Get("X-Sentry-Auth"); !strings.Contains(auth, "sentry_key="+Key) || !strings.Contains(auth, "sentry_version=7") {
		return nil, fmt.Errorf("X-Sentry-Auth %q", auth)
	}
	body := io.Reader(request.Body)
	if request.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = unzipped
	}
	lines := bufio.NewReader(body)
	var head struct {
		EventID string `json:"event_id"`
	}
	if err := readLine(lines, &head); err != nil {
		return nil, fmt.Errorf("envelope header: %w", err)
	}
	var events []Event
	for {
		var item struct {
			Type   string
			Length *int
		}
		switch err := readLine(lines, &item); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return events, fmt.Errorf("item header: %w", err)
		}
		payload, err := readItem(lines, item.Length)
		if err != nil {
			return events, fmt.Errorf("item: %w", err)
		}
		event := Event{Raw: string(payload)}
		if err := json.Unmarshal(payload, &event); err != nil {
			return events, fmt.Errorf("item %q: %w", item.Type, err)
		}
		event.Kind = item.Type
		events = append(events, event)
	}
}

// readLine reads a line of JSON; io.EOF where there is none.
func readLine(r *bufio.Reader, into any) error {
	line, err := r.ReadBytes('\n')
	if line = bytes.TrimSpace(line); len(line) == 0 {
		if err != nil {
			return err
		}
		return readLine(r, into) // an empty line between items
	}
	return json.Unmarshal(line, into)
}

func readItem(r *bufio.Reader, length *int) ([]byte, error) {
	if length == nil {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return line, err
	}
	payload := make([]byte, *length)
	_, err := io.ReadFull(r, payload)
	return payload, err
}
