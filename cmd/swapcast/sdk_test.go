package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/stream/client"
)

// told is what an application is told of trades: by an SDK, or by a reader of
// the stream that is never cut.
type told struct {
	Type       string   `json:"type"` // trade, retract or gap
	Commitment string   `json:"commitment"`
	AssetID    string   `json:"assetId"`
	Slot       uint64   `json:"slot"`
	Signature  string   `json:"signature"`
	Signatures []string `json:"signatures"`
	Index      int      `json:"index"`
	Seq        uint64   `json:"seq"`
	FromSeq    uint64   `json:"fromSeq"`
	ToSeq      uint64   `json:"toSeq"`
	Reason     string   `json:"reason"`

	Connects int `json:"connects"` // of type stats
}

// what names a trade or a retract by its signatures.
func (m *told) what() string {
	return fmt.Sprintf("%s of slot %d: %s%v %d", m.Type, m.Slot, m.Signature, m.Signatures, m.Index)
}

func (m *told) key() string {
	if m.Commitment == "" {
		m.Commitment = "processed"
	}
	return m.Commitment + " " + m.AssetID
}

// account is all that one of them was told, by commitment and mint.
type account struct {
	mu   sync.Mutex
	rows map[string][]told
	last map[string]uint64
}

func newAccount() *account { return &account{rows: map[string][]told{}, last: map[string]uint64{}} }

func (a *account) take(m told) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := m.key()
	a.rows[k] = append(a.rows[k], m)
	a.last[k] = max(m.Seq, m.ToSeq) // 0 where another run begins
}

func (a *account) reached(want map[string]uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, seq := range want {
		if a.last[k] < seq {
			return false
		}
	}
	return true
}

func (a *account) ends() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]uint64{}
	for k, seq := range a.last {
		out[k] = seq
	}
	return out
}

// compare holds what an SDK told against the uncut stream: in the order of its
// numbers, each once with the right signatures, nothing left out but what a gap
// names. It returns the numbers of what was compared, and of the gaps.
func (a *account) compare(uncut *account) (compared, gaps int, wrong []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	uncut.mu.Lock()
	defer uncut.mu.Unlock()
	for key, rows := range a.rows {
		truth := map[uint64]string{}
		for i := range uncut.rows[key] {
			truth[uncut.rows[key][i].Seq] = uncut.rows[key][i].what()
		}
		at, begun := uint64(0), false
		for i := range rows {
			m := &rows[i]
			if m.Type == "gap" {
				gaps++
				if m.Reason == "new_epoch" {
					at, begun = 0, true // all of the new run that is kept follows
				} else if m.ToSeq != 0 {
					at = m.ToSeq
				}
				continue
			}
			if begun && m.Seq != at+1 {
				wrong = append(wrong, fmt.Sprintf("%s: #%d after #%d", key, m.Seq, at))
			}
			if what, known := truth[m.Seq]; known {
				compared++
				if what != m.what() {
					wrong = append(wrong, fmt.Sprintf("%s: #%d is %s, want %s", key, m.Seq, m.what(), what))
				}
			}
			at, begun = m.Seq, true
		}
	}
	return compared, gaps, wrong
}

// cutter is a proxy that cuts every connection which has carried something,
// once a second.
type cutter struct {
	listener net.Listener
	target   atomic.Pointer[string]
	cuts     atomic.Int64
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]*atomic.Int64 // the client's side, and the bytes sent to it
}

// enough is what a connection must have carried to be cut: more than a handshake
// and an answer, so that a slow machine gets on too.
const enough = 16 << 10

func cutEverySecond(t *testing.T, target string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, conns: map[net.Conn]*atomic.Int64{}}
	c.target.Store(&target)
	stop := make(chan struct{})
	c.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.wg.Go(func() { c.carry(conn) })
		}
	})
	c.wg.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-stop:
				return
			case <-every.C:
				c.cut(enough)
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		listener.Close()
		c.cut(0)
		c.wg.Wait()
	})
	return c
}

func (c *cutter) cut(carried int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn, n := range c.conns {
		if n.Load() >= carried {
			_ = conn.(*net.TCPConn).SetLinger(0) // as where the network is gone
			conn.Close()
			c.cuts.Add(1)
		}
	}
}

func (c *cutter) carry(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", *c.target.Load())
	if err != nil {
		return
	}
	defer server.Close()
	n := &atomic.Int64{}
	c.mu.Lock()
	c.conns[conn] = n
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	}()
	c.wg.Go(func() {
		_, _ = io.Copy(server, conn)
		server.Close()
	})
	buf := make([]byte, 8<<10)
	for {
		k, err := server.Read(buf)
		if err != nil {
			return
		}
		n.Add(int64(k))
		if _, err := conn.Write(buf[:k]); err != nil {
			return
		}
	}
}

// readUncut follows the same trades as server-sent events, without any SDK, until
// the test or the server ends.
func readUncut(t *testing.T, s *server, mints []string, a *account) (wait func()) {
	t.Helper()
	var wg sync.WaitGroup
	for _, commitment := range []string{"processed", "confirmed"} {
		response := openEvents(t, s, url.Values{"channel": {"trades"}, "commitment": {commitment}, "assets": {strings.Join(mints, ",")}})
		if response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
		wg.Go(func() {
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				data, ok := strings.CutPrefix(lines.Text(), "data: ")
				if !ok {
					continue
				}
				var m told
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Errorf("%q: %v", data, err)
				}
				if m.Type == "trade" || m.Type == "retract" {
					a.take(m)
				} else if m.Type != "subscribed" {
					t.Errorf("the uncut reader is told %s", data)
				}
			}
		})
	}
	return wg.Wait
}

// followInJavaScript runs the JavaScript SDK in Node. stop ends it and returns
// how often it had connected.
func followInJavaScript(t *testing.T, address string, mints []string, a *account) (stop func() int) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Node is missing (make test-deps installs it): %v", err)
		}
		t.Skipf("no Node here (make test-deps installs it): %v", err)
	}
	args := append([]string{"testdata/follow.mjs", "ws://" + address + "/ws"}, mints...)
	if err := exec.Command(node, "-e", "process.exit(globalThis.WebSocket ? 0 : 1)").Run(); err != nil { // before Node 22
		args = append([]string{"--experimental-websocket"}, args...)
	}
	cmd := exec.Command(node, args...)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended, connects := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(ended)
		for lines := json.NewDecoder(out); ; {
			var m told
			if lines.Decode(&m) != nil {
				return
			}
			switch m.Type {
			case "ready":
				close(ready)
			case "stats":
				connects = m.Connects
			case "trade", "retract", "gap":
				a.take(m)
			default:
				t.Errorf("JavaScript: %+v", m)
			}
		}
	}()
	stop = sync.OnceValue(func() int {
		in.Close()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("Node does not end")
			_ = cmd.Process.Kill()
			<-ended
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("Node: %v", err)
		}
		return connects
	})
	t.Cleanup(func() { stop() })
	select {
	case <-ready:
	case <-ended:
		t.Fatal("Node ended")
	case <-time.After(time.Minute):
		t.Fatal("the JavaScript SDK has not subscribed within a minute")
	}
	return stop
}

// followInGo runs the Go SDK. stop ends it and returns how often it had connected.
func followInGo(t *testing.T, address string, mints []string, a *account) (stop func() int) {
	t.Helper()
	c, err := client.Dial(t.Context(), "ws://"+address+"/ws", client.Options{
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		OnEvent: func(e client.Event) {
			switch e := e.(type) {
			case *client.Trade:
				a.take(told{Type: "trade", Commitment: e.Commitment, AssetID: e.AssetID, Slot: e.Slot, Signature: e.Signature, Index: e.Index, Seq: e.Seq})
			case *client.Retract:
				a.take(told{Type: "retract", Commitment: e.Commitment, AssetID: e.AssetID, Slot: e.Slot, Signatures: e.Signatures, Seq: e.Seq})
			case *client.Gap:
				a.take(told{Type: "gap", Commitment: e.Commitment, AssetID: e.AssetID, FromSeq: e.FromSeq, ToSeq: e.ToSeq, Reason: e.Reason})
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, channel := range []string{client.ChannelTrades, client.Confirmed(client.ChannelTrades)} {
		if err := c.Subscribe(ctx, channel, mints...); err != nil {
			t.Fatal(err)
		}
	}
	stop = sync.OnceValue(func() int {
		n := int(c.Stats().Connects)
		c.Close()
		return n
	})
	t.Cleanup(func() { stop() })
	return stop
}

// sdkMints are tokens that trade often.
func sdkMints() (mints []string) {
	for _, token := range sim.Tokens()[:6] {
		mints = append(mints, token.Mint.String())
	}
	return mints
}

// TestSDKsMissNothing has both SDKs follow trades of a chain with forks over
// connections that are cut every second, then has the server replaced by another
// run. What an application was told is, signature by signature, what a reader
// without cuts was: each trade and retract once and in order, no gap until the
// server is another one, and one gap for each subscription then.
func TestSDKsMissNothing(t *testing.T) {
	at := geyserForTest(t, 1, "--listen", "127.0.0.1:0", "--source", "market:?seed=6&tps=100",
		"--faults", scriptFile(t, "seed: 6\nchain:\n- fork: {every_slots: 7, own: 0.5, end: dead}\n- dead: {every_slots: 11}\n"))
	mints := sdkMints()
	begin := func() (s *server, uncut *account, wait func()) {
		s, uncut = serveForTest(t, "--source", "grpc://"+at[0]), newAccount()
		return s, uncut, readUncut(t, s, mints, uncut)
	}
	first, uncut, _ := begin()
	proxy := cutEverySecond(t, first.public.Addr().String())
	address := proxy.listener.Addr().String()
	sdks := map[string]*account{"Go": newAccount(), "JavaScript": newAccount()}
	stops := map[string]func() int{
		"Go":         followInGo(t, address, mints, sdks["Go"]),
		"JavaScript": followInJavaScript(t, address, mints, sdks["JavaScript"]),
	}
	judge := func(uncut *account, keys int, wantGaps int) {
		t.Helper()
		ends := uncut.ends()
		if len(ends) != keys {
			t.Fatalf("%d of %d subscriptions have traded", len(ends), keys)
		}
		for name, sdk := range sdks {
			waitUntil(t, name+" has come as far", func() bool { return sdk.reached(ends) })
			compared, gaps, wrong := sdk.compare(uncut)
			t.Logf("%s: %d compared, %d gaps", name, compared, gaps)
			if compared < 100 || gaps != wantGaps || len(wrong) != 0 {
				t.Errorf("%s: %d compared, %d gaps, %d wrong: %s", name, compared, gaps, len(wrong), strings.Join(wrong[:min(5, len(wrong))], "; "))
			}
		}
	}
	retracted := func(a *account) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, rows := range a.rows {
			if slices.ContainsFunc(rows, func(m told) bool { return m.Type == "retract" }) {
				return true
			}
		}
		return false
	}
	waitUntil(t, "8 cuts of each, and a retract", func() bool {
		return proxy.cuts.Load() >= 16 && len(uncut.ends()) == 2*len(mints) && retracted(uncut)
	})
	judge(uncut, 2*len(mints), 0)

	// Another run of the server: its numbers begin anew, which each subscription is
	// told, and what it still keeps comes from the first one on.
	second, again, _ := begin()
	next := second.public.Addr().String()
	proxy.target.Store(&next)
	proxy.cut(0)
	before := proxy.cuts.Load()
	waitUntil(t, "some cuts more", func() bool { return proxy.cuts.Load() >= before+8 && len(again.ends()) == 2*len(mints) })
	for _, sdk := range sdks { // only what was told since
		waitUntil(t, "the other run is told", func() bool { return sdk.gaps("new_epoch") == 2*len(mints) })
		sdk.since("new_epoch")
	}
	judge(again, 2*len(mints), 2*len(mints))
	for name, stop := range stops {
		if n := stop(); n < 8 {
			t.Errorf("%s has connected %d times only", name, n)
		}
	}
}

// gaps counts those of a reason.
func (a *account) gaps(reason string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rows := range a.rows {
		for i := range rows {
			if rows[i].Reason == reason {
				n++
			}
		}
	}
	return n
}

// since forgets what came before the gap of that reason.
func (a *account) since(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, rows := range a.rows {
		at := slices.IndexFunc(rows, func(m told) bool { return m.Reason == reason })
		a.rows[key] = slices.Clone(rows[max(0, at):])
	}
}
