package browsertest

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// holder answers what is asked of wallets: any of them holds SOL, wrapped too, and
// tokens of a price, and raw units of one without.
type holder struct {
	sol    atomic.Int64 // lamports, beside one wrapped SOL
	asked  atomic.Int64
	reason string // of answers that are not complete
}

const solUSD = 150

func (h *holder) head(owner solana.PublicKey) api.WalletHead {
	h.asked.Add(1)
	return api.WalletHead{
		Wallet: owner.String(), Commitment: "processed", Complete: h.reason == "", Reason: h.reason, Slot: 9, TS: 1, Feed: swapcast.FeedSimulated,
	}
}

// Balances is not asked for by the page: the stream tells them.
func (h *holder) Balances(_ context.Context, owner solana.PublicKey) (api.WalletBalances, error) {
	return api.WalletBalances{WalletHead: h.head(owner), Balances: []api.WalletBalance{}}, nil
}

func (h *holder) Portfolio(_ context.Context, owner solana.PublicKey) (api.Portfolio, error) {
	price, one := float64(solUSD), 1.0
	a := api.Portfolio{WalletHead: h.head(owner), Unpriced: 1}
	total := 0.0
	add := func(mint solana.PublicKey, symbol string, native bool, amount int64, decimals uint8, usd float64) {
		price, value := &price, usd
		if mint != swapcast.NativeMint() {
			price = &one
		}
		sol := value / solUSD
		total += value
		a.Assets = append(a.Assets, api.PortfolioAsset{
			AssetID: mint.String(), Symbol: symbol, Native: native, Amount: strconv.FormatInt(amount, 10), Decimals: decimals,
			Price: price, Confidence: &one, ValueUSD: &value, ValueSOL: &sol,
		})
	}
	lamports := h.sol.Load()
	add(swapcast.NativeMint(), "SOL", true, lamports, 9, float64(lamports)/1e9*solUSD)
	add(swapcast.NativeMint(), "SOL", false, 1e9, 9, solUSD)
	add(swapcast.USDC(), "USDC", false, 300e6, 6, 300)
	for i := range 8 {
		add(solana.PublicKey{9, byte(i)}, "", false, 1e6, 6, 1)
	}
	for i := range a.Assets {
		share := *a.Assets[i].ValueUSD / total
		a.Assets[i].Share = &share
	}
	a.Assets = append(a.Assets, api.PortfolioAsset{AssetID: solana.PublicKey{8}.String(), Amount: "5", Decimals: 6})
	sol := total / solUSD
	a.ValueUSD, a.ValueSOL = &total, &sol
	return a, nil
}

func (h *holder) PnL(_ context.Context, owner solana.PublicKey) (api.PnL, error) {
	gains := func(realized, unrealized string) api.Gains {
		g := api.Gain{Realized: realized, Unrealized: &unrealized, Cost: "1", Worth: &unrealized}
		return api.Gains{USD: g, SOL: g}
	}
	return api.PnL{
		WalletHead: h.head(owner), FIFO: gains("200", "-50.5"), Average: gains("150", "0"), Fees: api.Sum{Amount: "15000", USD: "0.0225", SOL: "0.000015"},
		Transactions: 3, Swaps: 3, History: api.History{State: api.HistoryComplete}, Assets: []api.PnLAsset{},
	}, nil
}

// A followed wallet's value, gains and allocation are shown, drawn and told to
// readers, follow its balances, and say that they are simulated and what is missing.
func TestPortfolio(t *testing.T) {
	s := newSite(t)
	s.holder.sol.Store(1_000_000_000)
	s.holder.reason = api.ReasonNoRPC
	p := open(t, s, desktop())
	p.live()
	if n := s.holder.asked.Load(); n != 0 {
		t.Errorf("asked %d times before anybody pasted a wallet", n)
	}
	owner := solana.PublicKey{7, 7, 8}
	p.do("paste a wallet", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
		`(() => { document.querySelector('#wallet').open = true; document.querySelector('#wallet-input').value = %q; document.querySelector('#wallet-form').requestSubmit() })()`, owner.String())))
	reads := func(id string) string { return `document.querySelector('#` + id + `').textContent` }
	// 150 native + 150 wrapped + 300 USDC + 8 tokens of a dollar.
	p.until("the value", `!document.querySelector('#portfolio').hidden && `+reads("portfolio-value")+` === '$608.00'`)
	for id, want := range map[string]string{
		"portfolio-realized": "+$200.00", "portfolio-unrealized": "−$50.50", "portfolio-fees": "$0.02", "portfolio-tag": "simulated",
	} {
		if got := eval[string](p, reads(id)); got != want {
			t.Errorf("%s reads %q, want %q", id, got, want)
		}
	}
	if note := eval[string](p, reads("portfolio-note")); note != "1 of its holdings has no price. Only what the stream has shown since the wallet is followed: this server has no node to ask." {
		t.Errorf("what is missing reads %q", note)
	}
	label := `document.querySelector('#allocation').ariaLabel`
	if got, want := eval[string](p, label), "Allocation: SOL 49.3%, USDC 49.3%, "; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("a reader hears %q, want it to begin with %q", got, want)
	}
	if n, rows := eval[int](p, `document.querySelectorAll('#allocation .slice').length`), eval[int](p, `document.querySelectorAll('#allocation-list li').length`); n != 7 || rows != 7 {
		t.Errorf("%d slices and %d names, want 7: SOL as one, six in all, and the others", n, rows)
	}
	sum := eval[float64](p, `[...document.querySelectorAll('#allocation .slice')].reduce((sum, c) => sum + parseFloat(c.getAttribute('stroke-dasharray')), 0)`)
	if sum < 94 || sum > 100 {
		t.Errorf("the slices take %.1f%% of the ring", sum)
	}
	p.do("choose the other method", chromedp.Evaluate[chromedp.Void](`document.querySelector('#portfolio-methods input[value=average]').click()`))
	p.until("the other gains", reads("portfolio-realized")+` === '+$150.00' && `+reads("portfolio-unrealized")+` === '$0.00'`)
	p.shoot("SWAPCAST_SCREENSHOT_portfolio")

	// The wallet moves: the page asks again at once, not at the next turn.
	s.holder.sol.Store(3_000_000_000)
	b := swapcast.Balance{Owner: owner, Mint: swapcast.NativeMint(), Native: true, Amount: 3_000_000_000, Decimals: 9, Slot: 10}
	for range 200 { // until the subscription has come
		s.hub.Load().PublishBalance(&b)
		if eval[bool](p, `document.querySelectorAll('#wallet-rows tr').length === 1`) {
			break
		}
	}
	p.until("the new value", reads("portfolio-value")+` === '$908.00'`)

	p.do("follow no wallet", chromedp.Evaluate[chromedp.Void](`(() => { document.querySelector('#wallet-input').value = ''; document.querySelector('#wallet-form').requestSubmit() })()`))
	p.until("nothing to be shown", `document.querySelector('#portfolio').hidden`)
}
