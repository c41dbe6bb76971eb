package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func scriptFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "faults.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGeyserRefusesFaults: one line that names the file and the line in it, and
// exit code 2.
func TestGeyserRefusesFaults(t *testing.T) {
	wrong := scriptFile(t, "seed: 1\nendpoint:\n- cut: {evry: 1s}\n")
	second := scriptFile(t, "endpoints:\n  1:\n  - cut: {every: 1s}\n")
	chain := scriptFile(t, "chain:\n- fork: {every_slots: 2}\n")
	file := recording(t, 3)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--faults", wrong}, wrong + `: line 3: cut: unknown key "evry"`},
		{[]string{"--faults", second}, second + ": line 2: endpoints: there is no endpoint 1"},
		{[]string{"--faults", filepath.Join(t.TempDir(), "none.yaml")}, "no such file"},
		{[]string{"--source", "replay:" + file, "--loop", "--faults", chain}, "is played once"},
		{[]string{"--source", "replay:" + file, "--loop", "--truth", filepath.Join(t.TempDir(), "truth")}, "--loop"},
		{[]string{"--source", "replay:" + file, "--loop", "--listen", "127.0.0.1:0"}, "--loop: several endpoints"},
		{[]string{"--truth", filepath.Join(t.TempDir(), "none", "truth")}, "--truth: open"},
	} {
		var stderr bytes.Buffer
		code := run(t.Context(), append([]string{"geyser", "--listen", "127.0.0.1:0"}, c.args...), strings.NewReader(""), &bytes.Buffer{}, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: exit code %d: %s", c.args, code, stderr.String())
		}
	}
}

// TestGeyserServesTwoEndpointsOfOneChain over real ports: the same chain, its
// truth in a file, faults counted at the end.
func TestGeyserServesTwoEndpointsOfOneChain(t *testing.T) {
	faults := scriptFile(t, "seed: 2\nchain:\n- fork: {every_slots: 4}\nendpoints:\n  0:\n  - cut: {after_slots: 12}\n  1:\n  - late: {by: 20ms}\n")
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	ctx, stop := context.WithCancel(t.Context())
	addresses := make(chan string, 2)
	stdout := &lineWriter{line: func(line string) {
		if m := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(line); m != nil {
			addresses <- m[1]
		}
	}}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"geyser", "--source", "market:?seed=3&tps=100", "--speed", "20", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0",
			"--faults", faults, "--truth", truth,
		}, strings.NewReader(""), stdout, &stderr)
	}()
	var got [2]map[string]bool
	var wg sync.WaitGroup
	for i := range got {
		address := <-addresses
		wg.Go(func() { got[i] = slotsAndSignatures(t, address, 20) })
	}
	wg.Wait()
	stop()
	if c := <-code; c != exitOK {
		t.Fatalf("exit code %d: %s", c, stderr.String())
	}
	common := 0
	for k := range got[0] {
		if got[1][k] {
			common++
		}
	}
	// They began and ended some slots apart, on a busy machine more.
	if common < 100 || common < len(got[0])*3/10 {
		t.Errorf("%d transactions of %d and %d are the same", common, len(got[0]), len(got[1]))
	}
	landed := 0
	for _, list := range truthOf(t, truth) {
		landed += len(list)
	}
	if landed < common/2 {
		t.Errorf("the truth has %d transactions", landed)
	}
	for _, want := range []string{"cut:1", "late:1", "fork:"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the log does not sum up %s", want)
		}
	}
}

// slotsAndSignatures reads transactions of n slots from an address, coming back
// whenever it is cut.
func slotsAndSignatures(t *testing.T, address string, n int) map[string]bool {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Error(err)
		return nil
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, slots := make(map[string]bool), make(map[uint64]bool)
	for ctx.Err() == nil {
		stream, err := pb.NewGeyserClient(conn).Subscribe(ctx)
		if err != nil {
			continue
		}
		_ = stream.Send(&pb.SubscribeRequest{Transactions: map[string]*pb.SubscribeRequestFilterTransactions{"t": {}}})
		for {
			u, err := stream.Recv()
			if err != nil {
				break
			}
			if tx := u.GetTransaction(); tx != nil {
				slots[tx.GetSlot()] = true
				out[string(tx.GetTransaction().GetSignature())] = true
			}
			if len(slots) > n {
				return out
			}
		}
	}
	t.Errorf("%s gave %d slots only", address, len(slots))
	return out
}
