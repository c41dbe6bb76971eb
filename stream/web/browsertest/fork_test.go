package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// quietTrade is a trade of a token that moves only when a test says so.
func quietTrade(s *site, symbol string, slot uint64, commitment swapcast.Commitment) *swapcast.Trade {
	return &swapcast.Trade{
		Mint: s.market.mints[symbol], Side: swapcast.Buy, Amount: 1_500_000, Decimals: 6, USD: 2.5, AmountUSD: 3.75, Known: true,
		Trader: solana.PublicKey{9}, DEX: "orca-whirlpool", Slot: slot, Signature: solana.Signature{byte(slot), 1}, BlockTime: time.Now().Unix(),
		Commitment: commitment,
	}
}

// tapeRow is the JavaScript for the newest row of the tape.
const tapeRow = `document.querySelector('#trades tr')`

// selectQuiet selects a token and waits for its past.
func (p *tab) selectQuiet(symbol string) {
	p.t.Helper()
	p.do("select "+symbol, chromedp.Evaluate[chromedp.Void](row(symbol)+`.querySelector('.row-select').click()`))
	p.until("its tape", `document.querySelectorAll('#trades tr').length > 10`)
}

// A trade that a fork takes back is struck out, for the eye and for a reader, and
// what the server has not seen stands in the list.
func TestRetractAndGapAreSeen(t *testing.T) {
	s := newSite(t, "RAY")
	p := open(t, s, desktop())
	p.live()
	p.selectQuiet("RAY")
	server := s.hub.Load()
	for _, slot := range []uint64{901, 902} {
		server.PublishTrade(quietTrade(s, "RAY", slot, swapcast.Processed))
	}
	find := func(slot uint64) string {
		signature := solana.Signature{byte(slot), 1}
		return fmt.Sprintf(`[...document.querySelectorAll('#trades tr')].find(tr => tr.querySelector('.who')?.title.includes(%q))`, signature.String())
	}
	p.until("the second trade", find(902))
	server.PublishRetract(&swapcast.Retract{Mint: s.market.mints["RAY"], Slot: 902, Signatures: []solana.Signature{{902 & 0xff, 1}}})
	p.until("the trade to be struck out", find(902)+`.classList.contains('retracted')`)
	p.until("a word for readers", find(902)+`.textContent.startsWith('Taken back: ')`)
	if line := eval[string](p, `getComputedStyle(`+find(902)+`.cells[1]).textDecorationLine`); line != "line-through" {
		t.Errorf("struck out with %q", line)
	}
	if eval[bool](p, find(901)+`.classList.contains('retracted')`) {
		t.Error("the other trade is struck out too")
	}

	server.PublishGap(&swapcast.Gap{FromSlot: 903, ToSlot: 905, Reason: "out_of_range"})
	p.until("the gap", tapeRow+`.className.includes('gap') && `+tapeRow+`.textContent === 'The server has not seen all of slots 903 to 905'`)
	server.PublishTrade(quietTrade(s, "RAY", 906, swapcast.Processed))
	p.until("the trade above the gap", tapeRow+`.nextElementSibling.className.includes('gap')`)
}

// The feed's state stands in the foot, and what is wrong in a banner, as soon as
// the server says so.
func TestStatusIsSeen(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	line, note := `document.querySelector('#feed-line').textContent`, `document.querySelector('#health-note').textContent`
	p.until("the feed", line+` === 'Feed healthy · heard 84 ms ago · slot 371,234,567'`)
	st := wire.Status{Feed: wire.FeedHealthy, Slot: 371_234_568, LagMS: 90, LagKnown: true, Degraded: true, Message: "<b>one</b> source is late"}
	s.hub.Load().PublishStatus(&st)
	p.until("what is wrong", note+` === '<b>one</b> source is late' && !document.querySelector('#health-banner').hidden`)
	p.until("it in the line", line+`.startsWith('Feed healthy, degraded · heard 90 ms ago')`)
	st.Degraded, st.Message = false, ""
	s.hub.Load().PublishStatus(&st)
	p.until("all to be well", `document.querySelector('#health-banner').hidden`)
}

// The other commitment has prices and trades of its own.
func TestCommitmentSwitch(t *testing.T) {
	s := newSite(t, "RAY")
	p := open(t, s, desktop())
	p.live()
	p.selectQuiet("RAY")
	p.do("switch", chromedp.Evaluate[chromedp.Void](`document.querySelector('#commitment input[value=confirmed]').click()`))
	p.until("an empty tape", `document.querySelectorAll('#trades tr').length === 0`)
	p.until("no price", `document.querySelector('#token-price').textContent === '–'`)
	server := s.hub.Load()
	price := swapcast.Price{Mint: s.market.mints["RAY"], USD: 4.25, Known: true, Confidence: 0.5, DEX: "x", Slot: 9, Commitment: swapcast.Confirmed}
	server.PublishPrice(&price) // the snapshot has it, if the subscription has not come yet
	p.until("the confirmed price", `document.querySelector('#token-price').textContent === '$4.2500'`)
	for n := range uint64(50) { // until the subscription has come
		server.PublishTrade(quietTrade(s, "RAY", 3+2*n, swapcast.Processed))
		server.PublishTrade(quietTrade(s, "RAY", 4+2*n, swapcast.Confirmed))
		if eval[int](p, `document.querySelectorAll('#trades tr').length`) > 0 {
			break
		}
	}
	p.until("confirmed trades", `document.querySelectorAll('#trades tr').length > 0`)
	p.do("switch back", chromedp.Evaluate[chromedp.Void](`document.querySelector('#commitment input[value=processed]').click()`))
	p.until("the tape of before", `document.querySelectorAll('#trades tr').length > 10`)
}

// A wallet's balances move as they change.
func TestWalletBox(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	owner := solana.PublicKey{7, 7, 7}
	input := func(text string) {
		p.do("paste "+text, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`(() => { document.querySelector('#wallet').open = true; document.querySelector('#wallet-input').value = %q; document.querySelector('#wallet-form').requestSubmit() })()`, text)))
	}
	note := `document.querySelector('#wallet-note').textContent`
	input("nonsense0")
	p.until("what is wrong with it", note+`.includes('does not occur') && document.querySelector('#wallet-input').ariaInvalid === 'true'`)
	input(owner.String())
	p.until("the wait", note+`.startsWith('Waiting')`)
	b := swapcast.Balance{Owner: owner, Mint: s.market.mints["RAY"], Amount: 2_500_000, Decimals: 6, Slot: 9}
	cell := `document.querySelector('#wallet-rows tr').cells`
	publish := func(what, want string) {
		t.Helper()
		for range 200 { // until the subscription has come
			s.hub.Load().PublishBalance(&b)
			if eval[bool](p, want) {
				return
			}
		}
		p.until(what, want)
	}
	publish("the balance", `document.querySelectorAll('#wallet-rows tr').length === 1 && `+cell+`[0].textContent === 'RAY' && `+cell+`[1].textContent === '2.5'`)
	b.Amount = 1_000_000
	publish("the balance to move", cell+`[1].textContent === '1' && document.querySelector('#wallet-rows tr').classList.contains('new')`)
	b.Native, b.Decimals, b.Amount = true, 9, 3_000_000_000
	publish("the wallet's SOL", `document.querySelectorAll('#wallet-rows tr').length === 2 && `+cell+`[0].textContent === 'SOL' && `+cell+`[1].textContent === '3'`)
}
