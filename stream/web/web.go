package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

//go:embed static swapcast.js
var embedded embed.FS

// file is one embedded file, ready to be served.
type file struct {
	contentType string
	etag        string // of the plain form, quoted
	plain       []byte
	gzipped     []byte // nil where compression saves nothing
}

type handler struct {
	files map[string]*file // by URL path
}

// Handler serves the page at "/", what it needs under "/assets/", and the
// JavaScript SDK at "/swapcast.js". Every other path is 404, every method but
// GET and HEAD 405, both as application/problem+json.
func Handler() http.Handler {
	h, err := newHandler(embedded)
	if err != nil {
		panic(fmt.Sprintf("web: embedded files: %v", err)) // they are part of the binary
	}
	return h
}

func newHandler(files fs.FS) (*handler, error) {
	h := &handler{files: map[string]*file{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		f, err := newFile(name, content)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		h.files[urlPath(name)] = f
		return nil
	})
	return h, err
}

// urlPath says where an embedded file is served.
func urlPath(name string) string {
	switch {
	case name == "static/index.html":
		return "/"
	case strings.HasPrefix(name, "static/"):
		return "/assets/" + strings.TrimPrefix(name, "static/")
	default:
		return "/" + name
	}
}

func newFile(name string, content []byte) (*file, error) {
	sum := sha256.Sum256(content)
	f := &file{contentType: contentType(name), etag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: content}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if packed.Len() < len(content)*9/10 {
		f.gzipped = packed.Bytes()
	}
	return f, nil
}

// contentType does not ask the system's table, which differs between machines.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "text/plain; charset=utf-8"
	}
}

// ServeHTTP answers GET and HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	f, ok := h.files[r.URL.Path]
	if !ok {
		writeProblem(w, http.StatusNotFound, codeNotFound, "there is no such page; the page is at /, the HTTP API under /v1/")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed, codeMethodNotAllowed, "this path can only be read: use GET or HEAD")
		return
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Content-Security-Policy", contentSecurityPolicy(r.Host))
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	// Asked again each time, answered with 304: names carry no version.
	header.Set("Cache-Control", "no-cache")
	header.Set("Vary", "Accept-Encoding")
	if r.URL.Path == "/swapcast.js" { // other sites may import the SDK
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	content, etag := f.plain, f.etag
	if f.gzipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		content, etag = f.gzipped, strings.TrimSuffix(f.etag, `"`)+`-gz"`
	}
	header.Set("ETag", etag)
	// ServeContent answers If-None-Match, HEAD and ranges.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads Accept-Encoding as far as one encoding needs it.
func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err == nil && (name == "gzip" || name == "*") {
			return params["q"] != "0" && params["q"] != "0.0"
		}
	}
	return false
}

// plainHost matches what may be written into a header: a name or an address,
// with or without a port. It is compiled once: a constant in all but syntax.
//
//nolint:gochecknoglobals // never written
var plainHost = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?$`)

// contentSecurityPolicy allows what the page consists of and nothing else. The
// WebSocket's address is named, because not every browser counts it as 'self'.
func contentSecurityPolicy(host string) string {
	connect := "'self'"
	if plainHost.MatchString(host) {
		connect += " ws://" + host + " wss://" + host
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " + connect +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
