package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/capture"
)

// recording writes a capture of n slots and returns its path.
func recording(t *testing.T, n uint64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recording.capture")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := capture.NewWriter(f, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for _, s := range []pb.SlotStatus{0, 1, 2} {
			err := w.Write(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: 1000 + i, Status: s}}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// lineWriter hands each line that is written to a function.
type lineWriter struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	line func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(p)
	for {
		line, rest, ok := strings.Cut(w.buf.String(), "\n")
		if !ok {
			return len(p), nil
		}
		w.buf.Reset()
		w.buf.WriteString(rest)
		w.line(line)
	}
}

// startGeyser runs `swapcast geyser` here and returns a client, and a function
// that waits for its end and returns exit code and standard error.
func startGeyser(t *testing.T, ctx context.Context, args ...string) (pb.GeyserClient, func() (int, string)) { //nolint:revive // the test comes first
	t.Helper()
	address := make(chan string, 1)
	stdout := &lineWriter{line: func(line string) {
		if rest, ok := strings.CutPrefix(line, "listening on "); ok {
			address <- strings.Fields(rest)[0]
		}
	}}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"geyser", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), stdout, &stderr)
	}()
	wait := sync.OnceValues(func() (int, string) { return <-code, stderr.String() })
	select {
	case a := <-address:
		conn, err := grpc.NewClient(a, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return pb.NewGeyserClient(conn), wait
	case c := <-code:
		t.Fatalf("exit code %d: %s", c, stderr.String())
		return nil, nil
	}
}

// readSlots subscribes to slots and reads to the end of the stream.
func readSlots(t *testing.T, ctx context.Context, c pb.GeyserClient) (n int, err error) { //nolint:revive // the test comes first
	t.Helper()
	stream, err := c.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.SubscribeRequest{Slots: map[string]*pb.SubscribeRequestFilterSlots{"s": {}}}); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

func TestGeyserPlaysARecording(t *testing.T) {
	c, wait := startGeyser(t, t.Context(), "--source", "replay:"+recording(t, 50)+"?speed=0", "--end-with-source")
	if n, err := readSlots(t, t.Context(), c); n != 150 || err != nil {
		t.Errorf("%d updates, %v", n, err)
	}
	if code, stderr := wait(); code != exitOK || !strings.Contains(stderr, "played=150") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestGeyserPlaysWhatIsBeforeACut(t *testing.T) {
	path := recording(t, 50)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The end mark and the zstd frame's end are gone; all messages are there.
	if err := os.WriteFile(path, whole[:len(whole)-8], 0o600); err != nil {
		t.Fatal(err)
	}
	c, wait := startGeyser(t, t.Context(), "--source", "replay:"+path, "--speed", "0")
	n, err := readSlots(t, t.Context(), c)
	if status.Code(err) != codes.DataLoss || !strings.Contains(err.Error(), swapcast.ErrCaptureCut.Error()) {
		t.Errorf("after %d updates: %v", n, err)
	}
	code, stderr := wait()
	last := strings.TrimSpace(stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:])
	if code != exitFailure || !strings.HasPrefix(last, "swapcast: ") || !strings.Contains(last, swapcast.ErrCaptureCut.Error()) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestGeyserEndsWellWhenTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, wait := startGeyser(t, ctx, "--source", "market:?tps=100", "--x-token", "secret")
	if _, err := c.GetVersion(ctx, &pb.GetVersionRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without the token: %v", err)
	}
	cancel()
	if code, stderr := wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestGeyserRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	garbage := filepath.Join(t.TempDir(), "x.capture")
	if err := os.WriteFile(garbage, []byte("GET / HTTP/1.1\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const forms = "market:[?seed=1&tps=500&speed=1] and replay:PATH"
	for _, c := range []struct {
		args string
		code int
		text string
	}{
		{"--source nonsense", exitUsage, forms},
		{"--source kafka:topic", exitUsage, forms},
		{"--source grpc://127.0.0.1:1", exitUsage, forms},
		{"--source replay:", exitUsage, forms},
		{"--source replay:/no/such/file", exitUsage, "/no/such/file"},
		{"--source replay:" + garbage, exitUsage, garbage},
		{"--source market:name", exitUsage, forms},
		{"--source market:?tps=9", exitUsage, "tps must be a whole number from 10 to 20000"},
		{"--source market:?tps=many", exitUsage, "tps must be"},
		{"--source market:?seed=-1", exitUsage, "seed must be"},
		{"--source market:?loop=true", exitUsage, `unknown parameter "loop"`},
		{"--source market:?speed=-1", exitUsage, "speed must be a number"},
		{"--source market:?speed=NaN", exitUsage, "speed must be a number"},
		{"--source replay:-?loop=true", exitUsage, "cannot be played twice"},
		{"--source replay:-?loop=maybe", exitUsage, "loop must be true or false"},
		{"--loop", exitUsage, "cannot be played twice"},
		{"--speed -1", exitUsage, "--speed"},
		{"--speed fast", exitUsage, "--speed"},
		{"--stored-slots 0", exitUsage, "--stored-slots"},
		{"--stored-mb 0", exitUsage, "--stored-mb"},
		{"--queue-size 0", exitUsage, "--queue-size"},
		{"--ping-interval 0s", exitUsage, "--ping-interval"},
		{"--max-request-kb 0", exitUsage, "--max-request-kb"},
		{"--compression lz77", exitUsage, "--compression"},
		{"--listen nonsense", exitUsage, "--listen"},
		{"--listen " + taken.Addr().String(), exitFailure, taken.Addr().String()},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stderr bytes.Buffer
			code := run(t.Context(), append([]string{"geyser"}, strings.Fields(c.args)...), strings.NewReader(""), io.Discard, &stderr)
			text := stderr.String()
			if code != c.code || !strings.Contains(text, c.text) || strings.Count(text, "\n") != 1 {
				t.Errorf("exit code %d: %s", code, text)
			}
		})
	}
}

func TestOpenPlaySource(t *testing.T) {
	path := recording(t, 1)
	for _, c := range []struct {
		url  string
		want string
	}{
		{"market:", "simulated 1 false false the built-in market: simulated, seed 1, 500 transactions a second"},
		{"market:?seed=7&tps=20&speed=2.5", "simulated 2.5 false false the built-in market: simulated, seed 7, 20 transactions a second"},
		{"replay:" + path, "replay 1 false true a recording: " + path + ", 0.0 MB"},
		{"replay:" + path + "?speed=0&loop=true", "replay 0 true true a recording: " + path + ", 0.0 MB"},
		{"replay:" + filepath.Dir(path), "replay 1 false true a recording: " + filepath.Dir(path) + ", a folder of 1 files"},
	} {
		src, err := openPlaySource(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		src.close()
		if got := fmt.Sprintf("%s %v %v %v %s", src.Feed, src.Speed, src.Loop, src.Reopen != nil, src.Describe); got != c.want {
			t.Errorf("%s: got %s", c.url, got)
		}
		if src.Reopen != nil {
			again, err := src.Reopen()
			if err != nil {
				t.Errorf("%s: %v", c.url, err)
				continue
			}
			again.(io.Closer).Close()
		}
	}
}
