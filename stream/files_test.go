package stream

import (
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// nextDescriptor is the lowest that is free.
func nextDescriptor(t *testing.T) int {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return int(f.Fd())
}

// Before the process has no file left, newcomers are refused and counted, and who
// is there stays; once files are free again, newcomers are let in again.
//
// It runs alone: what other tests open would count too.
func TestFewFilesLeft(t *testing.T) {
	reg := prometheus.NewRegistry()
	r := newRig(t, Options{Metrics: NewMetrics(reg), Limits: Limits{OpenFiles: nextDescriptor(t) + 40}})
	var in []*rawClient
	refused := false
	for range 100 {
		c, err := dialRaw(r.http.URL, "", 0)
		if err != nil {
			refused = true
			break
		}
		c.t = t
		defer c.Conn.Close()
		in = append(in, c)
	}
	if !refused || len(in) < 5 {
		t.Fatalf("%d were let in, the next one refused: %v", len(in), refused)
	}
	if status, p := r.refused(""); status != http.StatusServiceUnavailable || p["code"] != "out_of_files" {
		t.Errorf("%d %v", status, p)
	}
	resp, err := http.Get(r.http.URL + "/v1/stream?assets=" + mint(1).String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if n := gather(t, reg)[`swapcast_ws_refused_total{reason=out_of_files}`]; n != 3 {
		t.Errorf("%v are counted: %v", n, gather(t, reg))
	}
	in[0].sendText(`{"action":"subscribe","assets":%q}`, mint(1))
	in[0].expect(1)
	r.PublishPrice(price(1, 1))
	in[0].expect(1)

	for _, c := range in[1:] {
		c.Conn.Close()
	}
	r.await("them to leave", func() bool { return r.Stats().Connections == 1 })
	http.DefaultClient.CloseIdleConnections()
	r.dial("").subscribe("prices", mint(1).String())
}

func TestOpenFiles(t *testing.T) {
	t.Parallel()
	if err := RaiseOpenFiles(); err != nil {
		t.Fatal(err)
	}
	soft, hard, known := OpenFiles()
	if !known || soft != hard || newcomersFiles() != soft-SpareFiles(soft) {
		t.Errorf("%d of %d, %v; %d for newcomers", soft, hard, known, newcomersFiles())
	}
	for most, want := range map[int]int{64: 8, 1024: 25, 20_000: 500, 1 << 20: 1000} {
		if got := SpareFiles(most); got != want {
			t.Errorf("of %d %d are spared", most, got)
		}
	}
}

// A connection's descriptor is seen, below TLS too; what has none is let in.
func TestNoteDescriptor(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if n := noteDescriptor(t.Context(), a).Value(descriptorKey{}); n != nil {
		t.Errorf("a pipe has descriptor %v", n)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, nc := range []net.Conn{c, overTLS{c}} {
		if n, _ := noteDescriptor(t.Context(), nc).Value(descriptorKey{}).(int); n < 3 {
			t.Errorf("descriptor %d", n)
		}
	}
}

type overTLS struct{ net.Conn }

func (o overTLS) NetConn() net.Conn { return o.Conn }
