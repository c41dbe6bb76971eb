package main

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
	refmarket "github.com/swapcast/swapcast/market"
	"github.com/swapcast/swapcast/parser"
)

// truth is what clients must have been told in the end.
type truth struct {
	// static after construction
	watched map[solana.PublicKey]bool
	seed    maphash.Seed

	// owned by whoever reads the chain
	decoder   *geyser.Decoder
	parser    *parser.Parser
	reference *refmarket.Market
	update    refmarket.Update
	parsed    parser.Result
	tx        swapcast.Transaction
	made      map[solana.Signature][]swapcast.Swap // by the market, not seen in the chain yet
	open      map[version]*block
	newest    *blockTx

	mu sync.Mutex
	// guarded by mu
	txs      []landed
	bySig    map[uint64]uint32   // in txs, by the hash of the signature
	playedAt map[uint64]int64    // Unix nanoseconds, by the same
	lies     map[uint64]struct{} // transactions that an endpoint altered, by the same
	twins    map[fall]struct{}   // those that two banks of a slot have
	trades   map[uint64]tradeFact
	candles  map[candleKey]candleFact
	balances map[balanceKey]balanceFact           // those that changed
	held     map[balanceKey]uint64                // over all accounts that a transaction named, changed or not
	accounts map[solana.PublicKey]map[bool]uint64 // of those, by whether it is lamports
	mints    []string                             // those that the market lists, then those that were traded, in that order
	mintOf   map[string]int32
	counts   truthCounts
	clock    int64 // the newest block time, Unix seconds
	top      uint64
	orphaned uint64 // the newest slot with a loser
	over     bool
	problems problems
}

type truthCounts struct {
	swaps, transactions, slots, skipped, losers, again uint64
}

// version is a bank of a slot.
type version struct{ slot, bank uint64 }

// block is a slot that lands.
type block struct {
	txs  []*blockTx
	at   int64
	over bool
}

type blockTx struct {
	index     uint64
	signature solana.Signature
	swaps     []swapcast.Swap
	again     bool
}

// landed is a transaction of the surviving chain with trades in it.
type landed struct {
	signature solana.Signature
	slot      uint64
}

type tradeFact struct {
	tx    uint32 // in txs
	check uint32 // of what the trade says
}

type candleKey struct {
	mint     int32
	interval swapcast.Interval
	start    int64
}

type candleFact struct {
	open, high, low, close, volume float64
	trades                         uint64
}

type balanceKey struct {
	owner, mint string
	native      bool
}

type balanceFact struct {
	amount uint64
	slot   uint64
}

// followed are the intervals that clients listen to.
func followed() []swapcast.Interval {
	return []swapcast.Interval{swapcast.Interval1s, swapcast.Interval1m}
}

func newTruth(watched []solana.PublicKey) *truth {
	t := &truth{
		watched: make(map[solana.PublicKey]bool), seed: maphash.MakeSeed(),
		decoder: geyser.NewDecoder(), parser: parser.New(),
		reference: refmarket.New(refmarket.Options{Commitment: swapcast.Confirmed}),
		made:      make(map[solana.Signature][]swapcast.Swap), open: make(map[version]*block),
		bySig: make(map[uint64]uint32), playedAt: make(map[uint64]int64), lies: make(map[uint64]struct{}), twins: make(map[fall]struct{}), trades: make(map[uint64]tradeFact),
		candles: make(map[candleKey]candleFact), balances: make(map[balanceKey]balanceFact), held: make(map[balanceKey]uint64), accounts: make(map[solana.PublicKey]map[bool]uint64), mintOf: make(map[string]int32),
	}
	for _, owner := range watched {
		t.watched[owner] = true
	}
	for _, token := range sim.Tokens() {
		t.number(token.Mint.String())
	}
	return t
}

// happened takes what the market says of a transaction of its own.
func (t *truth) happened(signature solana.Signature, swaps []swapcast.Swap, changes []swapcast.BalanceChange, held []sim.Holding) {
	if len(swaps) > 0 {
		t.made[signature] = slices.Clone(swaps)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range held {
		if t.watched[h.Owner] {
			key := balanceKey{h.Owner.String(), h.Mint.String(), h.Native}
			t.held[key] += h.Amount - t.accounts[h.Account][h.Native]
			if t.accounts[h.Account] == nil {
				t.accounts[h.Account] = make(map[bool]uint64, 2)
			}
			t.accounts[h.Account][h.Native] = h.Amount
			if fact, changed := t.balances[key]; changed {
				t.balances[key] = balanceFact{t.held[key], fact.slot}
			}
		}
	}
	for i := range changes {
		if c := &changes[i]; t.watched[c.Owner] {
			// The chain moves slots on, so this one is about right only: for people.
			key := balanceKey{c.Owner.String(), c.Mint.String(), c.Native}
			t.balances[key] = balanceFact{t.held[key], c.Slot}
		}
	}
}

// tell takes what the script says of the chain, before the chain yields it.
func (t *truth) tell(line faults.Truth) {
	v := version{line.Slot, line.Bank}
	switch {
	case line.Kind == faults.TruthTx && !line.Vote:
		b := t.open[v]
		if b == nil {
			b = &block{}
			t.open[v] = b
		}
		b.txs = append(b.txs, &blockTx{index: line.Index, signature: line.Signature, again: line.Again})
	case line.Kind == faults.TruthOrphan:
		t.mu.Lock()
		t.orphaned = max(t.orphaned, line.Slot)
		if line.Lands {
			t.twins[fall{t.hash(line.Signature.String()), line.Slot}] = struct{}{}
		}
		t.mu.Unlock()
	case line.Kind == faults.TruthSlot:
		t.mu.Lock()
		switch line.Fate {
		case faults.FateLanded:
			t.top = max(t.top, line.Slot)
			if t.open[v] == nil {
				t.open[v] = &block{}
			}
			t.open[v].over = true
		case faults.FateSkipped:
			t.counts.skipped++
		default:
			t.orphaned = max(t.orphaned, line.Slot)
			t.counts.losers++
		}
		t.mu.Unlock()
	}
}

// undisputed tells whether the newest slot that landed has no loser beside or
// after it.
func (t *truth) undisputed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.orphaned < t.top
}

// see takes an update that the chain yields.
func (t *truth) see(u *pb.SubscribeUpdate) {
	v := version{faults.SlotOf(u), faults.Bank(u)}
	b := t.open[v]
	if b == nil {
		return
	}
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		t.transaction(b, m.Transaction)
	case *pb.SubscribeUpdate_BlockMeta:
		b.at = m.BlockMeta.GetBlockTime().GetTimestamp()
	case *pb.SubscribeUpdate_Slot:
		if b.over && m.Slot.GetStatus() == pb.SlotStatus_SLOT_PROCESSED {
			delete(t.open, v)
			t.land(v.slot, b)
		}
	}
}

// transaction parses one that lands.
func (t *truth) transaction(b *block, u *pb.SubscribeUpdateTransaction) {
	at := slices.IndexFunc(b.txs, func(x *blockTx) bool {
		return x.swaps == nil && bytes.Equal(x.signature[:], u.GetTransaction().GetSignature())
	})
	if at < 0 {
		return // a vote
	}
	tx := b.txs[at]
	if tx.again {
		t.mu.Lock()
		t.counts.again++
		t.mu.Unlock()
		tx.swaps = []swapcast.Swap{}
		return
	}
	if err := t.decoder.Transaction(u, &t.tx); err != nil {
		t.problems.add("truth", "transaction %s of slot %d: %v", tx.signature, u.GetSlot(), err)
		return
	}
	t.newest = tx
	t.parser.Parse(&t.tx, &t.parsed)
	tx.swaps = append([]swapcast.Swap{}, t.parsed.Swaps...)
	made := t.made[tx.signature]
	delete(t.made, tx.signature)
	same := slices.EqualFunc(tx.swaps, made, func(a, b swapcast.Swap) bool {
		return a.Pool == b.Pool && a.MintIn == b.MintIn && a.AmountIn == b.AmountIn && a.MintOut == b.MintOut && a.AmountOut == b.AmountOut
	})
	if !same {
		t.problems.add("truth", "transaction %s of slot %d has %d swaps, the market made %d", tx.signature, u.GetSlot(), len(tx.swaps), len(made))
	}
}

// land takes a whole slot of the surviving chain.
func (t *truth) land(slot uint64, b *block) {
	slices.SortStableFunc(b.txs, func(x, y *blockTx) int { return cmp.Compare(x.index, y.index) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.slots++
	moved := make(map[solana.PublicKey]struct{})
	for _, tx := range b.txs {
		if len(tx.swaps) == 0 {
			continue
		}
		number := uint32(len(t.txs)) //nolint:gosec // far below
		name := tx.signature.String()
		t.txs = append(t.txs, landed{signature: tx.signature, slot: slot})
		t.bySig[t.hash(name)] = number
		t.counts.transactions++
		for i := range tx.swaps {
			s := &tx.swaps[i]
			s.Slot, s.BlockTime, s.ReceivedAt = slot, b.at, b.at*1e9
			t.reference.Apply(s, &t.update)
			t.counts.swaps++
			for j := range t.update.Trades {
				t.trade(number, name, &t.update.Trades[j])
				moved[t.update.Trades[j].Mint] = struct{}{}
			}
		}
	}
	t.clock = max(t.clock, b.at)
	t.reference.Tick(b.at)
	for mint := range moved {
		for _, interval := range followed() {
			if c, ok := t.reference.Candle(mint, interval); ok {
				key := candleKey{t.mintOf[mint.String()], interval, c.Start}
				t.candles[key] = candleFact{c.Open, c.High, c.Low, c.Close, c.VolumeUSD, c.Trades}
			}
		}
	}
}

// trade takes one trade. Needs mu.
func (t *truth) trade(tx uint32, signature string, x *swapcast.Trade) {
	mint := x.Mint.String()
	t.number(mint)
	key := t.hash(signature, mint, fmt.Sprint(x.Index))
	if _, twice := t.trades[key]; twice {
		t.problems.add("truth", "trade %s %d %s is there twice", signature, x.Index, mint)
	}
	t.trades[key] = tradeFact{tx, t.check(x.Side.String(), fmt.Sprint(x.Amount), x.Trader.String(), x.Pool.String(), x.DEX)}
}

// number gives a mint a number, if it has none yet. Needs mu.
func (t *truth) number(mint string) {
	if _, known := t.mintOf[mint]; !known {
		t.mintOf[mint] = int32(len(t.mints)) //nolint:gosec // far below
		t.mints = append(t.mints, mint)
	}
}

// numberOf is a mint's number; -1 for one that the chain never traded.
func (t *truth) numberOf(mint string) int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.mintOf[mint]; ok {
		return n
	}
	return -1
}

// played notes when the transaction that was seen last was played.
func (t *truth) played(at time.Time) {
	if t.newest == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.playedAt[t.hash(t.newest.signature.String())] = at.UnixNano()
	t.newest = nil
}

// lie notes which transaction an endpoint alters.
func (t *truth) lie(e faults.Event) {
	if e.Signature.IsZero() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lies[t.hash(e.Signature.String())] = struct{}{}
}

// end says that the chain has ended.
func (t *truth) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// ended tells whether the chain has ended, and its last slot.
func (t *truth) ended() (bool, uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over, t.top
}

// known are the mints from a number on.
func (t *truth) known(from int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.mints[from:])
}

// hash names something in little room.
func (t *truth) hash(words ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for _, w := range words {
		_, _ = h.WriteString(w)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (t *truth) check(words ...string) uint32 {
	return uint32(t.hash(words...)) //nolint:gosec // the lower half will do
}

// top gives the keys with the highest counts.
func top(counts map[solana.PublicKey]int, n int) []solana.PublicKey {
	keys := slices.Collect(maps.Keys(counts))
	slices.SortFunc(keys, func(a, b solana.PublicKey) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), slices.Compare(a[:], b[:]))
	})
	return keys[:min(n, len(keys))]
}

// playedTime is when a transaction was played, Unix nanoseconds.
func (t *truth) playedTime(signature string) (at int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok = t.playedAt[t.hash(signature)]
	return at, ok
}
