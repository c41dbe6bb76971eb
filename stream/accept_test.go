package stream

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// refused dials and expects an HTTP answer instead of a connection.
func (r *rig) refused(query string, header ...string) (status int, p map[string]any) {
	r.t.Helper()
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, r.url(query), &websocket.DialOptions{HTTPHeader: h})
	if err == nil {
		ws.CloseNow()
		r.t.Fatal("was let in")
	}
	if resp == nil {
		r.t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
		r.t.Errorf("content type %q", ct)
	}
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, p
}

func TestParametersOfTheHandshake(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	for _, window := range []string{"-1", "5001", "x", "1.5", "99999999999999999999", "%00"} {
		if status, p := r.refused("window_ms=" + window); status != 400 || p["code"] != "bad_parameter" || p["parameter"] != "window_ms" {
			t.Errorf("window_ms=%s: %d %v", window, status, p)
		}
	}
	for _, window := range []string{"", "0", "5000"} {
		r.dial("beta=1&batch=1&api_key=whatever&window_ms=" + window).CloseNow()
	}
	resp, err := http.Get(r.http.URL + "/ws")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 426 || !strings.Contains(string(body), `"not_websocket"`) || resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("plain GET: %s %s", resp.Status, body)
	}
	resp, err = http.Post(r.http.URL+"/ws", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("POST: %s", resp.Status)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		allowed string
		origin  string
		ok      bool
	}{
		{"", "", true},
		{"", "http://HOST", true},
		{"", "https://evil.example", false},
		{"", "null", false},
		{"", "https://HOST.evil.example", false},
		{"app.example", "https://app.example", true},
		{"app.example", "http://APP.example", true},
		{"app.example", "https://app.example.evil.example", false},
		{"https://app.example", "https://app.example", true},
		{"https://app.example", "http://app.example", false},
		{"*.example", "https://a.example", true},
		{"*.example", "https://example", false},
		{"app.example:8443", "https://app.example:8443", true},
		{"app.example", "https://app.example:8443", false},
		{"*", "https://evil.example", true},
		{"*", "null", true},
		{"[", "https://evil.example", false},
	} {
		r := newRig(t, Options{AllowedOrigins: []string{test.allowed}})
		origin := strings.Replace(test.origin, "HOST", strings.TrimPrefix(r.http.URL, "http://"), 1)
		if test.ok {
			r.dial("", "Origin", origin).CloseNow()
		} else if status, p := r.refused("", "Origin", origin); status != 403 || p["code"] != "origin_refused" {
			t.Errorf("%+v: %d %v", test, status, p)
		}
		r.stop()
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{Connections: 2}})
	a, _ := r.dial(""), r.dial("")
	if status, p := r.refused(""); status != 503 || p["code"] != "overloaded" {
		t.Errorf("third: %d %v", status, p)
	}
	a.Close(websocket.StatusNormalClosure, "")
	r.await("room", func() bool { return r.Stats().Connections == 1 })
	r.dial("")

	// Loopback is not counted by address unless told so.
	r = newRig(t, Options{Limits: Limits{ConnectionsPerAddress: 1}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	r.dial("")
	if status, p := r.refused(""); status != 503 || p["code"] != "too_many_connections" {
		t.Errorf("second of the address: %d %v", status, p)
	}
	r.dial("", "X-Forwarded-For", "203.0.113.7")
	if status, _ := r.refused("", "X-Forwarded-For", "198.51.100.1, 203.0.113.7, 127.0.0.2"); status != 503 {
		t.Errorf("second behind the proxy: %d", status)
	}
	r.dial("", "X-Forwarded-For", "2001:db8::1")
	if status, _ := r.refused("", "X-Forwarded-For", "2001:db8::2"); status != 503 {
		t.Errorf("second of an IPv6 subnet: %d", status)
	}
}

func TestAddressIsNotBelievedFromStrangers(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{ConnectionsPerAddress: 1}})
	r.dial("", "X-Forwarded-For", "203.0.113.7")
	if status, _ := r.refused("", "X-Forwarded-For", "203.0.113.8"); status != 503 {
		t.Errorf("%d", status)
	}
}

func keyLine(name, secret, limits string) string {
	return fmt.Sprintf("%s %x %s\n", name, sha256.Sum256([]byte(secret)), limits)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# who may connect\n\n" + keyLine("alice", "s3cret", "") + keyLine("bob", "b0b", "conns=1 subs=1 rate=1"))
	var mu sync.Mutex
	var names []string
	r := newRig(t, Options{KeysFile: file, OnConn: func(i ConnInfo) ConnHooks {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, i.Key)
		return ConnHooks{}
	}})
	for _, query := range []string{"", "api_key=wrong", "api_key=", "api_key=" + fmt.Sprintf("%x", sha256.Sum256([]byte("s3cret")))} {
		if ce := r.dial(query).expectClose(); ce.Code != 4401 {
			t.Errorf("%q: closed with %v", query, ce)
		}
	}
	if ce := r.dial("api_key=s3cret", "Authorization", "Bearer wrong").expectClose(); ce.Code != 4401 {
		t.Errorf("closed with %v", ce)
	}
	alice := r.dial("api_key=s3cret")
	alice.subscribe("prices", mint(1).String())
	bob := r.dial("", "Authorization", "bearer b0b")
	bob.send(`{"action":"subscribe","assets":[%q,%q]}`, mint(1), mint(2))
	if m := bob.next(); m.Code != "too_many_subscriptions" {
		t.Errorf("%s", m.raw)
	}
	bob.next()
	if ce := r.dial("api_key=b0b").expectClose(); ce.Code != 1013 {
		t.Errorf("closed with %v", ce)
	}

	write("garbage")
	if err := r.ReloadKeys(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("reload: %v", err)
	}
	alice.send(`{"action":"ping"}`)
	alice.next()
	write(keyLine("alice", "s3cret", "") + keyLine("carol", "n3w", ""))
	if err := r.ReloadKeys(); err != nil {
		t.Fatal(err)
	}
	if ce := bob.expectClose(); ce.Code != 4401 {
		t.Errorf("closed with %v", ce)
	}
	alice.send(`{"action":"ping"}`)
	if m := alice.next(); m.Type != "pong" {
		t.Errorf("%s", m.raw)
	}
	r.dial("api_key=n3w").subscribe("prices", mint(1).String())
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprint(names) != "[alice bob carol]" {
		t.Errorf("%v", names)
	}
}

// gated returns a hook that lets each connection in only when it is told to,
// and a channel that tells of each one that waits.
func gated() (hook func(ConnInfo) ConnHooks, waits chan struct{}, enter chan struct{}) {
	waits, enter = make(chan struct{}), make(chan struct{})
	return func(ConnInfo) ConnHooks {
		waits <- struct{}{}
		<-enter
		return ConnHooks{}
	}, waits, enter
}

// A key that is taken away while its connection is on the way to its shard
// lets nobody in.
func TestKeyRevokedOnTheWay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keyLine("alice", "s3cret", "") + keyLine("bob", "b0b", ""))
	hook, waits, enter := gated()
	r := newRig(t, Options{Shards: 1, KeysFile: file, OnConn: hook})
	alice := r.dial("api_key=s3cret")
	<-waits
	bob := r.dial("api_key=b0b")
	<-waits
	write(keyLine("bob", "b0b", ""))
	if err := r.ReloadKeys(); err != nil {
		t.Fatal(err)
	}
	r.hold(0, func() {}) // the shard has looked through its connections
	close(enter)
	alice.send(`{"action":"ping"}`)
	if m, err := alice.read(); err == nil {
		t.Fatalf("a key that was taken away is served: %s", m.raw)
	} else if code := websocket.CloseStatus(err); code != 4401 {
		t.Errorf("ended with %v", err)
	}
	bob.send(`{"action":"ping"}`)
	if m := bob.next(); m.Type != "pong" {
		t.Errorf("%s", m.raw)
	}
}

func TestKeysFile(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("ab", 32)
	for text, reason := range map[string]string{
		"alice":                                      "a name and a hash",
		"alice s3cret":                               "64 hexadecimal digits",
		"al/ice " + hash:                             "a name is",
		"alice " + hash + "\nalice " + hash:          "twice",
		"alice " + hash + "\nbob " + hash:            "another name",
		"alice " + hash + " conns":                   "NAME=NUMBER",
		"alice " + hash + " conns=0":                 "at least 1",
		"alice " + hash + " speed=9":                 "the limits are",
		"# \n\nalice " + hash[:62] + "zz":            "line 3",
		"alice " + hash + strings.Repeat("x", 70000): "token too long",
	} {
		_, err := parseKeys(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.60q: %v, want %s", text, err, reason)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error repeats what may be a key: %v", err)
		}
	}
	if _, err := New(Options{KeysFile: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestConnectionsAreTold(t *testing.T) {
	t.Parallel()
	type told struct {
		ConnInfo
		ConnEnd
	}
	ends := make(chan told, 1)
	r := newRig(t, Options{OnConn: func(i ConnInfo) ConnHooks {
		return ConnHooks{End: func(e ConnEnd) { ends <- told{i, e} }}
	}})
	c := r.dial("test_id=run.1&vu_id=7&scenario=a%20b&window_ms=50&batch=1&beta=1", "User-Agent", "k6")
	c.subscribe("prices", mint(1).String())
	c.Close(3001, "bye")
	got := <-ends
	if got.TestID != "run.1" || got.VUID != "7" || got.Scenario != "invalid" || got.UserAgent != "k6" || !strings.HasPrefix(got.RemoteAddr, "127.") ||
		got.Window != 50*time.Millisecond || !got.Batch || !got.Beta || got.Code != 3001 || got.Sent != 2 || got.Duration <= 0 {
		t.Errorf("%+v", got)
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "a-Z_0.9:x": "a-Z_0.9:x", "a b": "invalid", "é": "invalid", "a\n": "invalid", "<x>": "invalid",
		strings.Repeat("x", 64): strings.Repeat("x", 64), strings.Repeat("x", 65): "invalid",
	} {
		if got := Tag(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// A handshake that trickles in is cut by the HTTP server's own limit.
func TestSlowloris(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	if r.http.Config.ReadHeaderTimeout == 0 || r.http.Config.MaxHeaderBytes > 64<<10 {
		t.Fatalf("limits are not set: %+v", r.http.Config)
	}
	s := &http.Server{Handler: r.Server}
	SetHTTPLimits(s)
	s.ReadHeaderTimeout = 50 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	defer func() { s.Close(); <-done }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprintf(nc, "GET /ws HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	nc.SetReadDeadline(time.Now().Add(timeLimit))
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Errorf("not closed: %v", err)
	}
}

func TestNotRunning(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	r.stop()
	if status, p := r.refused(""); status != 503 || p["code"] != "overloaded" {
		t.Errorf("%d %v", status, p)
	}
	if err := r.Run(context.Background()); err == nil {
		t.Error("ran twice")
	}
}
