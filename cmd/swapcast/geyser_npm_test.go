package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// TestGeyserProcess is no test: it is `swapcast geyser` for tests that need a
// process they can kill. Its arguments are one a line in the environment.
func TestGeyserProcess(*testing.T) {
	if args := os.Getenv("SWAPCAST_TEST_GEYSER"); args != "" {
		os.Exit(run(context.Background(), append([]string{"geyser"}, strings.Split(args, "\n")...), os.Stdin, os.Stdout, os.Stderr))
	}
}

// geyserProcess starts `swapcast geyser` in a process of its own and returns
// the address that it listens on. kill ends it with SIGKILL.
func geyserProcess(t *testing.T, args ...string) (address string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGeyserProcess$")
	cmd.Env = append(os.Environ(), "SWAPCAST_TEST_GEYSER="+strings.Join(args, "\n"))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			return m[1], kill
		}
	}
	t.Fatal("swapcast geyser did not say where it listens")
	return "", nil
}

// npmLine is one line that the npm client's script prints.
type npmLine struct {
	Kind      string
	Slot      string
	Filters   []string
	Index     string
	Signature string
	Count     any
	Status    int
	Message   string
	Version   struct {
		Version struct{ Package, Proto string }
		Extra   struct{ Feed string }
	}
	Blockhash      string
	FirstAvailable string
}

// npmClient is the script with what it has printed so far.
type npmClient struct {
	lines chan npmLine
	seen  []npmLine
}

// startNPM runs the script against address.
func startNPM(t *testing.T, address, token string) *npmClient {
	t.Helper()
	dir := filepath.Join("..", "..", "geyser", "replay", "npmclient")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "@triton-one", "yellowstone-grpc"))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the npm client is missing (make test-deps installs it): %v", err)
		}
		t.Skipf("no npm client here (make test-deps installs it): %v", err)
	}
	cmd := exec.Command(node, "subscribe.mjs", "http://"+address, token)
	cmd.Dir = dir
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &npmClient{lines: make(chan npmLine, 1<<16)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(c.lines)
		for dec := json.NewDecoder(out); ; {
			var l npmLine
			if err := dec.Decode(&l); err != nil {
				return
			}
			c.lines <- l
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	return c
}

// until reads lines until enough says so.
func (c *npmClient) until(t *testing.T, what string, enough func() bool) {
	t.Helper()
	limit := time.After(60 * time.Second)
	for !enough() {
		select {
		case l, ok := <-c.lines:
			if !ok {
				t.Fatalf("waiting for %s: the client has ended after %d lines: %+v", what, len(c.seen), c.seen[max(0, len(c.seen)-1):])
			}
			if l.Kind == "error" || l.Kind == "end" {
				t.Fatalf("waiting for %s: the client gave up: %s", what, l.Message)
			}
			c.seen = append(c.seen, l)
		case <-limit:
			t.Fatalf("waited too long for %s; %d lines", what, len(c.seen))
		}
	}
}

// count counts the lines of a kind since a line.
func (c *npmClient) count(kind string, since int) (n int) {
	for _, l := range c.seen[since:] {
		if l.Kind == kind {
			n++
		}
	}
	return n
}

func (c *npmClient) lastSlot() (last string) {
	for _, l := range c.seen {
		if l.Kind == "block_meta" {
			last = max(last, l.Slot) // nine digits all: text sorts as numbers do
		}
	}
	return last
}

// proxy passes connections on to an address, and can cut them all.
type proxy struct {
	to string

	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

func startProxy(t *testing.T, to string) (*proxy, string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{to: to}
	p.wg.Go(func() {
		for {
			in, err := lis.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.pass(in) })
		}
	})
	t.Cleanup(func() {
		lis.Close()
		p.cut()
		p.wg.Wait()
	})
	return p, lis.Addr().String()
}

func (p *proxy) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	p.conns = append(p.conns, in, out)
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(out, in)
		out.Close()
		close(done)
	}()
	_, _ = io.Copy(in, out)
	in.Close()
	<-done
}

// cut ends every connection without a word.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	p.conns = nil
}

// reference reads every transaction that a server sends to our own client,
// until it is told to stop.
func reference(t *testing.T, address, token string) (stop func() map[string][]string) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), "x-token", token))
	stream, err := pb.NewGeyserClient(conn).Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	if err := stream.Send(&pb.SubscribeRequest{Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"t": {Vote: &no, Failed: &no}}}); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string][]string)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			u, err := stream.Recv()
			if err != nil {
				return
			}
			if tx := u.GetTransaction(); tx != nil {
				slot := fmt.Sprint(tx.GetSlot())
				seen[slot] = append(seen[slot], base64.StdEncoding.EncodeToString(tx.GetTransaction().GetSignature()))
			}
		}
	}()
	stop = sync.OnceValue(func() map[string][]string {
		cancel()
		<-done
		conn.Close()
		return seen
	})
	t.Cleanup(func() { stop() })
	return stop
}

// TestYellowstoneClientFromNPM has a client that others wrote subscribe to
// `swapcast geyser`, lose its connection, and lose the server.
func TestYellowstoneClientFromNPM(t *testing.T) {
	const token = "npm-test"
	args := []string{"--source", "market:?seed=3&tps=50", "--x-token", token}
	address, kill := geyserProcess(t, append(slices.Clone(args), "--listen", "127.0.0.1:0")...)
	stop := reference(t, address, token)
	front, through := startProxy(t, address)
	c := startNPM(t, through, token)

	c.until(t, "the unary methods", func() bool { return c.count("unary", 0) == 1 })
	first := c.seen[0]
	if first.Version.Version.Package != "swapcast" || first.Version.Extra.Feed != "simulated" || first.Count != 7.0 ||
		first.Slot == "0" || first.FirstAvailable == "" || first.Blockhash == "" {
		t.Errorf("unary methods answered %+v", first)
	}
	streaming := func(since int) func() bool {
		return func() bool {
			return c.count("transaction", since) >= 50 && c.count("slot", since) >= 5 && c.count("block_meta", since) >= 5
		}
	}
	c.until(t, "the stream", streaming(0))
	for _, l := range c.seen[1:] {
		if want := map[string]string{"transaction": "t", "slot": "s", "block_meta": "m"}[l.Kind]; want != "" && !slices.Equal(l.Filters, []string{want}) {
			t.Errorf("a %s names the filters %q", l.Kind, l.Filters)
		}
	}

	// The connection breaks: the client comes back with from_slot and misses
	// nothing of what our own client, whose connection held, has got.
	front.cut()
	c.until(t, "the stream after a cut", streaming(len(c.seen)))
	want := stop()
	got := make(map[string][]string)
	for _, l := range c.seen {
		if l.Kind == "transaction" {
			got[l.Slot] = append(got[l.Slot], l.Signature)
		}
	}
	whole := 0
	ended := c.lastSlot()
	if newest := slices.Max(slices.Collect(maps.Keys(want))); newest < ended {
		ended = newest // our own client was stopped before
	}
	for slot, ours := range want {
		if slot <= c.seen[1].Slot || slot >= ended {
			continue // begun or ended in the middle
		}
		whole++
		list := got[slot]
		slices.Sort(list)
		slices.Sort(ours)
		if !slices.Equal(list, ours) {
			t.Errorf("slot %s: %d transactions, our own client has %d", slot, len(list), len(ours))
		}
	}
	if whole < 5 {
		t.Errorf("only %d whole slots to compare", whole)
	}

	// The server dies and another takes its place.
	last := c.lastSlot()
	kill()
	_, _ = geyserProcess(t, append(slices.Clone(args), "--listen", address)...)
	c.until(t, "the stream after a restart", streaming(len(c.seen)))
	if now := c.lastSlot(); now <= last {
		t.Errorf("slots went from %s to %s", last, now)
	}
	t.Logf("%d transactions, %d slots, %d block metas over a cut connection and a killed server; %d slots compared whole",
		c.count("transaction", 0), c.count("slot", 0), c.count("block_meta", 0), whole)
}
