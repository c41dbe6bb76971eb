package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// truthOf reads what --truth wrote: the signatures of each slot that landed, of
// transactions that are neither votes nor failed, and how often each landed.
func truthOf(t *testing.T, path string) map[string][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make(map[string][]string)
	for dec := json.NewDecoder(f); ; {
		var l faults.Truth
		err := dec.Decode(&l)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the server is still writing
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if l.Kind == faults.TruthTx && !l.Vote && !l.Failed {
			slot := strconv.FormatUint(l.Slot, 10)
			out[slot] = append(out[slot], base64.StdEncoding.EncodeToString(l.Signature[:]))
		}
	}
}

// TestYellowstoneClientFromNPMRecovers has the client that others wrote live
// through our server's faults, and compares what it got with the truth. Where
// history is lost no client can have it all: there it must go on, and miss no
// slot but those around the fault.
func TestYellowstoneClientFromNPMRecovers(t *testing.T) {
	for name, c := range map[string]struct {
		faults string
		lossy  bool
	}{
		"cut with a status":        {"- cut: {after_slots: 6, times: 2}", false},
		"cut without a word":       {"- cut: {after_slots: 6, times: 2, with: TCP}", false},
		"lagged":                   {"- lagged: {after_slots: 6, times: 1}", false},
		"half-open, then broken":   {"- half_open: {after_slots: 6, times: 1, for: 1500ms}", false},
		"a message cut short":      {"- corrupt: {after_slots: 6, times: 1, how: truncated}", false},
		"from_slot not supported":  {"- cut: {after_slots: 6, times: 1}\n- refuse_from_slot: {rate: 1, times: 3}", false},
		"no replay response":       {"- cut: {after_slots: 6, times: 1}\n- refuse_from_slot: {rate: 1, times: 3, with: failed}", false},
		"no streams left":          {"- cut: {after_slots: 6, times: 1}\n- resource_exhausted: {at: 1s, for: 3s}", false},
		"from_slot out of range":   {"- cut: {after_slots: 6, times: 1}\n- refuse_from_slot: {with: out_of_range}", true},
		"history forgotten":        {"- cut: {after_slots: 6, times: 1, scope: server}\n- forget_history: {after_slots: 6}", true},
		"restart, shorter history": {"- restart: {after_slots: 25, down: 300ms}", true},
		// Not block_meta_early: this client drops what comes after a slot's meta.
		"twice, out of order, late": {"- duplicate: {rate: 0.2}\n- reorder: {rate: 0.5}\n- late: {by: 200ms}\n- cut: {after_slots: 12}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			script, truth := filepath.Join(dir, "faults.yaml"), filepath.Join(dir, "truth.jsonl")
			if err := os.WriteFile(script, []byte("seed: 1\nendpoint:\n"+c.faults+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			address, _ := geyserProcess(t, "--source", "market:?seed=3&tps=40", "--speed", "4", "--listen", "127.0.0.1:0",
				"--faults", script, "--truth", truth)
			client := startNPM(t, address, "")
			slots := func() int {
				seen := make(map[string]bool)
				for _, l := range client.seen {
					if l.Kind == "block_meta" {
						seen[l.Slot] = true
					}
				}
				return len(seen)
			}
			client.until(t, "30 slots", func() bool { return slots() >= 30 })
			compareWithTruth(t, client, truthOf(t, truth), c.lossy)
		})
	}
}

// compareWithTruth compares the slots between the first and the last that the
// client has. A lossy run may lack some slots or parts of them.
func compareWithTruth(t *testing.T, c *npmClient, truth map[string][]string, lossy bool) {
	t.Helper()
	got := make(map[string][]string)
	first := ""
	for _, l := range c.seen {
		if l.Kind != "transaction" {
			continue
		}
		if first == "" {
			first = l.Slot
		}
		got[l.Slot] = append(got[l.Slot], l.Signature)
	}
	whole, wrong, repeats := 0, 0, 0
	for slot, want := range truth {
		if slot <= first || slot >= c.lastSlot() {
			continue // begun or ended in the middle
		}
		list := slices.Clone(got[slot])
		slices.Sort(list)
		repeats += len(list) - len(slices.Compact(slices.Clone(list)))
		list = slices.Compact(list)
		slices.Sort(want)
		if slices.Equal(list, want) {
			whole++
			continue
		}
		wrong++
		if !lossy {
			t.Errorf("slot %s: %d transactions, the truth has %d", slot, len(list), len(want))
		}
	}
	if whole < 20 || wrong > 12 {
		t.Errorf("%d slots are whole, %d not", whole, wrong)
	}
	t.Logf("%d slots whole, %d not; %d transactions came twice", whole, wrong, repeats)
}
