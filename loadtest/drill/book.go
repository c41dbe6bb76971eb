package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/swapcast/swapcast"
)

// book is what one client was told, less what was taken back. Its methods may be
// called by any goroutine.
type book struct {
	// static after construction
	name       string
	commitment string
	truth      *truth
	problems   *problems
	http       string // of the server's HTTP API

	mu sync.Mutex
	// guarded by mu
	session  int // number of the connection
	epoch    string
	mints    map[string]int32
	trades   map[uint64]told
	tradeSeq map[string]uint64 // the last of each asset, or as its subscription began
	seqs     map[topic]uint64  // the last on this connection
	lastSeq  map[topic]uint64  // the last that was ever seen
	candles  map[candleKey]toldCandle
	since1   map[topic]int64 // where the first candle told began
	balances map[balanceKey]balanceFact
	repairs  []*repair
	falls    map[fall][]fallen
	counts   bookCounts
	gaps     map[string]int // by channel, reason and form
	ends     map[string]int // of connections, by what was said
	latency  []delay        // of trades, in the order in which they came
	top      uint64         // the newest slot of a trade
}

type bookCounts struct {
	trades, retracts, retracted, corrected, reborn, prices, candles, balances, cuts, repaired uint64
	lostSeqs                                                                                  uint64 // that gaps named
	skipped                                                                                   uint64 // prices and candles, for newer ones
}

// delay is how long it took to tell something, nanoseconds, and when it was
// played, Unix nanoseconds.
type delay struct{ at, took int64 }

// told is one trade.
type told struct {
	slot  uint64
	check uint32
	live  bool
	times uint8
}

type topic struct {
	channel, interval, id string
}

type toldCandle struct {
	candleFact
	final   bool
	session int
}

// message is all that the server may say.
type message struct {
	Type       string            `json:"type"`
	Channel    string            `json:"channel"`
	AssetID    string            `json:"assetId"`
	Wallet     string            `json:"wallet"`
	Interval   string            `json:"interval"`
	Commitment string            `json:"commitment"`
	Seq        uint64            `json:"seq"`
	Slot       uint64            `json:"slot"`
	Signature  string            `json:"signature"`
	Index      int               `json:"index"`
	Side       string            `json:"side"`
	Amount     string            `json:"amount"`
	Trader     string            `json:"trader"`
	Pool       string            `json:"pool"`
	Source     string            `json:"source"`
	Native     bool              `json:"native"`
	Signatures []string          `json:"signatures"`
	Epoch      string            `json:"epoch"`
	Seqs       map[string]uint64 `json:"seqs"`
	Snapshot   bool              `json:"snapshot"`
	T          int64             `json:"t"`
	O          float64           `json:"o"`
	H          float64           `json:"h"`
	L          float64           `json:"l"`
	C          float64           `json:"c"`
	VolumeUSD  float64           `json:"volumeUsd"`
	Trades     uint64            `json:"trades"`
	Final      bool              `json:"final"`
	FromSeq    uint64            `json:"fromSeq"`
	ToSeq      uint64            `json:"toSeq"`
	FromSlot   uint64            `json:"fromSlot"`
	ToSlot     uint64            `json:"toSlot"`
	Reason     string            `json:"reason"`
	Detail     string            `json:"detail"`
	Code       string            `json:"code"`
	Message    string            `json:"message"`
	Errors     []json.RawMessage `json:"errors"`
}

func newBook(name, commitment string, t *truth, p *problems) *book {
	return &book{
		name: name, commitment: commitment, truth: t, problems: p,
		mints: make(map[string]int32), trades: make(map[uint64]told), tradeSeq: make(map[string]uint64),
		seqs: make(map[topic]uint64), lastSeq: make(map[topic]uint64), candles: make(map[candleKey]toldCandle),
		since1: make(map[topic]int64), balances: make(map[balanceKey]balanceFact),
		gaps: make(map[string]int), ends: make(map[string]int), falls: make(map[fall][]fallen),
	}
}

// begin says that a new connection begins.
func (b *book) begin(session int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session = session
	clear(b.seqs)
}

// ended notes how a connection ended.
func (b *book) ended(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := err.Error()
	if i := bytes.LastIndexByte([]byte(text), ':'); i > 0 {
		text = text[i+1:]
	}
	b.ends[text]++
}

func (b *book) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.cuts++
}

// since is how far this client is with the channels of some tokens, and of its
// wallets; nil where it has not heard from the server yet. A token that was not
// asked for before is to come from its beginning.
func (b *book) since(mints []string) map[string]*since {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.epoch == "" {
		return nil
	}
	out := make(map[string]*since)
	trades := &since{b.epoch, make(map[string]uint64, len(mints))}
	out["trades"] = trades
	asked := make(map[string]bool, len(mints))
	for _, m := range mints {
		trades.Seqs[m] = b.tradeSeq[m]
		asked[m] = true
	}
	for t, seq := range b.lastSeq {
		if t.channel != "balances" && !asked[t.id] {
			continue
		}
		name := t.channel
		if t.interval != "" {
			name += " " + t.interval
		}
		if out[name] == nil {
			out[name] = &since{b.epoch, make(map[string]uint64)}
		}
		out[name].Seqs[t.id] = seq
	}
	return out
}

// take notes one message. It reports whether it acknowledges a subscription.
func (b *book) take(data []byte, now time.Time) (acked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.HasPrefix(data, []byte(`{"type":"price"`)) {
		b.price(data)
		return false
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		b.wrong("a message that cannot be read: %v: %s", err, data)
		return false
	}
	if m.Commitment != "" && m.Commitment != b.commitment {
		b.wrong("a message of another commitment: %s", data)
	}
	switch m.Type {
	case "trade":
		b.trade(&m, now)
	case "retract":
		b.retract(&m, data)
	case "candle":
		b.candle(&m)
	case "balance":
		b.counts.balances++
		amount, err := strconv.ParseUint(m.Amount, 10, 64)
		if err != nil {
			b.wrong("a balance without an amount: %s", data)
		}
		b.balances[balanceKey{m.Wallet, m.AssetID, m.Native}] = balanceFact{amount, m.Slot}
		b.lastSeq[topic{"balances", "", m.Wallet}] = max(m.Seq, b.lastSeq[topic{"balances", "", m.Wallet}])
	case "gap":
		b.gap(&m)
	case "subscribed":
		b.subscribed(&m)
		return true
	default:
		b.wrong("an unexpected message: %s", data)
	}
	return false
}

func (b *book) wrong(format string, args ...any) {
	b.problems.add("protocol", b.name+": "+format, args...)
}

// price looks at the numbers only: prices are many, and only the newest counts.
func (b *book) price(data []byte) {
	b.counts.prices++
	asset, ok1 := between(data, `"assetId":"`, '"')
	raw, ok2 := between(data, `"seq":`, ',')
	seq, err := strconv.ParseUint(string(raw), 10, 64)
	if !ok1 || !ok2 || err != nil {
		b.wrong("a price that cannot be read: %s", data)
		return
	}
	b.follows(topic{"prices", "", string(asset)}, seq, bytes.Contains(data, []byte(`"snapshot":true`)))
}

func between(data []byte, before string, end byte) ([]byte, bool) {
	_, rest, found := bytes.Cut(data, []byte(before))
	if !found {
		return nil, false
	}
	value, _, found := bytes.Cut(rest, []byte{end})
	return value, found
}

// follows counts what is between a number and the one before it on this
// connection: newer prices and candles take the place of those that a client was
// too slow for.
func (b *book) follows(t topic, seq uint64, snapshot bool) {
	last, any := b.seqs[t]
	b.seqs[t] = seq
	b.lastSeq[t] = max(seq, b.lastSeq[t])
	if snapshot || !any {
		return
	}
	if seq <= last {
		b.problems.add("seq goes back", "%s: %s %s of %s: %d follows %d", b.name, t.channel, t.interval, t.id, seq, last)
		return
	}
	b.counts.skipped += seq - last - 1
}

// inOrder checks the number of a trade or retract, over all connections.
func (b *book) inOrder(asset string, seq uint64) {
	last := b.tradeSeq[asset]
	if seq != last+1 {
		b.problems.add("holes in trades", "%s: seq %d of %s follows %d", b.name, seq, asset, last)
	}
	b.tradeSeq[asset] = max(last, seq)
}

func (b *book) trade(m *message, now time.Time) {
	b.counts.trades++
	b.inOrder(m.AssetID, m.Seq)
	key := b.truth.hash(m.Signature, m.AssetID, strconv.Itoa(m.Index))
	was := b.trades[key]
	b.top = max(b.top, m.Slot)
	if was.live {
		b.problems.add("told twice", "%s: trade %s %d of %s in slot %d, told before in slot %d", b.name, m.Signature, m.Index, m.AssetID, m.Slot, was.slot)
	}
	b.trades[key] = told{
		slot: m.Slot, live: true, times: was.times + 1,
		check: b.truth.check(m.Side, m.Amount, m.Trader, m.Pool, m.Source),
	}
	if was.times == 0 {
		if at, ok := b.truth.playedTime(m.Signature); ok {
			b.latency = append(b.latency, delay{at, now.UnixNano() - at})
		}
	}
}

// maxIndex is above the number of swaps in any transaction of the market.
const maxIndex = 32

func (b *book) retract(m *message, data []byte) {
	b.counts.retracts++
	b.inOrder(m.AssetID, m.Seq)
	if b.commitment != swapcast.Processed.String() {
		b.problems.add("retracted at confirmed", "%s: %s", b.name, data)
	}
	for _, signature := range m.Signatures {
		n := 0
		fall := fall{b.truth.hash(signature), m.Slot}
		for i := range maxIndex {
			key := b.truth.hash(signature, m.AssetID, strconv.Itoa(i))
			if t, ok := b.trades[key]; ok && t.live && t.slot == m.Slot {
				t.live = false
				b.trades[key] = t
				b.falls[fall] = append(b.falls[fall], fallen{key, t.check})
				n++
			}
		}
		b.counts.retracted += uint64(n) //nolint:gosec // not below 0
		if n == 0 {
			b.problems.add("retracted, never told", "%s: %s of %s in slot %d", b.name, signature, m.AssetID, m.Slot)
		}
	}
}

// fall is a transaction that was taken back in a slot, fallen one of its trades.
type fall struct {
	signature uint64 // its hash
	slot      uint64
}

type fallen struct {
	key   uint64
	check uint32 // of what was told
}

func (b *book) candle(m *message) {
	b.counts.candles++
	interval, ok := swapcast.ParseInterval(m.Interval)
	if !ok {
		b.wrong("a candle of interval %q", m.Interval)
		return
	}
	t := topic{"candles", m.Interval, m.AssetID}
	b.follows(t, m.Seq, m.Snapshot)
	if first, any := b.since1[t]; !any || m.T < first {
		b.since1[t] = m.T
	}
	for _, r := range b.repairs {
		if r.topic == t && r.session == b.session && r.before == 0 {
			r.before = m.T
		}
	}
	b.candles[candleKey{b.mint(m.AssetID), interval, m.T}] = toldCandle{candleFact{m.O, m.H, m.L, m.C, m.VolumeUSD, m.Trades}, m.Final, b.session}
}

// mint is the truth's number of a mint.
func (b *book) mint(id string) int32 {
	n, ok := b.mints[id]
	if !ok {
		if n = b.truth.numberOf(id); n >= 0 {
			b.mints[id] = n
		}
	}
	return n
}

func (b *book) gap(m *message) {
	form := "seqs"
	if m.ToSlot != 0 {
		form = "slots"
	}
	b.gaps[m.Channel+" "+m.Reason+" "+form]++
	switch {
	case m.Channel == "trades" && m.ToSlot == 0:
		last := b.tradeSeq[m.AssetID]
		if m.ToSeq > last {
			b.counts.lostSeqs += m.ToSeq - last
			b.tradeSeq[m.AssetID] = m.ToSeq
		}
		b.problems.add("gaps told", "%s: trades of %s, seq %d to %d: %s", b.name, m.AssetID, m.FromSeq, m.ToSeq, m.Reason)
	case m.Channel == "candles" && m.ToSlot == 0:
		t := topic{"candles", m.Interval, m.AssetID}
		b.repairs = append(b.repairs, &repair{topic: t, session: b.session})
		if _, any := b.seqs[t]; any {
			b.follows(t, m.FromSeq, false)
			b.seqs[t] = m.ToSeq
		}
	default:
		b.problems.add("gaps told", "%s: %s of %s%s, slots %d to %d: %s %s", b.name, m.Channel, m.AssetID, m.Wallet, m.FromSlot, m.ToSlot, m.Reason, m.Detail)
	}
}

func (b *book) subscribed(m *message) {
	if len(m.Errors) > 0 {
		b.wrong("refused: %s", m.Errors)
	}
	if b.epoch != "" && b.epoch != m.Epoch {
		b.wrong("the epoch was %s and is %s", b.epoch, m.Epoch)
	}
	b.epoch = m.Epoch
	for id, seq := range m.Seqs {
		if m.Channel != "trades" {
			t := topic{m.Channel, m.Interval, id}
			if _, known := b.lastSeq[t]; !known {
				b.lastSeq[t] = seq
			}
		} else if _, known := b.tradeSeq[id]; !known {
			b.tradeSeq[id] = seq
		}
	}
}

// newest is the newest slot of which a trade was told.
func (b *book) newest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.top
}
