package ledger_test

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast/ledger"
)

// TestParts has one case for each rule about an endpoint whose keys are split over
// streams.
func TestParts(t *testing.T) {
	type rule struct {
		opt    ledger.Options
		script string
		steps  []string
		check  uint64            // the checkpoint afterwards
		blamed map[string]uint64 // disagreements by endpoint
		wrong  uint64            // slots that were confirmed unproved
	}
	for name, c := range map[string]rule{
		"each part must have it": {script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x
			tx a1 101 z
			confirmed a1 100 parent=99
			tx a2 100 y
			tick 2000
			confirmed a2 100 parent=99`, steps: []string{"apply x@100", "apply z@101", "apply y@100", "confirm 100 [x,y]"}, check: 100},
		"nothing is owed before the part that came last": {script: `
			began a1 100 part=0 parts=2
			tx a1 100 x
			confirmed a1 100 parent=99
			began a2 102 part=1 parts=2
			tx a1 101 y
			tx a1 102 z
			tx a2 102 w
			confirmed a1 101 parent=100
			confirmed a1 102 parent=101
			confirmed a2 102 parent=101`, steps: []string{"apply x@100", "apply y@101", "confirm 100 [x]", "apply z@102", "apply w@102", "confirm 101 [y]", "confirm 102 [z,w]"}, check: 102},
		"while a part is not there nothing is proved, and nothing lost": {opt: ledger.Options{HoldFor: 3 * time.Second}, script: `
			start 99
			began a1 100 part=0 parts=2
			tx a1 100 x
			confirmed a1 100 parent=99
			tick 2000
			tick 2000
			began a2 100 part=1 parts=2
			tx a2 100 y
			tick 10
			confirmed a2 100`, steps: []string{"apply x@100", "confirm 100 [x]", "late y@100 false"}, check: 100, wrong: 1},
		"who fills is asked meanwhile": {opt: ledger.Options{Fills: true}, script: `
			start 99
			began a1 100 part=0 parts=2
			tx a1 100 x
			confirmed a1 100 parent=99
			tick 10
			tick 1000
			tx rpc 100 x
			tx rpc 100 y
			filled 100`, steps: []string{"apply x@100", "missing 100..100", "apply y@100", "confirm 100 [x,y]"}, check: 100},
		"a quiet part holds a slot no longer than HoldFor, and its next transaction proves all": {opt: ledger.Options{Fills: true, HoldFor: 3 * time.Second}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x
			confirmed a1 100 parent=99
			confirmed a2 100 parent=99
			tx a1 101 y
			confirmed a1 101 parent=100
			confirmed a2 101 parent=100
			tick 2000
			tick 1500
			tx a2 105 z`, steps: []string{"apply x@100", "apply y@101", "confirm 100 [x]", "confirm 101 [y]", "apply z@105"}, check: 101, wrong: 2},
		"a cut part proves nothing more, and what follows it must begin in time": {opt: ledger.Options{Fills: true}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x
			tx a2 101 y
			confirmed a2 100 parent=99
			ended a2
			confirmed a1 100 parent=99
			began a3 101 part=1 parts=2
			tick 10
			tick 1000`, steps: []string{"apply x@100", "apply y@101", "missing 100..100"}, check: 99},
		"a part may be proved by either of two streams": {script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			began a3 101 part=1 parts=2
			tx a1 100 x
			tx a2 100 y
			tx a1 101 z
			tx a3 101 w
			confirmed a1 100 parent=99
			confirmed a2 100 parent=99
			confirmed a1 101 parent=100
			ended a2
			confirmed a3 101 parent=100`, steps: []string{"apply x@100", "apply y@100", "apply z@101", "apply w@101", "confirm 100 [x,y]", "confirm 101 [z,w]"}, check: 101},
		"a transaction of two parts counts once and is nobody's lie": {opt: ledger.Options{Fills: true}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x bank=3
			tx a2 100 x bank=3
			tx a1 100 y bank=3
			tx a2 100 z bank=3
			confirmed a1 100 bank=3
			confirmed a2 100 bank=3`, steps: []string{"apply x@100", "apply y@100", "apply z@100", "confirm 100 [x,y,z]"}, check: 100},
		"the same without bank ids": {opt: ledger.Options{Fills: true}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x
			tx a2 100 x
			tx a1 100 y
			tx a2 100 z
			confirmed a1 100
			confirmed a2 100`, steps: []string{"apply x@100", "apply y@100", "apply z@100", "confirm 100 [x,y,z]"}, check: 100},
		"a part is not blamed for what another one brings": {opt: ledger.Options{Fills: true}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			began b1 100
			tx a1 100 x
			tx b1 100 x
			tx b1 100 y
			confirmed a1 100
			confirmed b1 100
			tx a2 100 y
			confirmed a2 100`, steps: []string{"apply x@100", "apply y@100", "confirm 100 [x,y]"}, check: 100},
		"nor while it is quiet, but RPC is asked": {opt: ledger.Options{Fills: true}, script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			began b1 100
			tx a1 100 x
			tx b1 100 x
			tx b1 100 y
			confirmed a1 100
			confirmed a2 100
			confirmed b1 100
			tx rpc 100 y`, steps: []string{"apply x@100", "apply y@100", "disputed y@100", "confirm 100 [x,y]"}, check: 100},
		"all parts together are": {script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			began b1 100
			tx a1 100 x
			tx b1 100 x
			tx b1 100 y
			tx a2 101 z
			confirmed b1 100
			confirmed a1 100
			confirmed a2 100`, steps: []string{"apply x@100", "apply y@100", "apply z@101", "confirm 100 [x,y]"}, check: 100, blamed: map[string]uint64{"a": 1}},
		"divided anew: the newest division counts": {script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			began a1 100 part=0 parts=2
			began a2 101 part=1 parts=2
			tx a1 101 y
			confirmed a1 101 parent=100
			tx a2 101 z
			confirmed a2 101 parent=100`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply z@101", "confirm 101 [y,z]"}, check: 101},
		"a stream of another division does not count until it says the new one": {script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			began a3 100 part=2 parts=3
			began a1 100 part=0 parts=3
			tx a1 100 x
			tx a2 100 y
			tx a3 100 z
			confirmed a1 100
			confirmed a2 100
			confirmed a3 100
			tx a1 101 w
			began a2 100 part=1 parts=3
			tick 10`, steps: []string{"apply x@100", "apply y@100", "apply z@100", "apply w@101", "confirm 100 [x,y,z]"}, check: 100},
		"RPC is not asked where an endpoint has not shown that it brings transactions": {opt: ledger.Options{Fills: true}, script: `
			began a1 100
			began b1 100
			tx b1 100 y
			confirmed a1 100
			confirmed b1 100`, steps: []string{"apply y@100", "confirm 100 [y]"}, check: 100},
		"divided into fewer: what both confirmed is proved by the word that says so": {script: `
			began a1 100 part=0 parts=2
			began a2 100 part=1 parts=2
			tx a1 100 x
			confirmed a1 100 parent=99
			ended a2
			began a1 100
			tick 10`, steps: []string{"apply x@100", "confirm 100 [x]"}, check: 100},
		"a part that cannot be proves nothing": {opt: ledger.Options{HoldFor: time.Second}, script: `
			began a1 100 part=2 parts=2
			tx a1 100 x
			confirmed a1 100
			tick 900`, steps: []string{"apply x@100"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opt.Corroborate == 0 {
				c.opt.Corroborate = -1
			}
			if c.blamed != nil { // the word of those to blame is waited for
				c.opt.Corroborate = time.Second
			}
			b := newBook(t, c.opt)
			b.want(c.script, c.steps...)
			if got := b.l.Checkpoint(); got != c.check {
				t.Errorf("checkpoint %d, want %d", got, c.check)
			}
			st := b.l.Stats()
			for _, e := range st.Endpoints {
				if e.Disagreements != c.blamed[e.Endpoint] {
					t.Errorf("%s: %d disagreements, want %d", e.Endpoint, e.Disagreements, c.blamed[e.Endpoint])
				}
			}
			if st.Disputed != 0 || st.Unproved != c.wrong {
				t.Errorf("%d disputed, %d unproved, want 0 and %d", st.Disputed, st.Unproved, c.wrong)
			}
		})
	}
}
