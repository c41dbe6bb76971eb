package ledger_test

import (
	"testing"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/ledger"
)

// lyingLink is the beginning of cases in which endpoint a leaves slot 101 out.
const lyingLink = `
	began a1 100
	began b1 100
	tx a1 100 x
	tx b1 100 x
	confirmed a1 100 parent=99
	confirmed b1 100 parent=99
	tx b1 101 y
	processed b1 101 parent=100
	tx a1 102 z
	tx b1 102 z
	processed b1 102 parent=101
	confirmed a1 102 parent=100`

func lyingSteps() []string {
	return []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply z@102"}
}

// TestRules has one case for each rule: what is heard, and the steps.
func TestRules(t *testing.T) {
	type rule struct {
		opt    ledger.Options
		script string
		steps  []string
		check  uint64 // the checkpoint afterwards
	}
	fills := ledger.Options{Fills: true}
	for name, c := range map[string]rule{
		"one stream, plain": {script: `
			began a1 100
			tx a1 100 x index=2
			tx a1 100 w index=1
			processed a1 100 parent=99
			tx a1 101 y
			confirmed a1 100 parent=99
			confirmed a1 101 parent=100
			tx a1 102 z`, steps: []string{"apply x@100", "apply w@100", "apply y@101", "confirm 100 [w,x]", "confirm 101 [y]", "apply z@102"}, check: 101},
		"two endpoints, once": {script: `
			began a1 100
			began b1 100
			tx a1 100 x bank=7
			tx b1 100 x bank=12
			tx b1 100 y bank=12
			tx a1 100 y bank=7
			tx a1 101 z bank=8
			confirmed a1 100 bank=7
			tx b1 101 z bank=13
			confirmed b1 100 bank=12`, steps: []string{"apply x@100", "apply y@100", "apply z@101", "confirm 100 [x,y]"}, check: 100},
		"dead slot": {script: `
			began a1 100
			tx a1 101 x bank=3
			dead a1 101 bank=3
			tx a1 101 y bank=3`, steps: []string{"apply x@101", "retract dead x@101"}, check: 99},
		"dead at one endpoint only": {script: `
			began a1 100
			began b1 100
			tx a1 101 x bank=3
			tx b1 101 x bank=4
			tx b1 101 y bank=4
			dead b1 101 bank=4`, steps: []string{"apply x@101", "apply y@101", "retract dead y@101"}, check: 99},
		"dead after confirmed elsewhere": {script: `
			began a1 100
			began b1 100
			tx a1 100 x bank=3
			tx b1 100 x bank=4
			tx a1 101 q bank=3
			confirmed a1 100 bank=3
			dead b1 100 bank=4`, steps: []string{"apply x@100", "apply q@101", "confirm 100 [x]"}, check: 100},
		"dead, sent again in another bank, confirmed": {script: `
			began a1 100
			tx a1 100 x bank=3
			dead a1 100 bank=3
			tx a1 100 x bank=5
			tx a1 100 y bank=5
			tx a1 101 z bank=6
			confirmed a1 100 bank=5`, steps: []string{"apply x@100", "retract dead x@100", "apply x@100", "apply y@100", "apply z@101", "confirm 100 [x,y]"}, check: 100},
		"dead, sent again without bank ids: counts once it is processed": {script: `
			began a1 100
			tx a1 100 x
			dead a1 100
			tx a1 100 y
			processed a1 100
			tx a1 101 z
			confirmed a1 100`, steps: []string{"apply x@100", "retract dead x@100", "apply y@100", "apply z@101", "confirm 100 [y]"}, check: 100},
		"a straggler after a death, without bank ids, does not count": {script: `
			began a1 100
			tx a1 101 x
			dead a1 101
			tx a1 101 y`, steps: []string{"apply x@101", "retract dead x@101"}, check: 99},
		"another stream replays a bank that died, without bank ids": {script: `
			began a1 100
			tx a1 100 x
			dead a1 100
			tx a1 100 y
			processed a1 100
			ended a1
			began a2 100
			tx a2 100 x
			dead a2 100
			tx a2 100 y
			tx a2 101 z
			confirmed a2 100`, steps: []string{"apply x@100", "retract dead x@100", "apply y@100", "apply x@100", "retract dead x@100", "apply z@101", "confirm 100 [y]"}, check: 100},
		"a stream that began later proves nothing before": {script: `
			began a1 100
			began b1 101
			tx b1 100 x
			confirmed b1 100
			tx a1 100 y
			confirmed a1 100`, steps: []string{"apply x@100", "apply y@100", "confirm 100 [x,y]"}, check: 100},
		"the word of a stream that was cut is not the next one's": {script: `
			began a1 100
			confirmed a1 100
			ended a1
			began a2 100
			tx a2 100 x
			confirmed a2 100`, steps: []string{"apply x@100", "confirm 100 [x]"}, check: 100},
		"a false dead without bank ids, then confirmed": {script: `
			began a1 100
			tx a1 100 x
			dead a1 100
			tx a1 101 z
			confirmed a1 100`, steps: []string{"apply x@100", "retract dead x@100", "apply z@101", "apply x@100", "confirm 100 [x]"}, check: 100},
		"two banks of a slot, one confirmed": {script: `
			began a1 100
			tx a1 100 x bank=3
			tx a1 100 y bank=3
			tx a1 100 x bank=4
			tx a1 100 z bank=4
			tx a1 101 q bank=9
			confirmed a1 100 bank=4`, steps: []string{"apply x@100", "apply y@100", "apply z@100", "apply q@101", "retract dead y@100", "confirm 100 [x,z]"}, check: 100},
		"two banks differ in content: the confirmed one's": {script: `
			began a1 100
			tx a1 100 x bank=3 amount=5
			tx a1 100 x bank=4 amount=6
			tx a1 101 q bank=9
			confirmed a1 100 bank=4`, steps: []string{"apply x@100", "apply q@101", "retract disputed x@100", "apply x@100", "confirm 100 [x]"}, check: 100},
		"left aside": {script: `
			began a1 100
			tx a1 100 x
			tx a1 101 fork
			tx a1 102 y
			confirmed a1 100 parent=99
			tx a1 103 z
			confirmed a1 102 parent=100`, steps: []string{"apply x@100", "apply fork@101", "apply y@102", "confirm 100 [x]", "apply z@103", "retract aside fork@101", "confirm 102 [y]"}, check: 102},
		"one endpoint's link against another's: the second confirms in time": {script: lyingLink + `
			tick 1900
			confirmed b1 101
			confirmed b1 102`, steps: append(lyingSteps(), "confirm 101 [y]", "confirm 102 [z]"), check: 102},
		"one endpoint's link against another's: nobody confirms what it leaves out": {script: lyingLink + `
			tick 1900
			tick 100`, steps: append(lyingSteps(), "retract aside y@101", "confirm 102 [z]"), check: 102},
		"one endpoint's link against another's: a third one says the same": {script: lyingLink + `
			began c1 100
			processed c1 102 parent=100`, steps: append(lyingSteps(), "retract aside y@101", "confirm 102 [z]"), check: 102},
		"one endpoint's link against another's: RPC says the same": {opt: fills, script: lyingLink + `
			block rpc 102 parent=100`, steps: append(lyingSteps(), "retract aside y@101", "confirm 102 [z]"), check: 102},
		"one endpoint's link against another's, which is cut": {script: lyingLink + `
			ended b1
			tick 1`, steps: append(lyingSteps(), "retract aside y@101", "confirm 102 [z]"), check: 102},
		"a link leaves out what another endpoint has confirmed": {script: `
			began a1 100
			began b1 100
			tx a1 100 x
			tx a1 101 y
			tx b1 101 y
			tx b1 102 z
			confirmed a1 100 parent=99
			confirmed b1 102
			tx a1 103 w
			confirmed a1 103 parent=100
			block b1 102 parent=101
			tx b1 103 w
			confirmed b1 101 parent=100
			confirmed b1 103 parent=102`, steps: []string{"apply x@100", "apply y@101", "apply z@102", "confirm 100 [x]", "apply w@103", "confirm 101 [y]", "confirm 102 [z]", "confirm 103 [w]"}, check: 103},
		"a missing link retracts nothing and waits": {script: `
			began a1 100
			tx a1 100 x
			tx a1 101 maybe
			tx a1 102 y
			confirmed a1 100 parent=99
			confirmed a1 102
			tick 900`, steps: []string{"apply x@100", "apply maybe@101", "apply y@102", "confirm 100 [x]"}, check: 100},
		"the link comes with a block meta": {script: `
			began a1 100
			tx a1 100 x
			tx a1 101 fork
			tx a1 102 y
			confirmed a1 100 parent=99
			confirmed a1 102
			block a1 102 parent=100`, steps: []string{"apply x@100", "apply fork@101", "apply y@102", "confirm 100 [x]", "retract aside fork@101", "confirm 102 [y]"}, check: 102},
		"the link comes with an earlier stage": {script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			created a1 102 parent=100 bank=7
			tx a1 102 y bank=7
			confirmed a1 102 bank=7`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@102", "confirm 102 [y]"}, check: 102},
		"an ancestor is confirmed by its child": {opt: ledger.Options{HoldFor: time.Second}, script: `
			began a1 100
			tx a1 100 x
			processed a1 100 parent=99
			tx a1 101 y
			processed a1 101 parent=100
			tx a1 102 z
			confirmed a1 102 parent=101
			tick 500
			confirmed a1 101
			confirmed a1 100`, steps: []string{"apply x@100", "apply y@101", "apply z@102", "confirm 100 [x]", "confirm 101 [y]", "confirm 102 [z]"}, check: 102},
		"confirmed out of order": {script: `
			began a1 100
			tx a1 100 x
			processed a1 100 parent=99
			tx a1 101 y
			processed a1 101 parent=100
			confirmed a1 101
			confirmed a1 100`, steps: []string{"apply x@100", "apply y@101", "confirm 100 [x]", "confirm 101 [y]"}, check: 101},
		"finalized without confirmed": {script: `
			began a1 100
			tx a1 100 x
			tx a1 101 y
			finalized a1 100 parent=99`, steps: []string{"apply x@100", "apply y@101", "confirm 100 [x]"}, check: 100},
		"empty slots are confirmed too": {script: `
			began a1 100
			confirmed a1 100 parent=99
			confirmed a1 101 parent=100
			tx a1 102 x`, steps: []string{"apply x@102", "confirm 100 []", "confirm 101 []"}, check: 101},
		"slot updates alone prove nothing": {opt: ledger.Options{HoldFor: 5 * time.Second}, script: `
			began a1 100
			confirmed a1 100 parent=99
			confirmed a1 101 parent=100
			tick 4000
			tick 1000`, steps: []string{"confirm 100 []", "confirm 101 []"}, check: 99},
		"a cut stream proves nothing": {opt: ledger.Options{Fills: true, HoldFor: time.Minute}, script: `
			began a1 100
			confirmed a1 100 parent=99
			ended a1
			began a2 102
			tx a2 102 x
			confirmed a2 102 parent=101
			tick 10
			tick 1000
			tick 1000`, steps: []string{"apply x@102", "missing 100..101"}, check: 99},
		"filled": {opt: fills, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			ended a1
			began a2 103
			tx a2 103 z
			confirmed a2 103 parent=102
			tick 10
			tick 1000
			tx rpc 101 y index=5
			block rpc 101 parent=100
			filled 101
			block rpc 102 parent=101
			filled 102`, steps: []string{"apply x@100", "confirm 100 [x]", "apply z@103", "missing 101..102", "apply y@101", "confirm 101 [y]", "confirm 102 []", "confirm 103 [z]"}, check: 103},
		"skipped by RPC": {opt: fills, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			tx a1 101 y
			ended a1
			began a2 102
			tx a2 102 z
			confirmed a2 102
			tick 10
			tick 1000
			skipped 101`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply z@102", "missing 101..101", "retract skipped y@101", "confirm 102 [z]"}, check: 102},
		"RPC fills what the stream had in part, and not all of it": {opt: fills, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			tx a1 101 y
			tx a1 101 ghost
			ended a1
			tx rpc 101 y
			tx rpc 101 more
			block rpc 101 parent=100
			filled 101`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply ghost@101", "apply more@101", "retract absent ghost@101", "confirm 101 [y,more]"}, check: 101},
		"no filler: a gap after the grace, and nothing waits": {script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			ended a1
			began a2 105
			tx a2 105 z
			confirmed a2 105
			tick 10
			tick 1000`, steps: []string{"apply x@100", "confirm 100 [x]", "apply z@105", "gap no_backfill 101..104", "confirm 105 [z]"}, check: 105},
		"lost": {opt: fills, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			ended a1
			began a2 105
			tx a2 105 z
			confirmed a2 105
			tick 10
			tick 1000
			filled 101
			lost 101 104 out_of_range`, steps: []string{"apply x@100", "confirm 100 [x]", "apply z@105", "missing 101..104", "confirm 101 []", "gap out_of_range 102..104", "confirm 105 [z]"}, check: 105},
		"asked again": {opt: ledger.Options{Fills: true, AskAgain: 3 * time.Second}, script: `
			start 99
			began a1 101
			tx a1 101 x
			confirmed a1 101
			tick 10
			tick 1000
			tick 1000
			tick 2000`, steps: []string{"apply x@101", "missing 100..100", "missing 100..100"}, check: 99},
		"a slot that the stream passed over is missing": {opt: fills, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			tx a1 102 z
			confirmed a1 102 parent=101
			tick 10
			tick 1000
			tx rpc 101 y
			block rpc 101 parent=100
			filled 101`, steps: []string{"apply x@100", "confirm 100 [x]", "apply z@102", "missing 101..101", "apply y@101", "confirm 101 [y]", "confirm 102 [z]"}, check: 102},
		"a restart knows what is missing": {opt: fills, script: `
			start 99
			began a1 102
			tx a1 99 old
			tx a1 102 x
			confirmed a1 102 parent=101
			tick 10
			tick 1000
			block rpc 100 parent=99
			filled 100
			tx rpc 101 y
			block rpc 101 parent=100
			filled 101`, steps: []string{"apply x@102", "missing 100..101", "confirm 100 []", "apply y@101", "confirm 101 [y]", "confirm 102 [x]"}, check: 102},
		"held no longer than HoldFor, then late": {opt: ledger.Options{Fills: true, HoldFor: 3 * time.Second}, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			ended a1
			began a2 102
			tx a2 102 z
			confirmed a2 102 parent=101
			tick 10
			tick 3000
			tx rpc 101 y
			filled 101`, steps: []string{"apply x@100", "confirm 100 [x]", "apply z@102", "missing 101..101", "confirm 101 []", "confirm 102 [z]", "late y@101 false"}, check: 102},
		"one signature in two slots": {script: `
			began a1 100
			tx a1 101 x bank=3
			tx a1 102 x bank=4
			dead a1 101 bank=3
			tx a1 103 q bank=5
			confirmed a1 102 parent=100 bank=4`, steps: []string{"apply x@101", "retract dead x@101", "apply x@102", "apply q@103"}, check: 99},
		"a later slot has it first, the confirmed one takes it": {script: `
			began a1 100
			tx a1 101 x bank=3
			tx a1 100 x bank=4
			confirmed a1 100 bank=4
			tx a1 101 y bank=3`, steps: []string{"apply x@101", "retract moved x@101", "apply x@100", "confirm 100 [x]", "apply y@101"}, check: 100},
		"confirmed in one slot, it does not count in another": {script: `
			began a1 100
			tx a1 100 x
			tx a1 101 x
			confirmed a1 100
			confirmed a1 101 parent=100`, steps: []string{"apply x@100", "confirm 100 [x]", "confirm 101 []"}, check: 101},
		"copies differ, no filler: the higher authority": {script: `
			began a1 100
			began b1 100
			tx b1 100 x amount=6
			tx a1 100 x amount=5
			tx a1 101 q`, steps: []string{"apply x@100", "retract disputed x@100", "apply x@100", "apply q@101"}, check: 99},
		"copies differ, no filler: the majority, whose word is waited for": {script: `
			began a1 100
			began b1 100
			began c1 100
			tx a1 100 x amount=5
			tx b1 100 x amount=6
			tx a1 101 q
			confirmed a1 100
			confirmed b1 100
			tx c1 100 x amount=6
			confirmed c1 100`, steps: []string{"apply x@100", "apply q@101", "retract disputed x@100", "apply x@100", "confirm 100 [x]"}, check: 100},
		"copies differ: RPC decides": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x amount=5
			tx b1 100 x amount=6
			tx a1 101 q
			confirmed a1 100
			tx rpc 100 x amount=6`, steps: []string{"apply x@100", "apply q@101", "disputed x@100", "retract disputed x@100", "apply x@100", "confirm 100 [x]"}, check: 100},
		"copies differ, RPC will decide: what was told stands until then": {opt: fills, script: `
			began a1 100
			began b1 100
			tx b1 100 x amount=6
			tx a1 100 x amount=5
			tx a1 101 q
			tx b1 101 q
			confirmed a1 100
			confirmed b1 100
			tx rpc 100 x amount=6`, steps: []string{"apply x@100", "apply q@101", "disputed x@100", "confirm 100 [x]"}, check: 100},
		"a slot behind one that waits is asked about at once": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x amount=5
			tx b1 100 x amount=6
			tx a1 101 y amount=5
			tx b1 101 y amount=6
			tx a1 102 q
			tx b1 102 q
			confirmed a1 100
			confirmed b1 100
			confirmed a1 101 parent=100
			confirmed b1 101 parent=100
			tx rpc 101 y amount=5
			tx rpc 100 x amount=5`, steps: []string{"apply x@100", "apply y@101", "apply q@102", "disputed x@100", "disputed y@101", "confirm 100 [x]", "confirm 101 [y]"}, check: 101},
		"copies differ and RPC is silent: no longer than DisputeFor": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x amount=5
			tx b1 100 x amount=6
			tx a1 101 q
			confirmed a1 100
			tick 1000
			tick 1000`, steps: []string{"apply x@100", "apply q@101", "disputed x@100", "confirm 100 [x]"}, check: 100},
		"copies differ and RPC is down: two seconds, whatever DisputeFor": {opt: ledger.Options{Fills: true, DisputeFor: 9 * time.Second}, script: `
			began a1 100
			began b1 100
			tx a1 100 x amount=5
			tx b1 100 x amount=6
			tx a1 101 q amount=5
			tx b1 101 q amount=6
			confirmed a1 100
			tick 2000
			filler down
			tick 1
			filler up
			tx a1 102 z
			confirmed a1 101 parent=100
			tick 8999`, steps: []string{"apply x@100", "apply q@101", "disputed x@100", "confirm 100 [x]", "apply z@102", "disputed q@101"}, check: 100},
		"invented: RPC knows nothing of it": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x
			tx b1 100 x
			tx b1 100 ghost
			tx a1 101 q
			confirmed a1 100
			absent 100 ghost`, steps: []string{"apply x@100", "apply ghost@100", "apply q@101", "disputed ghost@100", "retract absent ghost@100", "confirm 100 [x]"}, check: 100},
		"on one endpoint only, which has yet to confirm": {script: `
			began a1 100
			began b1 100
			tx b1 100 y
			tx a1 100 x
			tx a1 101 q
			confirmed a1 100
			tick 100
			confirmed b1 100`, steps: []string{"apply y@100", "apply x@100", "apply q@101", "confirm 100 [y,x]"}, check: 100},
		"on one endpoint only, whose bank dies": {script: `
			began a1 100
			began b1 100
			tx b1 100 y bank=4
			tx a1 100 x bank=3
			tx a1 101 q
			confirmed a1 100 bank=3
			dead b1 100 bank=4`, steps: []string{"apply y@100", "apply x@100", "apply q@101", "retract dead y@100", "confirm 100 [x]"}, check: 100},
		"on one endpoint only, which stays silent, then confirms": {script: `
			began a1 100
			began b1 100
			tx b1 100 y
			tx a1 100 x
			tx a1 101 q
			confirmed a1 100
			tick 2000
			confirmed b1 100`, steps: []string{"apply y@100", "apply x@100", "apply q@101", "retract unconfirmed y@100", "confirm 100 [x]", "late y@100 false"}, check: 100},
		"omitted by the one that proved the slot": {script: `
			began a1 100
			began b1 100
			tx a1 100 x
			tx a1 101 q
			confirmed a1 100
			tx b1 100 x
			tx b1 100 y
			confirmed b1 100`, steps: []string{"apply x@100", "apply q@101", "confirm 100 [x]", "late y@100 false"}, check: 100},
		"omitted, and RPC is asked first": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x
			tx a1 101 q
			confirmed a1 100
			tx b1 100 y
			confirmed b1 100
			tx rpc 100 y`, steps: []string{"apply x@100", "apply q@101", "confirm 100 [x]", "disputed y@100", "late y@100 false"}, check: 100},
		"omitted, and RPC says nothing": {opt: fills, script: `
			began a1 100
			began b1 100
			tx a1 100 x
			tx a1 101 q
			confirmed a1 100
			tx b1 100 y
			confirmed b1 100
			tick 1000
			tick 1500`, steps: []string{"apply x@100", "apply q@101", "confirm 100 [x]", "disputed y@100", "late y@100 false"}, check: 100},
		"a passed slot turns out to be in the chain": {opt: ledger.Options{HoldFor: time.Second, MissingGrace: time.Hour}, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			tx a1 101 y
			tx a1 102 z
			confirmed a1 102
			tick 10
			tick 1000
			block a1 102 parent=101`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply z@102", "confirm 102 [z]", "late y@101 true"}, check: 100},
		"a passed slot turns out to be aside": {opt: ledger.Options{HoldFor: time.Second, MissingGrace: time.Hour}, script: `
			began a1 100
			tx a1 100 x
			confirmed a1 100 parent=99
			tx a1 101 y
			tx a1 102 z
			confirmed a1 102
			tick 10
			tick 1000
			block a1 102 parent=100`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "apply z@102", "confirm 102 [z]", "retract aside y@101"}, check: 102},
		"other streams are waited for": {opt: ledger.Options{Corroborate: 100 * time.Millisecond}, script: `
			began a1 100
			began b1 100
			tx b1 100 x amount=6
			confirmed b1 100
			tick 50
			tx a1 100 x amount=5
			confirmed a1 100`, steps: []string{"apply x@100", "retract disputed x@100", "apply x@100", "confirm 100 [x]"}, check: 100},
		"but not for long, and a slow one once": {opt: ledger.Options{Corroborate: 100 * time.Millisecond}, script: `
			began a1 100
			began b1 100
			tx b1 100 x
			confirmed b1 100
			tick 50
			tick 50
			tx b1 101 y
			confirmed b1 101 parent=100
			tx a1 101 y
			confirmed a1 101 parent=100
			tx b1 102 z
			confirmed b1 102 parent=101
			confirmed a1 102 parent=101
			tx b1 103 w
			confirmed b1 103 parent=102
			tick 10`, steps: []string{"apply x@100", "confirm 100 [x]", "apply y@101", "confirm 101 [y]", "apply z@102", "confirm 102 [z]", "apply w@103", "confirm 103 [w]"}, check: 103},
		"before the first whole slot nothing is owed": {script: `
			tx a1 99 part
			confirmed a1 98 parent=97
			began a1 100
			tx a1 100 x
			confirmed a1 99 parent=98
			confirmed a1 100 parent=99`, steps: []string{"apply part@99", "apply x@100", "confirm 98 []", "confirm 99 [part]", "confirm 100 [x]"}, check: 100},
	} {
		t.Run(name, func(t *testing.T) {
			if c.opt.Corroborate == 0 {
				c.opt.Corroborate = -1
			}
			b := newBook(t, c.opt)
			b.want(c.script, c.steps...)
			if got := b.l.Checkpoint(); got != c.check {
				t.Errorf("checkpoint %d, want %d", got, c.check)
			}
		})
	}
}

// TestLaserStream is the case of formats.md 5.5: the filter is silent for 15,000
// slots while slot updates go on, then the stream is cut. Nothing may count as
// proved, whatever was confirmed to the outside meanwhile.
func TestLaserStream(t *testing.T) {
	const silent = 15_000
	for _, cut := range []bool{true, false} {
		b := newBook(t, ledger.Options{Fills: true, HoldFor: time.Second})
		b.run("began a1 1000\ntx a1 1000 first")
		for s := uint64(1000); s < 1000+silent; s++ {
			b.slot("a1", s, s-1, 0, swapcast.SlotConfirmed)
			if s%8 == 0 {
				b.tick(2000)
			}
		}
		b.tick(1000)
		if got := b.l.Checkpoint(); got != 1000 {
			t.Fatalf("checkpoint %d after silence, want 1000", got)
		}
		if len(b.missing) > 0 {
			t.Fatalf("asked for %v while the stream ran", b.missing)
		}
		if n := uint64(len(b.slots)); n < silent-8 {
			t.Fatalf("only %d slots confirmed: held back by silence", n)
		}
		if cut { // all of it is owed
			b.run("ended a1\nbegan a2 16000\ntx a2 16000 second\nconfirmed a2 16000 parent=15999\ntick 10\ntick 1000")
			if want := [2]uint64{1001, 15999}; len(b.missing) != 1 || b.missing[0] != want {
				t.Errorf("missing %v, want %v", b.missing, want)
			}
		} else { // one transaction proves it all
			b.run("tx a1 15999 second\ntick 10")
			if got := b.l.Checkpoint(); got != 15999 {
				t.Errorf("checkpoint %d, want 15999", got)
			}
		}
	}
}
