package web

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, h http.Handler, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFilesAreServed(t *testing.T) {
	h := Handler()
	for target, want := range map[string]string{
		"/":                                     "text/html; charset=utf-8",
		"/swapcast.js":                          "text/javascript; charset=utf-8",
		"/assets/app.js":                        "text/javascript; charset=utf-8",
		"/assets/style.css":                     "text/css; charset=utf-8",
		"/assets/icon.svg":                      "image/svg+xml",
		"/assets/vendor/lightweight-charts.mjs": "text/javascript; charset=utf-8",
		"/assets/vendor/LICENSE":                "text/plain; charset=utf-8",
		"/assets/vendor/NOTICE":                 "text/plain; charset=utf-8",
	} {
		resp := get(t, h, http.MethodGet, target)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != want {
			t.Errorf("%s: %s, %q", target, resp.Status, resp.Header.Get("Content-Type"))
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff",
			"Cache-Control":          "no-cache",
			"Referrer-Policy":        "no-referrer",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s %q, want %q", target, name, got, want)
			}
		}
		etag := resp.Header.Get("ETag")
		if again := get(t, h, http.MethodGet, target, "If-None-Match", etag); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked with its ETag %s: %s", target, etag, again.Status)
		}
	}
}

func TestOnlyReading(t *testing.T) {
	h := Handler()
	if resp := get(t, h, http.MethodPost, "/"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") == "" {
		t.Errorf("POST: %s", resp.Status)
	}
	if resp := get(t, h, http.MethodHead, "/"); resp.StatusCode != http.StatusOK || body(t, resp.Body) != "" {
		t.Errorf("HEAD: %s", resp.Status)
	}
	for _, target := range []string{"/nope", "/nothing", "/assets/", "/assets/../web.go", "/static/index.html", "/index.html", "/assets/index.html"} {
		if resp := get(t, h, http.MethodGet, "http://h"+target); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}

// Errors have the one form that the whole server's errors have.
func TestErrorsAreProblems(t *testing.T) {
	h := Handler()
	for _, c := range []struct {
		method, target string
		want           problem
	}{
		{http.MethodGet, "/nope", problem{"about:blank", "Not Found", 404, "not_found", ""}},
		{http.MethodPost, "/nope", problem{"about:blank", "Not Found", 404, "not_found", ""}},
		{http.MethodPost, "/", problem{"about:blank", "Method Not Allowed", 405, "method_not_allowed", ""}},
		{http.MethodDelete, "/swapcast.js", problem{"about:blank", "Method Not Allowed", 405, "method_not_allowed", ""}},
	} {
		resp := get(t, h, c.method, c.target)
		text := body(t, resp.Body)
		for name, want := range map[string]string{
			"Content-Type":           "application/problem+json",
			"Content-Length":         strconv.Itoa(len(text)),
			"Cache-Control":          "no-store",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: %s %q, want %q", c.method, c.target, name, got, want)
			}
		}
		var got problem
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s %s: %v in %q", c.method, c.target, err, text)
			continue
		}
		if got.Detail == "" {
			t.Errorf("%s %s: no detail", c.method, c.target)
		}
		got.Detail = ""
		if got != c.want || resp.StatusCode != c.want.Status {
			t.Errorf("%s %s: %s with %+v, want %+v", c.method, c.target, resp.Status, got, c.want)
		}
	}
}

func TestCompression(t *testing.T) {
	h := Handler()
	plain := body(t, get(t, h, http.MethodGet, "/assets/app.js").Body)
	resp := get(t, h, http.MethodGet, "/assets/app.js", "Accept-Encoding", "br;q=1, gzip;q=0.8")
	if resp.Header.Get("Content-Encoding") != "gzip" || resp.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("header %v", resp.Header)
	}
	unpacked, err := gzip.NewReader(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body(t, unpacked) != plain {
		t.Error("the compressed form is another file")
	}
	for accept, want := range map[string]bool{"": false, "identity": false, "gzip": true, "*": true, "deflate, gzip": true, "gzip;q=0": false, ";;;": false} {
		if acceptsGzip(accept) != want {
			t.Errorf("Accept-Encoding %q: want %v", accept, want)
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	policy := contentSecurityPolicy("swapcast.example:8080")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "ws://swapcast.example:8080 wss://swapcast.example:8080"} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	for _, host := range []string{"h; script-src *", "h/x", "", "h:99999999", "*"} {
		if got := contentSecurityPolicy(host); !strings.Contains(got, "connect-src 'self';") {
			t.Errorf("host %q went into %q", host, got)
		}
	}
	if got := contentSecurityPolicy("[::1]:8080"); !strings.Contains(got, "ws://[::1]:8080") {
		t.Errorf("IPv6: %q", got)
	}
}

// The policy forbids inline code; the page must not contain what would not run,
// and must not ask other machines for anything.
func TestPageKeepsItsOwnPolicy(t *testing.T) {
	attribute := regexp.MustCompile(`(?i)\s(on[a-z]+|style)\s*=\s*["']`)
	inline := regexp.MustCompile(`(?is)<script(?:\s[^>]*)?>\s*[^<\s]|<style`)
	foreign := regexp.MustCompile(`(?i)(?:src|href)\s*=\s*"(https?:|//)[^"]*"`)
	reference := regexp.MustCompile(`(?:src|href)="([^"#]+)"|(?:from|import) '([^']+)'`)
	h, err := newHandler(embedded)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range h.files {
		text := string(f.plain)
		if name == "/" {
			if m := attribute.FindString(text) + inline.FindString(text); m != "" {
				t.Errorf("%s: inline code %q", name, m)
			}
			for _, link := range foreign.FindAllString(text, -1) {
				if link != `href="https://www.tradingview.com/"` {
					t.Errorf("%s: %s", name, link)
				}
			}
		}
		if strings.HasPrefix(name, "/assets/vendor/") || !strings.Contains(f.contentType, "html") && !strings.Contains(f.contentType, "javascript") {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			target := m[1] + m[2]
			if strings.HasPrefix(target, "https:") || strings.HasPrefix(target, "/") || strings.HasSuffix(target, ".json") || target == "v1/status" {
				continue // elsewhere, an example in a comment, the API's own
			}
			if resolved := path.Join(path.Dir(name), target); h.files[resolved] == nil {
				t.Errorf("%s refers to %s, which is not served", name, resolved)
			}
		}
	}
}

// The licence of the chart library asks for its notice and a link on the page.
func TestChartLibraryIsAttributed(t *testing.T) {
	page, err := fs.ReadFile(embedded, "static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`href="https://www.tradingview.com/"`, "TradingView, Inc.", "Lightweight Charts™"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	notice, err := fs.ReadFile(embedded, "static/vendor/NOTICE")
	if err != nil {
		t.Fatal(err)
	}
	library, err := fs.ReadFile(embedded, "static/vendor/lightweight-charts.mjs")
	if err != nil {
		t.Fatal(err)
	}
	const version = "5.2.1"
	if !strings.Contains(string(notice), version) || !strings.Contains(string(library[:300]), version) {
		t.Errorf("NOTICE and library do not both say version %s", version)
	}
}

// TestJavaScript runs the SDK's and the page's own unit tests.
func TestJavaScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is not installed: the tests of the JavaScript SDK need Node 20 or later")
		}
		t.Skip("node is not installed: install Node 20 or later to test the JavaScript SDK")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, node, "--test", "test/").CombinedOutput()
	if err != nil {
		t.Errorf("node --test test/: %v\n%s", err, out)
	}
}
