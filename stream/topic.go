package stream

import (
	"sync"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// topic is what is published of one thing at one commitment: its last state, its
// numbering, and who wants it. A mint's prices and trades share one, which
// remains while somebody publishes to it. The candles of a mint and interval, a
// wallet's balances, and the server's status have each one of their own; those of
// candles and wallets are there only while they are held.
type topic struct {
	// static after construction
	kind       topicKind
	key        solana.PublicKey // mint or wallet
	id         string           // base58 of it
	interval   swapcast.Interval
	commitment swapcast.Commitment

	// guarded by registry.mu
	refs       int    // subscriptions and waiting requests that hold it
	published  bool   // somebody publishes to it
	prev, next *topic // neighbours in the list of those that nobody holds

	past past // guarded by history.mu

	mu sync.Mutex
	// guarded by mu
	seqs    [lanes]uint64  // of the last published
	price   swapcast.Price // valid where priced
	priced  bool
	priceTS int64  // Unix milliseconds
	relayed *frame // the last price where it was encoded elsewhere; nil: it was not
	candle  candleState
	status  statusState
	wanted  [lanes]uint64 // bit i: shard i has subscribers

	// shards[i] is owned by the goroutine of shard i; nil until the topic is
	// held for the first time.
	shards []local
}

// topicKind is what a topic is about.
type topicKind uint8

const (
	topicAsset topicKind = iota
	topicCandles
	topicWallet
	topicStatus
)

// local is what one shard knows of a topic. Its numbers are those of what the
// shard has taken up, which may be behind the topic's: a snapshot made from
// them fits between the updates that the shard's clients have got and those
// that they will get.
type local struct {
	subs     [lanes][]*subscription
	last     *frame // last state taken up, or the one from which the shard began to listen (a price, candle or status); nil: there is none
	snapshot *frame // the same marked as a snapshot of the newest number; nil: not asked for yet
	seqs     [lanes]uint64
}

// listen marks the shard as one that wants a channel of the topic, and brings
// what it knows of it up to the topic's present state. Everything published
// after it reaches the shard; what still waits in the shard's queue from an
// earlier interest has a lower seq and is passed over.
func (t *topic) listen(sh *shard, ch channel) {
	l, n := &t.shards[sh.index], ch.lane()
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.wanted[n] == 0
	t.wanted[n] |= 1 << sh.index
	l.seqs[n] = t.seqs[n]
	switch ch {
	case chanCandles:
		if first {
			t.ask(sh.srv)
		}
		l.last = t.candleSnapshot(sh.srv)
	case chanStatus:
		l.last = t.statusSnapshot(sh.srv)
	case chanPrices:
		l.last = t.priceSnapshot(sh.srv)
	default:
		return
	}
	l.snapshot = l.last
}

// leave ends listen.
func (t *topic) leave(sh *shard, ch channel) {
	l := &t.shards[sh.index]
	t.mu.Lock()
	t.wanted[ch.lane()] &^= 1 << sh.index
	t.mu.Unlock()
	if ch != chanTrades {
		l.last, l.snapshot = nil, nil
	}
}

// snapshotRoom is by how much a message may grow that becomes a snapshot: the mark,
// and a longer number.
const snapshotRoom = len(`,"snapshot":true`) + 20

// priceSnapshot encodes the last price, or that there is none. Called with mu held.
func (t *topic) priceSnapshot(s *Server) *frame {
	if t.relayed != nil {
		message := t.relayed.payload()
		return newFrame(kindPrice, len(message)+snapshotRoom, func(dst []byte) []byte { return wire.AppendAsSnapshot(dst, message, t.seqs[lanePrices]) })
	}
	p, m := &t.price, wire.Meta{Seq: t.seqs[lanePrices], TS: t.priceTS, Feed: s.Feed(), Snapshot: true}
	if !t.priced {
		p, m.TS = &swapcast.Price{Mint: t.key, Commitment: t.commitment}, s.opts.Now().UnixMilli()
	}
	return newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, p, m) })
}

// current returns the snapshot that fits what the shard's clients have got; nil
// where there is no candle yet.
func (l *local) current() *frame {
	if l.snapshot == nil && l.last != nil {
		k := l.last.kind
		if k == kindFinal {
			k = kindCandle // who asks again gets it again
		}
		// It is as of the newest number: corrections of older candles came after it.
		l.snapshot = newFrame(k, len(l.last.bytes)+snapshotRoom, func(dst []byte) []byte {
			return wire.AppendAsSnapshot(dst, l.last.payload(), l.seqs[lanePrices])
		})
	}
	return l.snapshot
}
