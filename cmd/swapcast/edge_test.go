package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/cache/cachetest"
)

// refusedAnswer is what openapi.json has of a 503, references followed.
type refusedAnswer struct {
	Ref     string `json:"$ref"`
	Content map[string]struct {
		Examples map[string]struct {
			Ref   string `json:"$ref"`
			Value json.RawMessage
		}
	}
}

// TestEdgeAnswersAlone: what an edge says on each path of openapi.json while there is
// no ingest, and while the one that leads does not answer, is what the document has.
func TestEdgeAnswersAlone(t *testing.T) {
	var document struct {
		Paths      map[string]map[string]struct{ Responses map[string]refusedAnswer }
		Components struct {
			Responses map[string]refusedAnswer
			Examples  map[string]struct{ Value json.RawMessage }
		}
	}
	if err := json.Unmarshal(api.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	redis := cachetest.StartRedis(t)
	s := serveForTest(t, "--role", "edge", "--redis-url", "redis://"+redis.Addr)
	base := "http://" + s.public.Addr().String()
	within(t, "the edge answers", func() bool { return askFleet(t, base+"/healthz", nil) == http.StatusOK })
	own := map[string]int{
		"/v1/status": http.StatusOK, "/openapi.json": http.StatusOK, "/asyncapi.json": http.StatusOK,
		"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/v1/stream": http.StatusBadRequest,
	}
	ask := func(method, path string) (int, []byte) {
		t.Helper()
		at := strings.NewReplacer("{mint}", swapcast.NativeMintAddress, "{owner}", swapcast.NativeMintAddress, "{signature}", strings.Repeat("1", 64)).Replace(path)
		r, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(method), base+at, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := fetch(r)
		if err != nil {
			t.Fatal(err)
		}
		return status, body
	}
	documented := func(r refusedAnswer, name string) []byte {
		if at, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
			r = document.Components.Responses[at]
		}
		example := r.Content["application/problem+json"].Examples[name]
		if at, ok := strings.CutPrefix(example.Ref, "#/components/examples/"); ok {
			return document.Components.Examples[at].Value
		}
		return example.Value
	}
	check := func(example string) {
		t.Helper()
		for path, methods := range document.Paths {
			for method, operation := range methods {
				status, body := ask(method, path)
				if want, ok := own[path]; ok {
					if status != want {
						t.Errorf("%s: %d, want %d: %s", path, status, want, body)
					}
					continue
				}
				if want := documented(operation.Responses["503"], example); status != http.StatusServiceUnavailable || !sameJSON(body, want) {
					t.Errorf("%s %s: %d %s, the document has %q", method, path, status, body, want)
				}
			}
		}
	}
	check("noIngest")
	// An ingest that has just gone, as Redis has it until the lease ends.
	lead := map[string]any{"id": "x", "info": `{"id":"x","http":"http://127.0.0.1:1","status":{}}`}
	if err := redis.Client(t).HSet(context.Background(), "{swapcast}:lease", lead).Err(); err != nil {
		t.Fatal(err)
	}
	within(t, "the edge learns who leads", func() bool { _, ok := s.edge.Leader(); return ok })
	check("ingestSilent")
}

// TestEdgeRefusesReadably: what an edge answers while there is no ingest, pages of
// allowed origins can read, and others cannot.
func TestEdgeRefusesReadably(t *testing.T) {
	t.Parallel()
	redis := cachetest.StartRedis(t)
	for origins, want := range map[string]map[string]string{
		"":                        {"https://app.example.org": "*"},
		"https://app.example.org": {"https://app.example.org": "https://app.example.org", "https://other.example.org": ""},
	} {
		args := []string{"--role", "edge", "--redis-url", "redis://" + redis.Addr}
		if origins != "" {
			args = append(args, "--allowed-origins", origins)
		}
		s := serveForTest(t, args...)
		base := "http://" + s.public.Addr().String()
		within(t, "the edge answers", func() bool { return askFleet(t, base+"/healthz", nil) == http.StatusOK })
		for origin, allowed := range want {
			for method, status := range map[string]int{http.MethodGet: http.StatusServiceUnavailable, http.MethodOptions: http.StatusNoContent} {
				r, err := http.NewRequestWithContext(t.Context(), method, base+"/v1/swap", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Origin", origin)
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if got := answer.Header.Values("Access-Control-Allow-Origin"); answer.StatusCode != status || strings.Join(got, " ") != allowed {
					t.Errorf("%s: %q asks with %q allowed: %s, %q, want %q", method, origin, origins, answer.Status, got, allowed)
				}
				if preflight := answer.Header.Get("Access-Control-Allow-Headers") != ""; preflight != (method == http.MethodOptions) {
					t.Errorf("%s: %v", method, answer.Header)
				}
			}
		}
	}
}

// sameJSON tells whether two texts have the same fields.
func sameJSON(a, b []byte) bool {
	var x, y map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	one, _ := json.Marshal(x) // maps come sorted
	two, _ := json.Marshal(y)
	return bytes.Equal(one, two)
}
