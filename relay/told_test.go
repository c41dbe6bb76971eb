package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// event is a trade that is told, or taken back.
type event struct {
	tx, index int // index below 0: a retract
}

// tell lets an ingest tell an event on top of what another one told. It appends what
// is told to clients to the log, newest last.
func (e event) tell(t told, log []string) []string {
	m := mint(1)
	if e.index < 0 {
		r := swapcast.Retract{Mint: m, Slot: 7, Signatures: []solana.Signature{signature(e.tx)}}
		if r.Signatures = t.retract(&r); len(r.Signatures) > 0 {
			log = append(log, retractName(&r))
		}
		return log
	}
	tr := swapcast.Trade{Mint: m, Slot: 7, Signature: signature(e.tx), Index: e.index}
	if !t.trade(&tr) {
		log = append(log, tradeName(&tr))
	}
	return log
}

// history draws what befalls some transactions, each by itself: told with its trades,
// taken back, told again.
func history(t *rapid.T) [][]event {
	var txs [][]event
	for tx := range rapid.IntRange(1, 5).Draw(t, "transactions") {
		trades := rapid.IntRange(1, 3).Draw(t, "trades")
		var events []event
		for round := range rapid.IntRange(1, 3).Draw(t, "rounds") {
			if round > 0 {
				events = append(events, event{tx, -1})
			}
			for i := range trades {
				events = append(events, event{tx, i})
			}
		}
		if rapid.Bool().Draw(t, "dead") {
			events = append(events, event{tx, -1})
		}
		txs = append(txs, events)
	}
	return txs
}

// interleave draws an order over all transactions that keeps each one's own.
func interleave(t *rapid.T, txs [][]event) []event {
	rest := slices.Clone(txs)
	var order []event
	for {
		var open []int
		for i := range rest {
			if len(rest[i]) > 0 {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return order
		}
		i := rapid.SampledFrom(open).Draw(t, "next")
		order, rest[i] = append(order, rest[i][0]), rest[i][1:]
	}
}

// again tells whether a transaction is told once more after it was taken back.
func again(events []event) bool {
	i := slices.IndexFunc(events, func(e event) bool { return e.index < 0 })
	return i >= 0 && i < len(events)-1
}

// TestToldOnce: whatever the order in which two ingests see what befalls a mint's
// transactions, and wherever the first one stops, and up to where the second one has
// forgotten what the first told: of each transaction all is told once, in its order.
// (But for the beginnings of transactions that come back after they were taken back,
// which told cannot tell from their ends; they are not forgotten here.)
func TestToldOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		txs := history(t)
		first, second := interleave(t, txs), interleave(t, txs)
		first = first[:rapid.IntRange(0, len(first)).Draw(t, "stops")]
		var log []string
		done := map[int]int{} // of each transaction, what the first one told
		for _, e := range first {
			log = e.tell(nil, log)
			done[e.tx]++
		}
		// What the second forgets is of transactions' beginnings that the first told.
		forgets := rapid.IntRange(0, len(second)).Draw(t, "forgets")
		known := map[int]int{}
		var own []event
		for i, e := range second {
			known[e.tx]++
			if i < forgets && known[e.tx] <= done[e.tx] && !again(txs[e.tx]) {
				continue
			}
			own = append(own, e)
		}
		newestFirst := slices.Clone(log)
		slices.Reverse(newestFirst)
		seen := readTold(newestFirst)
		for _, e := range own {
			log = e.tell(seen, log)
		}
		for tx, events := range txs {
			var want, got []string
			for _, e := range events {
				want = e.tell(nil, want)
			}
			for _, line := range log {
				if bytes.Contains([]byte(line), []byte(signature(tx).String())) {
					got = append(got, line)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("transaction %d:\ngot  %q\nwant %q", tx, got, want)
			}
		}
	})
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range []message{
		{kind: kindPrice, seq: 1, receivedAt: 2, body: []byte(`{"type":"price"}`)},
		{kind: kindTrade, commitment: swapcast.Confirmed, seq: 1<<64 - 1, receivedAt: -1, body: []byte(`{"a": "b"}`)},
		{kind: kindClock},
	} {
		f.Add(m.append(nil))
	}
	f.Add([]byte("p 0 1 "))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMessage(data)
		if err != nil {
			return
		}
		again, err := parseMessage(m.append(nil))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(m) {
			t.Errorf("%q: %v becomes %v, %v", data, m, again, err)
		}
		_ = readTold([]string{string(data)})
		_ = slotOf(data)
	})
}

// FuzzUpdates: whatever comes over a mint's channel, it is numbered and handed on, or
// counted as not understood; nothing but what is JSON reaches the clients.
func FuzzUpdates(f *testing.F) {
	for _, m := range []message{
		{kind: kindPrice, seq: 7, body: []byte(`{"type":"price","slot":3,"seq":7,"ts":5}`)},
		{kind: kindTrade, seq: 1, receivedAt: 5, body: []byte(`{"type":"trade","slot":3,"signature":"x","index":2,"seq":1,"ts":5}`)},
		{kind: kindTrade, seq: 1, body: []byte(`{"type":"tra`)},
		{kind: kindCandle, body: []byte(`{"Interval":2,"Start":1764000000,"Open":1,"High":2,"Low":1,"Close":2,"Trades":3,"Final":true}`)},
		{kind: kindCandle, body: []byte(`{"Interval":200,"Commitment":9}`)},
		{kind: kindBalance, body: []byte(`{"Amount":5,"Decimals":9,"Slot":3}`)},
		{kind: kindBalance, body: []byte(`null`)},
		{kind: kindClock, receivedAt: 1764000000},
	} {
		f.Add(m.append(nil))
	}
	out, err := stream.New(stream.Options{Epoch: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	e := &Edge{opts: Options{Stream: out, Metrics: NewMetrics(prometheus.NewRegistry())}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMessage(data)
		if err != nil || (m.kind == kindTrade && m.seq != 1) { // others are read from Redis
			return
		}
		p := newPart(e, 0)
		x := &followed{subject: stream.Subject{Channel: wire.ChannelPrices, Key: solana.PublicKey(sha256.Sum256(data))}, state: live}
		p.message(t.Context(), x, &m)
		if (m.kind == kindPrice || m.kind == kindTrade) && !json.Valid(m.body) {
			t.Errorf("%q reaches clients", m.body)
		}
		if m.kind == kindTrade && x.trades != 1 || m.kind == kindPrice && x.prices != m.seq {
			t.Errorf("%q: %d trades, price %d", data, x.trades, x.prices)
		}
	})
}
