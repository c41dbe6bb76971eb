package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// The messages of the WebSocket can be read without one.
func TestServeServerSentEvents(t *testing.T) {
	s := serveForTest(t)
	response := openEvents(t, s, url.Values{"assets": {swapcast.NativeMintAddress}})
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || !strings.HasPrefix(got, "text/event-stream") {
		t.Fatalf("%s %q", response.Status, got)
	}
	prices := 0
	lines := bufio.NewScanner(response.Body)
	for prices < 3 && lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var m struct {
			Type, AssetID, Feed string
			Price               *float64
		}
		if err := json.Unmarshal([]byte(data), &m); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if m.Type == "price" && m.Price != nil {
			prices++
			if m.AssetID != swapcast.NativeMintAddress || m.Feed != "simulated" || *m.Price <= 0 {
				t.Fatalf("%s", data)
			}
		}
	}
	if prices < 3 {
		t.Fatalf("%d prices, then %v", prices, lines.Err())
	}
}

// openEvents asks for a stream, again while the server has only begun to start.
func openEvents(t *testing.T, s *server, query url.Values) *http.Response {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.public.Addr().String()+"/v1/stream?"+query.Encode(), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return response
		}
		response.Body.Close()
	}
}

// documentedStream is GET /v1/stream as openapi.json has it.
type documentedStream struct {
	Paths map[string]struct {
		Get struct {
			Parameters []documentedParameter
			Responses  map[string]struct {
				Content map[string]struct {
					Example  struct{ Code string }
					Examples map[string]struct{ Value any } // text where it is a stream
				}
			}
		}
	}
	Components struct {
		Schemas struct {
			Problem struct {
				Properties struct {
					Code struct{ Enum []string }
				}
			}
		}
	}
}

type documentedParameter struct {
	Name, In string
	Schema   struct{ Enum []string }
}

// The document of GET /v1/stream, which another package serves than the one that
// has the document, tells what the server does: which values it takes, and how it
// refuses others.
func TestStreamIsAsDocumented(t *testing.T) {
	var document documentedStream
	if err := json.Unmarshal(api.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	stream := document.Paths["/v1/stream"].Get
	s := serveForTest(t)
	get := func(query url.Values) (status int, kind, code, parameter string) {
		t.Helper()
		response := openEvents(t, s, query)
		defer response.Body.Close()
		kind = response.Header.Get("Content-Type")
		if response.StatusCode != http.StatusOK {
			var p struct {
				Status          int
				Code, Parameter string
			}
			body, _ := io.ReadAll(response.Body)
			if err := json.Unmarshal(body, &p); err != nil || p.Status != response.StatusCode {
				t.Fatalf("%s: %s", response.Status, body)
			}
			code, parameter = p.Code, p.Parameter
		}
		return response.StatusCode, kind, code, parameter
	}
	sound := func(name, value string) url.Values {
		q := url.Values{"assets": {swapcast.NativeMintAddress}, "wallets": {swapcast.NativeMintAddress}}
		if name == "interval" {
			q.Set("channel", "candles")
		}
		q.Set(name, value)
		return q
	}
	enums := 0
	for _, p := range stream.Parameters {
		for _, value := range p.Schema.Enum {
			enums++
			if status, kind, code, _ := get(sound(p.Name, value)); status != http.StatusOK || kind != "text/event-stream" {
				t.Errorf("%s=%s: %d %s %s", p.Name, value, status, kind, code)
			}
		}
	}
	if enums < 16 { // 5 channels, 9 intervals, 2 commitments
		t.Errorf("%d values are documented", enums)
	}
	for name, want := range map[string]string{
		"channel": "unknown_channel", "assets": "invalid_asset", "interval": "invalid_interval",
		"commitment": "unsupported_commitment", "window_ms": "bad_parameter",
	} {
		status, kind, code, parameter := get(sound(name, "nope"))
		refusal, documented := stream.Responses["400"].Content[kind]
		if status != http.StatusBadRequest || !documented || refusal.Example.Code == "" || code != want || parameter != name {
			t.Errorf("%s: %d %s %s %s", name, status, kind, code, parameter)
		}
		if !slices.Contains(document.Components.Schemas.Problem.Properties.Code.Enum, code) {
			t.Errorf("%s is not among the documented codes", code)
		}
		if !slices.ContainsFunc(stream.Parameters, func(p documentedParameter) bool { return p.Name == parameter && p.In == "query" }) {
			t.Errorf("%s is not a documented parameter", parameter)
		}
	}
	checkEventExamples(t, &document)
}

// checkEventExamples reads the document's examples by the rules of event streams.
func checkEventExamples(t *testing.T, document *documentedStream) {
	t.Helper()
	examples := document.Paths["/v1/stream"].Get.Responses["200"].Content["text/event-stream"].Examples
	if len(examples) == 0 {
		t.Fatal("no examples")
	}
	for name, example := range examples {
		value, _ := example.Value.(string)
		if !strings.HasSuffix(value, "\n\n") {
			t.Errorf("%s: the last event is not ended: %q", name, example.Value)
		}
		for line := range strings.SplitSeq(value, "\n") {
			field, value, _ := strings.Cut(line, ":")
			var m struct{ Type string }
			switch field {
			case "", "id", "event", "retry":
			case "data":
				if err := json.Unmarshal([]byte(value), &m); err != nil || m.Type == "" {
					t.Errorf("%s: %q: %v", name, line, err)
				}
			default:
				t.Errorf("%s: a line of no meaning: %q", name, line)
			}
		}
	}
}
