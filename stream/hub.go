package stream

import (
	"slices"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// PublishPrice gives a price its number and hands it to the shards whose
// clients want it; it is encoded at most once. It never blocks: a shard that
// is too far behind keeps only the newest price of an asset. Updates of one
// mint and commitment are published in the order of the calls. The price is
// copied.
func (s *Server) PublishPrice(p *swapcast.Price) {
	now := s.opts.Now()
	t := s.registry.touch(p.Mint, served(p.Commitment))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.price, t.priced, t.priceTS = *p, true, now.UnixMilli()
	t.seqs[lanePrices]++
	if t.wanted[lanePrices] == 0 {
		return
	}
	m := wire.Meta{Seq: t.seqs[lanePrices], TS: t.priceTS, Feed: s.Feed()}
	f := newFrame(kindPrice, priceSize, func(dst []byte) []byte { return wire.AppendPrice(dst, p, m) })
	s.publish(item{what: itemUpdate, channel: chanPrices, topic: t, frame: f, seq: m.Seq, at: now.UnixNano(), receivedAt: p.ReceivedAt})
}

// PublishTrade is PublishPrice for a trade, but that the last trades of each asset
// are kept for clients that resume, whether anybody listens now or not. A shard
// that is too far behind takes it from there later, or where it is forgotten by
// then tells its subscribers of the gap.
func (s *Server) PublishTrade(tr *swapcast.Trade) {
	t := s.registry.touch(tr.Mint, served(tr.Commitment))
	s.publishTrade(t, &pastEntry{trade: *tr}, tr.ReceivedAt)
}

// PublishRetract takes trades back that PublishTrade has told. It counts as one
// of the asset's trades, so that it has its place and its seq among them. The
// retract is copied; one that names more signatures than wire.MaxRetracted
// becomes several messages.
func (s *Server) PublishRetract(r *swapcast.Retract) {
	t := s.registry.touch(r.Mint, served(r.Commitment))
	for signatures := range slices.Chunk(slices.Clone(r.Signatures), wire.MaxRetracted) {
		part := *r
		part.Signatures = signatures
		s.publishTrade(t, &pastEntry{retract: &part}, 0)
	}
}

// publishTrade numbers a trade or a retract, keeps it and hands it out.
func (s *Server) publishTrade(t *topic, e *pastEntry, receivedAt int64) {
	now := s.opts.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seqs[laneTrades]++
	e.seq, e.ts = t.seqs[laneTrades], now.UnixMilli()
	it := item{what: itemUpdate, channel: chanTrades, topic: t, seq: e.seq, at: now.UnixNano(), receivedAt: receivedAt}
	if t.wanted[laneTrades] != 0 {
		it.frame = e.encode(s.Feed())
	}
	s.history.publish(s, it, e)
}

// Sizes that hold nearly every message, so that encoding allocates once.
const (
	priceSize   = 512
	tradeSize   = 560
	candleSize  = 384
	balanceSize = 384
	statusSize  = 192
)

// publish hands an update to the shards that want it. Called with the topic's
// mu held, which keeps its updates in order.
func (s *Server) publish(it item) {
	for wanted, i := it.topic.wanted[it.channel.lane()], 0; wanted != 0; wanted, i = wanted>>1, i+1 {
		if wanted&1 != 0 {
			s.shards[i].update(it)
		}
	}
}
