package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/wallet"
)

// walletAnswers are what the API says of wallets, through the cache.
type walletAnswers struct {
	wallets   *wallets
	balances  func(context.Context, solana.PublicKey) (api.WalletBalances, error)
	portfolio func(context.Context, solana.PublicKey) (api.Portfolio, error)
	pnl       func(context.Context, solana.PublicKey) (api.PnL, error)
}

// How long answers are served as they are while nothing happens to the wallet: what
// depends on prices is soon old.
const (
	walletTTL      = 5 * time.Second
	walletPriceTTL = time.Second
)

func newWalletAnswers(s *server) walletAnswers {
	c := s.wallets.cache
	tags := []string{"portfolio:{0}"}
	priced := []cache.Option{cache.TTL(walletPriceTTL, 2*walletPriceTTL)}
	return walletAnswers{
		wallets: s.wallets,
		balances: cache.Func(c, cache.Spec{
			Name: "portfolio:{0}:balances", Tags: tags, Options: []cache.Option{cache.TTL(walletTTL, walletTTL)},
		}, s.walletBalances),
		portfolio: cache.Func(c, cache.Spec{Name: "portfolio:{0}:value", Tags: tags, Options: priced}, s.walletPortfolio),
		pnl:       cache.Func(c, cache.Spec{Name: "portfolio:{0}:pnl", Tags: tags, Options: priced}, s.walletPnL),
	}
}

// Balances has the wallet followed, and tells what it holds.
func (a walletAnswers) Balances(ctx context.Context, owner solana.PublicKey) (api.WalletBalances, error) {
	if a.wallets.touch(owner) != nil {
		return api.WalletBalances{}, api.ErrTooManyWallets
	}
	a.wallets.await(ctx, owner)
	return a.balances(ctx, owner)
}

// Portfolio is Balances with what that is worth.
func (a walletAnswers) Portfolio(ctx context.Context, owner solana.PublicKey) (api.Portfolio, error) {
	if a.wallets.touch(owner) != nil {
		return api.Portfolio{}, api.ErrTooManyWallets
	}
	a.wallets.await(ctx, owner)
	return a.portfolio(ctx, owner)
}

// PnL is what it gained and lost.
func (a walletAnswers) PnL(ctx context.Context, owner solana.PublicKey) (api.PnL, error) {
	if a.wallets.touch(owner) != nil {
		return api.PnL{}, api.ErrTooManyWallets
	}
	return a.pnl(ctx, owner)
}

// walletHead begins an answer, with the slot of the oldest snapshot, 0 none.
func (s *server) walletHead(owner solana.PublicKey) (api.WalletHead, uint64) {
	h := api.WalletHead{
		Wallet: owner.String(), Commitment: swapcast.Processed.String(), Slot: s.feed.tipSlot.Load(),
		TS: time.Now().UnixMilli(), Feed: s.teller.Feed(),
	}
	var slot uint64
	slot, h.Complete = s.wallets.books[0].Complete(owner)
	switch {
	case h.Complete:
	case s.wallets.keeper == nil:
		h.Reason = api.ReasonNoRPC
	default:
		h.Reason = api.ReasonSnapshot
	}
	return h, slot
}

// holdingsHead is walletHead for what a wallet holds. Of a new one, a snapshot tells
// that before it is certain that all changes come: then the answer is whole, and as of
// the snapshot's slot.
func (s *server) holdingsHead(owner solana.PublicKey) (api.WalletHead, uint64) {
	h, slot := s.walletHead(owner)
	if !h.Complete && slot != 0 && !s.wallets.books[0].Partial(owner) && s.wallets.settling(owner) {
		h.Complete, h.Reason, h.Slot = true, "", slot
	}
	return h, slot
}

// held is what a wallet holds something of.
func (s *server) held(owner solana.PublicKey) []swapcast.Balance {
	list, _ := s.wallets.books[0].Balances(owner)
	return slices.DeleteFunc(list, func(b swapcast.Balance) bool { return b.Amount == 0 })
}

func (s *server) symbol(mint solana.PublicKey) string {
	token, _ := s.processed.market.Token(mint)
	return token.Symbol
}

func (s *server) walletBalances(_ context.Context, owner solana.PublicKey) (api.WalletBalances, error) {
	head, slot := s.holdingsHead(owner)
	a := api.WalletBalances{WalletHead: head, Balances: []api.WalletBalance{}}
	if slot != 0 {
		a.SnapshotSlot = &slot
	}
	for _, b := range s.held(owner) {
		row := api.WalletBalance{
			AssetID: b.Mint.String(), Symbol: s.symbol(b.Mint), Native: b.Native,
			Amount: strconv.FormatUint(b.Amount, 10), Decimals: b.Decimals, Slot: b.Slot,
		}
		if !b.Signature.IsZero() {
			text := b.Signature.String()
			row.Signature = &text
		}
		a.Balances = append(a.Balances, row)
	}
	return a, nil
}

func (s *server) walletPortfolio(_ context.Context, owner solana.PublicKey) (api.Portfolio, error) {
	head, _ := s.holdingsHead(owner)
	a := api.Portfolio{WalletHead: head, Assets: []api.PortfolioAsset{}}
	sol, solKnown := s.processed.price(swapcast.NativeMint())
	total := 0.0
	for _, b := range s.held(owner) {
		row := api.PortfolioAsset{
			AssetID: b.Mint.String(), Symbol: s.symbol(b.Mint), Native: b.Native,
			Amount: strconv.FormatUint(b.Amount, 10), Decimals: b.Decimals,
		}
		if p, ok := s.processed.market.Price(b.Mint); ok && p.Known {
			usd := float64(b.Amount) / math.Pow10(int(b.Decimals)) * p.USD
			row.Price, row.Confidence, row.ValueUSD = &p.USD, &p.Confidence, &usd
			total += usd
			if solKnown {
				inSOL := usd / sol
				row.ValueSOL = &inSOL
			}
		} else {
			a.Unpriced++
		}
		a.Assets = append(a.Assets, row)
	}
	if len(a.Assets) > a.Unpriced || len(a.Assets) == 0 {
		a.ValueUSD = &total
		if solKnown {
			inSOL := total / sol
			a.ValueSOL = &inSOL
		}
	}
	for i := range a.Assets {
		if v := a.Assets[i].ValueUSD; v != nil && total > 0 {
			share := *v / total
			a.Assets[i].Share = &share
		}
	}
	slices.SortStableFunc(a.Assets, func(x, y api.PortfolioAsset) int { return cmp.Compare(valueOr(y.ValueUSD), valueOr(x.ValueUSD)) })
	return a, nil
}

// valueOr puts what has no value behind what is worth nothing.
func valueOr(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func (s *server) walletPnL(_ context.Context, owner solana.PublicKey) (api.PnL, error) {
	head, _ := s.walletHead(owner)
	r, ok := s.wallets.positions.Report(owner, s.processed.price)
	if !ok {
		r = &wallet.Report{} // it was dropped in this very moment
	}
	a := api.PnL{
		WalletHead: head, Fees: apiSum(&r.Fees), Swaps: r.Swaps, Transactions: r.Transactions,
		History: s.walletHistory(owner, r), Assets: []api.PnLAsset{},
	}
	holds := make(map[solana.PublicKey]uint64)
	for _, b := range s.held(owner) {
		holds[b.Mint] += b.Amount // lamports and wrapped SOL are one asset here
	}
	var totals [2][2]total
	blind := false
	for i := range r.Assets {
		asset := &r.Assets[i]
		row := api.PnLAsset{
			AssetID: asset.Mint.String(), Symbol: s.symbol(asset.Mint), Decimals: asset.Decimals,
			Held: strconv.FormatUint(asset.Held, 10), Swaps: asset.Swaps,
			Untracked: strconv.FormatUint(holds[asset.Mint]-min(holds[asset.Mint], asset.Held), 10),
			Bought:    apiSum(&asset.Bought), Sold: apiSum(&asset.Sold), In: apiSum(&asset.In), Out: apiSum(&asset.Out),
			FIFO: apiGains(asset, wallet.FIFO), Average: apiGains(asset, wallet.Average),
		}
		for m := range totals {
			for u := range totals[m] {
				g := &asset.Gains[m][u]
				totals[m][u].add(g)
				blind = blind || g.Blind+g.Unknown > 0
			}
		}
		blind = blind || holds[asset.Mint] > asset.Held
		a.Assets = append(a.Assets, row)
	}
	a.FIFO = api.Gains{USD: totals[0][0].gain(wallet.USD), SOL: totals[0][1].gain(wallet.SOL)}
	a.Average = api.Gains{USD: totals[1][0].gain(wallet.USD), SOL: totals[1][1].gain(wallet.SOL)}
	switch {
	case !a.Complete:
	case a.History.State != api.HistoryComplete || a.History.Missing > 0:
		a.Complete, a.Reason = false, api.ReasonHistory
	case blind:
		a.Complete, a.Reason = false, api.ReasonCost
	}
	return a, nil
}

// walletHistory says how far back the transactions of a report go.
func (s *server) walletHistory(owner solana.PublicKey, r *wallet.Report) api.History {
	h := api.History{State: api.HistoryComplete, Transactions: r.Past.Read, Missing: r.Past.Missing}
	switch {
	case s.wallets.keeper == nil:
		h.State = api.HistoryNone
	case r.Past.Truncated:
		h.State = api.HistoryTruncated
	case !r.Past.Complete() || !s.wallets.restored(owner):
		h.State = api.HistoryReading
	}
	if r.Oldest.Slot != 0 {
		h.OldestSlot = &r.Oldest.Slot
		if r.Oldest.At != 0 {
			h.OldestBlockTime = &r.Oldest.At
		}
	}
	return h
}

// total adds up the gains of all assets.
type total struct {
	realized, unrealized, cost, worth int64
	unpriced                          bool
}

func (t *total) add(g *wallet.Gain) {
	t.realized, t.unrealized = t.realized+g.Realized, t.unrealized+g.Unrealized
	t.cost, t.worth = t.cost+int64(g.Cost), t.worth+int64(g.Worth)
	t.unpriced = t.unpriced || !g.Priced
}

func (t *total) gain(u wallet.Unit) api.Gain {
	g := api.Gain{Realized: money(u, t.realized), Cost: money(u, t.cost)}
	if !t.unpriced {
		unrealized, worth := money(u, t.unrealized), money(u, t.worth)
		g.Unrealized, g.Worth = &unrealized, &worth
	}
	return g
}

func apiGains(a *wallet.Asset, m wallet.Method) api.Gains {
	return api.Gains{USD: apiGain(&a.Gains[m][wallet.USD], wallet.USD), SOL: apiGain(&a.Gains[m][wallet.SOL], wallet.SOL)}
}

func apiGain(g *wallet.Gain, u wallet.Unit) api.Gain {
	out := api.Gain{
		Realized: money(u, g.Realized), Cost: money(u, int64(g.Cost)),
		Held: strconv.FormatUint(g.Amount, 10), Unknown: strconv.FormatUint(g.Unknown, 10), Blind: strconv.FormatUint(g.Blind, 10),
	}
	if g.Priced {
		unrealized, worth := money(u, g.Unrealized), money(u, int64(g.Worth))
		out.Unrealized, out.Worth = &unrealized, &worth
	}
	return out
}

func apiSum(s *wallet.Sums) api.Sum {
	return api.Sum{
		Amount: strconv.FormatUint(s.Amount, 10),
		USD:    money(wallet.USD, int64(s.Value[wallet.USD])), SOL: money(wallet.SOL, int64(s.Value[wallet.SOL])),
		UnknownUSD: unlessZero(s.Blind[wallet.USD]), UnknownSOL: unlessZero(s.Blind[wallet.SOL]),
	}
}

func unlessZero(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// money writes millionths of a dollar, or lamports, in whole dollars or SOL: "-0.5".
func money(u wallet.Unit, n int64) string {
	digits := 6
	if u == wallet.SOL {
		digits = 9
	}
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for len(text) <= digits {
		text = "0" + text
	}
	whole, part := text[:len(text)-digits], text[len(text)-digits:]
	for part != "" && part[len(part)-1] == '0' {
		part = part[:len(part)-1]
	}
	if part != "" {
		part = "." + part
	}
	return sign + whole + part
}
