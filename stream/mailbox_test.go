package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The mailbox against a model that is a plain list: until it conflates nothing
// is lost; then of each asset the newest is there, in order, and of trades, final
// candles and replies all are.
func TestMailbox(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.IntRange(1, 6).Draw(t, "bound")
		batch := rapid.Bool().Draw(t, "batch")
		subs := make([]*subscription, rapid.IntRange(1, 4).Draw(t, "assets"))
		for i := range subs {
			subs[i] = &subscription{}
		}
		var box mailbox
		type sent struct {
			sub *subscription
			seq int
		}
		var pushed, left, skipped, forgotten int
		newest := map[*subscription]int{} // pushed
		seen := map[*subscription]int{}   // popped
		frames := map[*frame]sent{}
		seq := 0
		finals := map[*subscription]int{} // pushed and not popped
		var keptOrder []*frame            // trades and replies, which all must leave in order
		push := func(k kind, sub *subscription) {
			seq++
			filler := strings.Repeat("x", rapid.SampledFrom([]int{0, 0, 3_000, 9_000, 20_000}).Draw(t, "size"))
			f := newFrame(k, 64, func(dst []byte) []byte { return fmt.Appendf(dst, `{"n":%d,"filler":%q}`, seq, filler) })
			frames[f] = sent{sub, seq}
			pushed++
			if sub == nil {
				keptOrder = append(keptOrder, f)
				box.push(f)
				return
			}
			newest[sub] = seq
			if k == kindFinal {
				finals[sub]++
				box.pushFinal(sub, f)
				return
			}
			skipped += box.pushPrice(sub, f, bound)
		}
		pop := func(n int) {
			for _, e := range box.queue[box.first : box.first+n] {
				s := frames[e.frame]
				if e.sub != s.sub && s.sub != nil {
					t.Fatalf("a price of another subscription")
				}
				if s.sub == nil {
					if keptOrder[0] != e.frame {
						t.Fatalf("a trade or reply out of order")
					}
					keptOrder = keptOrder[1:]
				} else {
					if s.seq <= seen[s.sub] {
						t.Fatalf("%d after %d", s.seq, seen[s.sub])
					}
					seen[s.sub] = s.seq
					if e.frame.kind == kindFinal {
						finals[s.sub]--
					}
				}
				left++
			}
			box.pop(n)
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0:
				push(kindTrade, nil)
			case 1:
				push(kindReply, nil)
			case 2, 3, 4:
				push(kindPrice, subs[rapid.IntRange(0, len(subs)-1).Draw(t, "asset")])
			case 7:
				push(kindFinal, subs[rapid.IntRange(0, len(subs)-1).Draw(t, "asset")])
			case 5:
				if box.len() == 0 {
					continue
				}
				b, marks := box.fill(nil, nil, formJSON, batch)
				n, total, at := 0, 0, 0
				for _, m := range marks {
					if m.messages > 1 && m.end-at > maxBatch+maxHeader {
						t.Fatalf("%d messages in a frame of %d bytes", m.messages, m.end-at)
					}
					at = m.end
					total += m.messages
				}
				if marks[len(marks)-1].end != len(b) || total > box.len() {
					t.Fatalf("%d bytes, %v, %d waiting", len(b), marks, box.len())
				}
				for _, m := range marks[:rapid.IntRange(0, len(marks)).Draw(t, "taken")] {
					n += m.messages
				}
				pop(n)
			case 6: // one subscription ends, another to the same asset begins
				i := rapid.IntRange(0, len(subs)-1).Draw(t, "ended")
				subs[i].ended = true
				delete(newest, subs[i])
				delete(finals, subs[i])
				n := 0
				for _, e := range box.queue[box.first:] {
					if e.sub == subs[i] {
						n++
					}
				}
				if got := box.forget(); got != n {
					t.Fatalf("forgot %d of %d", got, n)
				}
				forgotten += n
				subs[i] = &subscription{}
			}
			if box.counts[kindPrice] > max(bound, len(subs))+box.counts[kindFinal] {
				t.Fatalf("%d prices wait", box.counts[kindPrice])
			}
			if n := box.counts[kindPrice] + box.counts[kindTrade] + box.counts[kindFinal] + box.counts[kindReply]; n != box.len() || pushed != left+skipped+forgotten+n {
				t.Fatalf("pushed %d, left %d, skipped %d, forgotten %d, waiting %d", pushed, left, skipped, forgotten, n)
			}
		}
		pop(box.len())
		for sub, seq := range newest {
			if seen[sub] != seq {
				t.Fatalf("the newest was %d, the last to leave %d", seq, seen[sub])
			}
		}
		for sub, n := range finals {
			if n != 0 {
				t.Fatalf("%d final candles were lost, of %d", n, newest[sub])
			}
		}
		if len(keptOrder) != 0 || box.conflating || box.first != 0 {
			t.Fatalf("not empty: %+v", box)
		}
		for _, sub := range subs {
			if sub.slot != 0 {
				t.Fatalf("a slot is left: %d", sub.slot)
			}
		}
	})
}

// A mailbox that is never quite empty does not grow.
func TestMailboxStaysSmall(t *testing.T) {
	t.Parallel()
	var box mailbox
	f := newFrame(kindTrade, 8, func(dst []byte) []byte { return append(dst, "{}"...) })
	for range 10 {
		box.push(f)
	}
	for range 100_000 {
		box.push(f)
		box.pop(1)
	}
	if len(box.queue) > 4*maxLead || box.len() != 10 {
		t.Errorf("%d places for %d messages", len(box.queue), box.len())
	}
	box.clear()
	if box.queue != nil {
		t.Errorf("an empty mailbox keeps room for %d", cap(box.queue))
	}
}

func TestWheel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var w wheel
		due := map[*conn]time.Duration{}
		now := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		w.advance(now)
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				window := time.Duration(rapid.IntRange(1, 5000).Draw(t, "window")) * time.Millisecond
				c := &conn{window: window, phase: time.Duration(rapid.Int64Range(0, int64(window)-1).Draw(t, "phase"))}
				at := c.windowEnd(now)
				if at <= now || at > now+window || (at-c.phase)%window != 0 {
					t.Fatalf("window of %v, phase %v ends at %v, now %v", window, c.phase, at, now)
				}
				w.add(c, at)
				due[c] = at
			}
			wait, ok := w.next(now)
			if ok != (len(due) > 0) {
				t.Fatalf("next says %v, %d are due", ok, len(due))
			}
			if rapid.Bool().Draw(t, "punctual") && ok {
				now += wait
			} else {
				now += time.Duration(rapid.Int64Range(0, int64(7*time.Second)).Draw(t, "late"))
			}
			for _, c := range w.take(now) {
				if at, ok := due[c]; !ok || at > now {
					t.Fatalf("due at %v, came at %v", at, now)
				}
				delete(due, c)
			}
			for _, at := range due {
				if at+tick <= now {
					t.Fatalf("due at %v, and not there at %v", at, now)
				}
			}
			w.advance(now)
		}
	})
}
