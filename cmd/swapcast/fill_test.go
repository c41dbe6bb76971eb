package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestServeFillsOverRPC cuts a stream again and again whose server cannot replay:
// what passed meanwhile comes over RPC, and no slot is lost.
func TestServeFillsOverRPC(t *testing.T) {
	script := scriptFile(t, "seed: 3\nchain:\n- fork: {every_slots: 9}\n- skip_slots: {every_slots: 8, slots: 2}\nendpoints:\n  0:\n  - refuse_from_slot: {}\n  - cut: {every_slots: 25}\n")
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan string, 2)
	stdout := &lineWriter{line: func(line string) {
		if m := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(line); m != nil {
			found <- m[1]
		}
	}}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"geyser", "--listen", "127.0.0.1:0", "--with-rpc", "127.0.0.1:0", "--source", "market:?seed=9&tps=100&speed=4", "--faults", script,
		}, strings.NewReader(""), stdout, &stderr)
	}()
	endpoint, rpc := <-found, <-found
	s := serveForTest(t, "--source", "grpc://"+endpoint, "--rpc-url", "http://"+rpc, "--rpc-rate", "200")
	begun := uint64(0)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		at, status := s.pipeline.checkpoint.Load(), s.fill.Status()
		if begun == 0 {
			begun = at
		}
		if begun > 0 && at > begun+150 && status.Filled > 10 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("checkpoint %d, begun at %d: %+v, gaps %v", at, begun, status, s.pipeline.gaps.Load())
		}
	}
	status := s.fill.Status()
	t.Logf("%+v", status)
	if status.Lost != 0 || len(*s.pipeline.gaps.Load()) != 0 {
		t.Errorf("%+v, gaps %v", status, *s.pipeline.gaps.Load())
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d: %s", c, stderr.String())
	}
}
