package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// TestChainSetBackALittle has a chain begin again some hundred slots back: what
// comes is refused until it has caught up, and the log says so each minute, with what to do.
func TestChainSetBackALittle(t *testing.T) {
	r := newPipelineRig(t, "--source", "grpc://127.0.0.1:1")
	var log bytes.Buffer
	r.p.log = slog.New(slog.NewTextHandler(&log, nil))
	src := rigSource("a", 1)
	r.p.start(1_000)
	r.p.ledger.Began(src, 1_001, r.now)
	heard := func(slot uint64, number byte) {
		r.now += int64(time.Second)
		tx := swapcast.Transaction{Slot: slot}
		tx.Signature[0] = number
		r.p.handle(&geyser.Event{Kind: geyser.KindTx, Endpoint: "a", Stream: 1, ReceivedAt: r.now, Tx: &tx})
	}
	warned := func() int { return strings.Count(log.String(), "set back") }
	heard(1_001, 1)
	for i := range byte(30) { // a replay: soon over
		heard(990, i)
	}
	heard(1_002, 2)
	for i := range byte(60) {
		heard(700+uint64(i), i)
	}
	if n := warned(); n != 0 {
		t.Fatalf("warned %d times too early:\n%s", n, &log)
	}
	for i := range byte(120) {
		heard(760+uint64(i), i)
	}
	if n := warned(); n != 2 || !strings.Contains(log.String(), "--state-dir") {
		t.Errorf("warned %d times in three minutes, want 2:\n%s", n, &log)
	}
}
