package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Of a request's sentry-trace only what has its form is kept, and not who samples.
func TestHTTPTrace(t *testing.T) {
	const ids = "0123456789abcdef0123456789abcdef-0123456789abcdef"
	for in, want := range map[string]string{ids + "-0": ids, ids: ids, strings.Repeat("x", 10_000): "", "": ""} {
		r := httptest.NewRequest(http.MethodGet, "/v1/status", http.NoBody)
		r.Header.Set("Sentry-Trace", in)
		if got := httpScope(r).Trace; got != want {
			t.Errorf("%.60q is kept as %.60q, want %q", in, got, want)
		}
	}
}
