package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

// playedTruth is the truth of a small chain with forks.
func playedTruth(t *testing.T) *truth {
	t.Helper()
	script, err := faults.Parse([]byte("seed: 1\nchain:\n- fork: {every_slots: 3}\n- banks: {every_slots: 4}\n- nonce_twice: {every_slots: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := sim.Options{Seed: 3, TPS: 100}
	owners, err := busiest(o, 3)
	if err != nil {
		t.Fatal(err)
	}
	truth := newTruth(owners)
	m, err := newMarket(o, truth, 400)
	if err != nil {
		t.Fatal(err)
	}
	begin := make(chan struct{})
	close(begin)
	chain := &tap{src: script.Chain(m, faults.ChainOptions{OnTruth: truth.tell}), truth: truth, begin: begin}
	for {
		if _, err := chain.Next(t.Context()); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if over, _ := truth.ended(); !over || truth.counts.swaps < 400 || truth.counts.losers == 0 || truth.counts.again == 0 || len(truth.balances) == 0 {
		t.Fatalf("the chain came to %+v", truth.counts)
	}
	return truth
}

// perfect is the book of a client that was told the truth.
func perfect(t *truth) *book {
	b := newBook("P", "processed", t, &t.problems)
	for key, fact := range t.trades {
		b.trades[key] = told{slot: t.txs[fact.tx].slot, check: fact.check, live: true, times: 1}
	}
	for key, fact := range t.candles {
		b.candles[key] = toldCandle{fact, true, 1}
	}
	for key, fact := range t.balances {
		b.balances[key] = fact
	}
	return b
}

// TestJudgeSeesDifferences: what is lost, told twice, told otherwise or not taken
// back does not pass, and the truth does.
func TestJudgeSeesDifferences(t *testing.T) {
	truth := playedTruth(t)
	if v := judge(perfect(truth), truth, true); truth.problems.total() != 0 || v.candles == 0 || v.balances == 0 {
		t.Fatalf("the truth is judged: %v %v", &v, truth.problems.examples())
	}
	anyTrade := func(b *book) (key uint64) {
		for key = range b.trades {
			break
		}
		return key
	}
	mint := truth.mints[0]
	for kind, spoil := range map[string]func(*book){
		"trades lost": func(b *book) { delete(b.trades, anyTrade(b)) },
		"trades not as they were": func(b *book) {
			key := anyTrade(b)
			x := b.trades[key]
			x.check++
			b.trades[key] = x
		},
		"trades in another slot": func(b *book) {
			key := anyTrade(b)
			x := b.trades[key]
			x.slot++
			b.trades[key] = x
		},
		"trades that never were": func(b *book) { b.trades[1] = told{live: true} },
		"told twice": func(b *book) {
			for seq := range 2 {
				b.take(fmt.Appendf(nil, `{"type":"trade","assetId":%q,"signature":"x","amount":"1","seq":%d}`, mint, seq+1), time.Now())
			}
		},
		"holes in trades": func(b *book) {
			b.take(fmt.Appendf(nil, `{"type":"trade","assetId":%q,"signature":"x","amount":"1","seq":2}`, mint), time.Now())
		},
		"retracted, never told": func(b *book) {
			b.take(fmt.Appendf(nil, `{"type":"retract","channel":"trades","assetId":%q,"slot":1,"signatures":["x"],"seq":1}`, mint), time.Now())
		},
		"retracted, but true": func(b *book) {
			i := slices.IndexFunc(truth.txs, func(tx landed) bool {
				_, twin := truth.twins[fall{truth.hash(tx.signature.String()), tx.slot}]
				return !twin
			})
			tx := truth.txs[i]
			for _, m := range truth.mints {
				b.take(fmt.Appendf(nil, `{"type":"retract","channel":"trades","assetId":%q,"slot":%d,"signatures":[%q],"seq":1}`, m, tx.slot, tx.signature), time.Now())
			}
		},
		"retracted at confirmed": func(b *book) {
			b.commitment = "confirmed"
			b.take(fmt.Appendf(nil, `{"type":"retract","channel":"trades","assetId":%q,"slot":1,"signatures":["x"],"seq":1}`, mint), time.Now())
		},
		"seq goes back": func(b *book) {
			for range 2 {
				b.take(fmt.Appendf(nil, `{"type":"price","assetId":%q,"price":1,"seq":5,"ts":1}`, mint), time.Now())
			}
		},
		"gaps told": func(b *book) {
			b.take(fmt.Appendf(nil, `{"type":"gap","channel":"trades","assetId":%q,"fromSeq":1,"toSeq":2,"reason":"no_history"}`, mint), time.Now())
		},
		"candles lost": func(b *book) {
			for key := range b.candles {
				delete(b.candles, key)
			}
		},
		"candles not as they were": func(b *book) {
			for key, c := range b.candles {
				c.close++
				b.candles[key] = c
			}
		},
		"candles not final": func(b *book) {
			for key, c := range b.candles {
				c.final = false
				b.candles[key] = c
			}
		},
		"candles that never were": func(b *book) { b.candles[candleKey{0, 0, 1}] = toldCandle{candleFact{trades: 1}, true, 1} },
		"balances wrong": func(b *book) {
			for key, x := range b.balances {
				x.amount++
				b.balances[key] = x
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			b := perfect(truth)
			before := truth.problems.count(kind)
			spoil(b)
			judge(b, truth, true)
			if truth.problems.count(kind) == before {
				t.Errorf("the judge does not see it: %v", truth.problems.examples())
			}
		})
	}
}
