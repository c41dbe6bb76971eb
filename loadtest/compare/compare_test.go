package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

// unmasked makes a server's frame.
func unmasked(opcode byte, payload []byte) []byte {
	m := masked(opcode, payload)
	m[1] &^= 0x80
	at := len(m) - len(payload)
	return append(m[:at-4:at-4], payload...)
}

// TestFrames cuts a stream of frames of every length form at every place.
func TestFrames(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 125, 126, 300, 65_535, 65_536}
	for _, n := range sizes {
		stream = append(stream, unmasked(1, bytes.Repeat([]byte{'x'}, n))...)
	}
	for cut := range 900 {
		var got []int
		for _, part := range [][2]int{{0, cut}, {0, len(stream)}} {
			b := stream[part[0]:part[1]]
			got = got[:0]
			for {
				op, payload, rest, ok, err := frame(b)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if op != 1 {
					t.Fatalf("opcode %d", op)
				}
				got, b = append(got, len(payload)), rest
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(sizes) {
			t.Fatalf("cut at %d: %v", cut, got)
		}
	}
	if _, _, _, _, err := frame(masked(1, []byte("x"))); err == nil {
		t.Error("a masked frame from a server passed")
	}
}

// TestStamps finds the time in the message that all servers send, and in many
// of them in one payload.
func TestStamps(t *testing.T) {
	now := time.Now().UnixNano()
	msg := yardstick.Encode(&swapcast.Price{Mint: yardstick.MintOf(3), BlockTime: now}, 7)
	var got []int64
	n := stamps(append(append([]byte("["), msg...), append([]byte(","), msg...)...), func(ns int64) { got = append(got, ns) })
	if n != 2 || len(got) != 2 || got[0] != now || got[1] != now {
		t.Errorf("%d: %v, want twice %d", n, got, now)
	}
	if n := stamps([]byte(`{"blockTime":17640`), func(int64) {}); n != 0 {
		t.Errorf("a cut time was counted")
	}
}

func TestQuantile(t *testing.T) {
	var h hist
	for i := range int64(1_000) {
		h.add((i + 1) * 1_000_000)
	}
	for q, want := range map[float64]float64{0.5: 500e6, 0.99: 990e6, 1: 1000e6} {
		if got := h.quantile(q); got < want || got > want*1.09 {
			t.Errorf("quantile %v = %v, want about %v", q, got, want)
		}
	}
}

// TestTable takes medians, names failures and says when a run was a quick one.
func TestTable(t *testing.T) {
	o := runOptions{mode: quick, repeat: 1, window: time.Second}
	list := results{
		{Scenario: "one-50k", Server: "gws", Round: 1, result: result{MicrosPer: 3, PerSecond: 10}},
		{Scenario: "one-50k", Server: "gws", Round: 2, result: result{MicrosPer: 1, PerSecond: 30}},
		{Scenario: "one-50k", Server: "gws", Round: 3, result: result{MicrosPer: 2, PerSecond: 20}},
		{Scenario: "one-50k", Server: "swapcast", Round: 1, result: result{MicrosPer: 1, PerSecond: 10}},
		{Scenario: "one-50k", Server: "swapcast", Round: 2, result: result{MicrosPer: 0.25, PerSecond: 10}},
		{Scenario: "one-50k", Server: "swapcast", Round: 3, Error: "gone"},
		{Scenario: "one-50k", Server: "nats", Error: "gone"},
		{Scenario: "idle", Server: "gws", Round: 1, IdleKB: 9.5},
		{Scenario: "idle", Server: "swapcast", Round: 1, IdleKB: 19},
	}
	plan, err := o.plan(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := markdown(list, plan, o, "0.1")
	for _, want := range []string{
		"| gws | 2.00 | 3.50 | 0 | 20 |", "| nats | failed: gone |", "| node-ws | not run |", "| gws | 9.5 | 0.50 |", "| gws | 3.50 | - | - | - | 0.50 |", "measures nothing",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestSubscriptionsAreEven(t *testing.T) {
	count := make(map[int]int)
	for i := range 10_000 {
		for _, token := range tokensOf(i, 10, 100) {
			count[token]++
		}
	}
	for token, n := range count {
		if n != 1_000 {
			t.Errorf("token %d has %d followers", token, n)
		}
	}
}

// A plan has what was named and nothing else, and refuses what it does not know.
func TestPlan(t *testing.T) {
	o := runOptions{mode: full}
	plan, err := o.plan([]string{"gobwas", "swapcast"}, []string{"ten-each", "one-300k"})
	if err != nil || len(plan) != 2 || fmt.Sprint(plan[0].servers, plan[1].servers) != "[swapcast gobwas] [swapcast]" {
		t.Errorf("%v, %v", plan, err)
	}
	for _, bad := range [][2][]string{{{"gopher"}, nil}, {nil, {"one-50k", "one-51k"}}} {
		if _, err := o.plan(bad[0], bad[1]); err == nil {
			t.Errorf("%v passed", bad)
		}
	}
	if o.setMode("slow") == nil {
		t.Error("a mode that is none passed")
	}
}
