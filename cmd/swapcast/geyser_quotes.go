package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"

	"github.com/alecthomas/kong"
	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/sim"
)

// quoteSourceFlags are those of the stand-ins for quote sources beside `swapcast
// geyser`.
type quoteSourceFlags struct {
	WithQuoteSources optionalAddress `help:"Answer as Jupiter, DFlow, Hashflow and Pyth too, with the prices of the built-in market (simulated); --with-quote-sources=ADDR says where, default 127.0.0.1:10001. What is printed are the flags with which serve asks them." placeholder:"ADDR"`
}

// quoteSourcesListen is where the stand-ins listen without an address.
const quoteSourcesListen = "127.0.0.1:10001"

// optionalAddress is a flag that may be given with =host:port and without; "" is
// not given.
type optionalAddress string

// IsBool tells kong that the flag may stand alone.
func (optionalAddress) IsBool() bool { return true }

// Decode reads the flag.
func (a *optionalAddress) Decode(ctx *kong.DecodeContext) error {
	*a = quoteSourcesListen
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	text := fmt.Sprint(ctx.Scan.Pop().Value)
	on, err := strconv.ParseBool(text)
	switch {
	case err != nil:
		*a = optionalAddress(text)
	case !on:
		*a = ""
	}
	return nil
}

// chainQuotes are the stand-ins with the prices that they are made of. Nil is none,
// and its methods do nothing then.
type chainQuotes struct {
	*standIns
	prices *truePrices
}

// openQuoteSources takes the port; nil without --with-quote-sources.
func (c *geyserCmd) openQuoteSources(ctx context.Context, src *playSource) (*chainQuotes, error) {
	if c.WithQuoteSources == "" {
		return nil, nil //nolint:nilnil // no stand-ins is what most people have
	}
	market, ok := src.Source.(*sim.Market)
	if !ok {
		return nil, usagef("--with-quote-sources: only the built-in market (market:) has prices to quote from")
	}
	prices := newTruePrices(market)
	standIns, err := openStandIns(ctx, "--with-quote-sources", string(c.WithQuoteSources), prices)
	if err != nil {
		return nil, err
	}
	src.Source = prices
	return &chainQuotes{standIns, prices}, nil
}

// tell is the lines that say where they listen and how they are used.
func (q *chainQuotes) tell() string {
	if q == nil {
		return ""
	}
	return fmt.Sprintf("listening on %s (quote sources, simulated): serve --jupiter-url %[2]s/jupiter --dflow-url %[2]s/dflow --hashflow-url %[2]s/hashflow --hashflow-key any --hashflow-source any --pyth-url %[2]s/hermes\n",
		q.listener.Addr(), q.url)
}

// start serves until stop is called, which waits for the end.
func (q *chainQuotes) start(ctx context.Context, log *slog.Logger) (stop func()) {
	if q == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := q.serve(ctx); err != nil {
			log.Error("quote sources are served no more", "error", err)
		}
	})
	return func() {
		cancel()
		serving.Wait()
	}
}

// close gives the port back where start was not called.
func (q *chainQuotes) close() {
	if q != nil {
		_ = q.listener.Close() // served or not, it is of no more use
	}
}

// truePrices is the built-in market as a source that remembers the true mids of its
// newest slot.
type truePrices struct {
	market   *sim.Market                // owned by whoever calls Next
	decimals map[solana.PublicKey]uint8 // static

	mu   sync.Mutex // guards everything below
	mids map[solana.PublicKey]float64
	slot uint64
}

func newTruePrices(m *sim.Market) *truePrices {
	p := &truePrices{market: m, decimals: make(map[solana.PublicKey]uint8), mids: make(map[solana.PublicKey]float64)}
	for _, t := range sim.Tokens() {
		p.decimals[t.Mint] = t.Decimals
	}
	p.read(0)
	return p
}

// Next yields the market's next update, and reads its prices once a slot.
func (p *truePrices) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	u, err := p.market.Next(ctx)
	if slot := u.GetSlot().GetSlot(); err == nil && slot > p.Slot() {
		p.read(slot)
	}
	return u, err
}

// read takes the market's prices; only Next's caller may.
func (p *truePrices) read(slot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slot = max(p.slot, slot)
	for mint := range p.decimals {
		if usd, ok := p.market.Mid(mint); ok {
			p.mids[mint] = usd
		}
	}
}

// Price is US dollars per whole token.
func (p *truePrices) Price(mint solana.PublicKey) (usd float64, decimals uint8, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	usd, ok = p.mids[mint]
	return usd, p.decimals[mint], ok
}

// Depth is not known here: every market is as deep as the stand-ins think.
func (p *truePrices) Depth(solana.PublicKey) float64 { return 0 }

// Slot is the newest slot.
func (p *truePrices) Slot() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slot
}
