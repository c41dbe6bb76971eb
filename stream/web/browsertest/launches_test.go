package browsertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// launches are the tokens that a test has launched; guarded by market.mu.
type launches struct {
	fresh []api.NewToken // newest first
	names map[solana.PublicKey]swapcast.Token
}

// launch makes a token on a curve.
func (m *market) launch(n byte, symbol, name string, curve swapcast.Curve) solana.PublicKey {
	m.mu.Lock()
	defer m.mu.Unlock()
	mint := solana.PublicKey{0: 9, 31: n}
	price := swapcast.Price{
		Mint: mint, USD: 0.0000123, Known: true, Confidence: 0.31, LiquidityUSD: 5_000, DEX: "pumpfun", Slot: m.slot,
		ReceivedAt: time.Now().UnixNano(),
	}
	m.prices[mint] = price
	if m.names == nil {
		m.names = map[solana.PublicKey]swapcast.Token{}
	}
	m.names[mint] = swapcast.Token{Mint: mint, Symbol: symbol, Name: name, Decimals: 6, Known: true, Supply: 1e15, SupplyKnown: true}
	m.fresh = slices.Insert(m.fresh, 0, api.NewToken{
		Price: price, DEX: "pumpfun", Pool: solana.PublicKey{0: 8, 31: n}, Curve: curve,
		FirstSlot: m.slot, FirstAt: time.Now().Add(-90 * time.Second).UnixNano(), Trades: 1_234,
	})
	return mint
}

// progress moves a launched token's curve.
func (m *market) progress(mint solana.PublicKey, curve swapcast.Curve) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.fresh {
		if m.fresh[i].Price.Mint == mint {
			m.fresh[i].Curve = curve
		}
	}
}

// NewTokens answers the API.
func (m *market) NewTokens(limit int) []api.NewToken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.fresh[:min(limit, len(m.fresh))])
}

// Pools answers the API: three pools, one of which stands off; of a launched
// token its curve.
func (m *market) Pools(mint solana.PublicKey) []api.Pool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.prices[mint]
	if !ok || mint == m.unborn {
		return nil
	}
	for _, l := range m.fresh {
		if l.Price.Mint == mint {
			return []api.Pool{{
				Address: l.Pool, DEX: l.DEX, Other: swapcast.NativeMint(), USD: p.USD, USDKnown: true,
				DepthUSD: 2_500, LiquidityUSD: 5_000, Share: 1, Agrees: true, Curve: l.Curve,
			}}
		}
	}
	return []api.Pool{
		{Address: poolKey(1), DEX: "raydium-clmm", Other: swapcast.USDC(), USD: p.USD * 1.001, USDKnown: true, DepthUSD: 1_200_000, LiquidityUSD: 2_000_000, Share: 0.7, Agrees: true},
		{Address: poolKey(2), DEX: "orca-whirlpool", Other: swapcast.NativeMint(), USD: p.USD, USDKnown: true, DepthUSD: 500_000, Share: 0.285, Agrees: true},
		{Address: poolKey(3), DEX: "meteora-dlmm", Other: swapcast.USDT(), USD: p.USD * 1.25, USDKnown: true, DepthUSD: 900, LiquidityUSD: 900, Share: 0.015},
		{Address: poolKey(4), DEX: "phoenix", Other: poolKey(5)},
	}
}

func poolKey(n byte) solana.PublicKey { return solana.PublicKey{0: 77, 31: n} }

// short is an address as the page cuts it.
func short(k solana.PublicKey) string {
	text := k.String()
	return text[:4] + "…" + text[len(text)-4:]
}

// text is the JavaScript for what a cell of a table reads.
func text(table string, row, cell int) string {
	return fmt.Sprintf(`document.querySelectorAll('#%s tr')[%d].cells[%d].innerText.replaceAll('\n', ' | ').trim()`, table, row, cell)
}

// The pools of the chosen token are on the page, with their part of the price
// and how far they stand off it, and the confidence is explained in words.
func TestPools(t *testing.T) {
	s := newSite(t, "SOL", "JUP")
	s.market.set("SOL", 100)
	s.market.set("JUP", 0.5)
	p := open(t, s, desktop())
	p.live()
	p.do("select SOL", chromedp.Evaluate[chromedp.Void](row("SOL")+`.querySelector('.row-select').click()`))
	p.until("four pools", `document.querySelectorAll('#pool-rows tr').length === 4 && document.querySelector('#pools-count').textContent === '4'`)
	for i, want := range [][4]string{
		{"raydium-clmm | USDC " + short(poolKey(1)), "$1.2M | $2M", "70%", "100.100 | +0.10%"},
		{"orca-whirlpool | SOL " + short(poolKey(2)), "$500K", "28%", "100.000 | 0.00%"},
		{"meteora-dlmm | USDT " + short(poolKey(3)), "$900.00 | $900.00", "1.5%", "125.000 | +25.00% out"},
		{"phoenix | " + short(poolKey(4)), "–", "0.0%", "–"},
	} {
		for cell, w := range want {
			p.until(fmt.Sprintf("pool %d, cell %d", i, cell), fmt.Sprintf(`%s.replace(/( \| )+$/, '') === %q`, text("pool-rows", i, cell), w))
		}
	}
	if got := eval[string](p, `document.querySelector('#pool-rows .bar i').style.width`); got != "70%" {
		t.Errorf("the bar of the first pool's share: %q", got)
	}
	reasons := `document.querySelector('#reasons').textContent`
	p.until("the reasons in words", reasons+`.endsWith('% sure: one pool alone makes the price; a bonding curve makes the price; not known yet.')`)

	// The address can be copied; where the browser refuses, it is shown whole.
	p.do("copy", chromedp.Evaluate[chromedp.Void](`document.querySelector('#pool-rows .copy').click()`))
	p.until("copied", fmt.Sprintf(`['copied', %q].includes(document.querySelector('#pool-rows .copy').textContent)`, poolKey(1).String()))

	p.do("select JUP", chromedp.Evaluate[chromedp.Void](row("JUP")+`.querySelector('.row-select').click()`))
	p.until("its pools", text("pool-rows", 0, 3)+` === '0.50050 | +0.10%'`)
	s.market.set("JUP", 0.4)
	p.until("what became of them", text("pool-rows", 0, 3)+` === '0.40040 | +0.10%'`)
}

// New tokens are listed, the newest first, with a bar that follows the curve to
// the migration; one can be looked at, and then be kept.
func TestNewTokens(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	p.until("nothing yet", `document.querySelector('#fresh-empty').textContent === 'No launch has been seen yet.'`)
	old := s.market.launch(1, "", "", swapcast.CurveAt(0.25, 1))
	mint := s.market.launch(2, "FROG", "Moon Frog", swapcast.CurveAt(0.5, 1))
	s.market.launch(3, "HUSH", "Tells nothing", swapcast.Curve{Stage: swapcast.CurveTrading})
	p.until("the newest first", `[...document.querySelectorAll('#fresh-rows b')].map(b => b.textContent).join() === `+fmt.Sprintf("'HUSH,FROG,%s'", short(old)))
	p.until("how many", `document.querySelector('#fresh-count').textContent === '3 launched'`)
	p.until("dex and age", text("fresh-rows", 1, 0)+` === 'FROG | pumpfun · 1 min'`)
	p.until("its price", text("fresh-rows", 1, 2)+` === '0.0₄12300 | −3.25%'`)
	p.until("its volume", text("fresh-rows", 1, 3)+` === '$1.23M | 1.23K tr.'`)
	bar := `document.querySelectorAll('#fresh-rows .bar')[1]`
	for _, step := range []struct {
		curve            swapcast.Curve
		shown, now, said string
	}{
		{swapcast.CurveAt(0.5, 1), "50.0%", "50", "50.0% of the way to migration"},
		{swapcast.CurveAt(0.612, 1), "61.2%", "61", "61.2% of the way to migration"},
		{swapcast.CurveAt(0.99999, 1), "99.9%", "99", "99.9% of the way to migration"},
		{swapcast.CurveAt(1, 1), "complete", "100", "complete, about to migrate"},
		{swapcast.Curve{Stage: swapcast.CurveMigrated, Progress: 1, Known: true}, "migrated", "100", "migrated to an AMM pool"},
	} {
		s.market.progress(mint, step.curve)
		p.until("progress "+step.shown, text("fresh-rows", 1, 1)+fmt.Sprintf(` === %q`, step.shown))
		if got := eval[string](p, bar+`.getAttribute('aria-valuenow') + ': ' + `+bar+`.getAttribute('aria-valuetext')`); got != step.now+": "+step.said {
			t.Errorf("a reader hears %q", got)
		}
	}
	if got := eval[string](p, bar+`.firstChild.style.width + `+bar+`.getAttribute('role')`); got != "100%progressbar" {
		t.Errorf("the bar: %q", got)
	}
	unknown := `document.querySelectorAll('#fresh-rows .bar')[0]`
	if got := eval[string](p, text("fresh-rows", 0, 1)+` + `+unknown+`.hasAttribute('aria-valuenow')`); got != "on curvefalse" {
		t.Errorf("unknown progress: %q", got)
	}

	p.do("look at it", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('#fresh-rows .row-select')[1].click()`))
	p.until("the token", `document.querySelector('#token-symbol').textContent === 'FROG' && document.querySelector('#fact-curve').innerText.includes('migrated')`)
	p.until("its price", `document.querySelector('#token-price').textContent === '$0.0₄12300'`)
	p.until("its market cap", `document.querySelector('#fact-cap').checkVisibility() && document.querySelector('#fact-cap').textContent === '$12,300'`)
	p.until("its curve among the pools", text("pool-rows", 0, 0)+`.startsWith('pumpfun · curve migrated | SOL')`)
	if n := eval[int](p, `document.querySelectorAll('#rows tr').length`); n != 16 {
		t.Errorf("a look put it on the list: %d rows", n)
	}
	p.do("keep it", chromedp.Evaluate[chromedp.Void](`document.querySelector('#token-add').click()`))
	p.until("it on the list", `document.querySelectorAll('#rows tr').length === 17 && document.querySelector('#rows tr.selected b').textContent === 'FROG' && document.querySelector('#token-add').hidden`)
	p.do("take it off", chromedp.Evaluate[chromedp.Void](`document.querySelector('#token-remove').click()`))
	p.until("it gone", `document.querySelectorAll('#rows tr').length === 16 && document.querySelector('#token-symbol').textContent !== 'FROG'`)

	// One stop of the Tab key; the arrows move within, and a launch meanwhile
	// takes the focus from nobody.
	p.do("focus", chromedp.Evaluate[chromedp.Void](`document.querySelector('#fresh-rows .row-select').focus()`))
	p.keys(kb.ArrowDown)
	focused := `document.activeElement.querySelector('b').textContent === 'FROG'`
	p.until("the focus on the second", focused)
	s.market.launch(4, "LATE", "", swapcast.CurveAt(0.01, 1))
	p.until("the launch on top", `document.querySelector('#fresh-rows b').textContent === 'LATE' && `+focused)
	if n := eval[int](p, `document.querySelectorAll('#fresh-rows [tabindex="0"]').length`); n != 1 {
		t.Errorf("%d stops of the Tab key", n)
	}
}

// Whatever a token calls itself stays text, within its cell.
func TestHostileNames(t *testing.T) {
	s := newSite(t)
	evil := `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`
	s.market.launch(1, evil, evil, swapcast.CurveAt(0.5, 1))
	s.market.launch(2, strings.Repeat("W", 300), strings.Repeat("long ", 300), swapcast.CurveAt(0.5, 1))
	s.market.launch(3, "\u202e\u2066LIVE"+strings.Repeat("\u0301", 200), "\u202e\x00\u200b", swapcast.CurveAt(0.5, 1))
	s.market.launch(4, "a\nb'\"`${1}", "</td></table>", swapcast.CurveAt(0.5, 1))
	for _, l := range []look{desktop(), {width: 375, height: 720, phone: true}} {
		t.Run(fmt.Sprint(l.width), func(t *testing.T) {
			p := open(t, s, l)
			p.live()
			for i := range 4 {
				if l.phone {
					p.do("open the new tokens", chromedp.Evaluate[chromedp.Void](`document.querySelector('.tabs button[data-panel=fresh]').click()`))
				}
				p.until("the tokens", `document.querySelectorAll('#fresh-rows tr').length === 4`)
				p.do("select one", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll('#fresh-rows .row-select')[%d].click()`, i)))
				p.until("its name", fmt.Sprintf(`document.querySelector('#token-symbol').textContent === document.querySelectorAll('#fresh-rows b')[%d].textContent`, i))
				p.until("its curve", `document.querySelectorAll('#pool-rows tr').length === 1`)
				if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
					t.Errorf("token %d makes the page %d px wider than the window", i, over)
				}
			}
			if got := eval[string](p, `document.querySelectorAll('#fresh-rows b')[3].textContent`); got != evil {
				t.Errorf("the name reads %q", got)
			}
			if n := eval[int](p, `document.querySelectorAll('.panels img, .panels script').length + (window.pwned ? 100 : 0)`); n != 0 {
				t.Errorf("a name became %d elements", n)
			}
			rows := eval[[]int](p, `[...document.querySelectorAll('#fresh-rows tr')].map(r => r.offsetHeight)`)
			for _, h := range rows {
				if h != rows[0] {
					t.Errorf("rows of %v px: a name left its line", rows)
				}
			}
		})
	}
}

// On a phone every panel has the whole width, and nothing sticks out of it.
func TestPanelsOnAPhone(t *testing.T) {
	s := newSite(t)
	for n := range byte(8) {
		s.market.launch(n+1, fmt.Sprintf("TOKEN%d", n), "A token", swapcast.CurveAt(float64(n), 8))
	}
	for _, width := range []int64{375, 320} {
		p := open(t, s, look{width: width, height: 720, phone: true, dark: width == 375})
		p.live()
		p.until("pools and new tokens", `document.querySelectorAll('#pool-rows tr').length > 0 && document.querySelectorAll('#fresh-rows tr').length === 8`)
		for _, name := range []string{"watch", "fresh", "chart", "pools", "tape"} {
			p.do("open "+name, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector('.tabs button[data-panel=%s]').click()`, name)))
			p.until("it", fmt.Sprintf(`document.querySelector('#%s-panel').checkVisibility({visibilityProperty: true}) && document.querySelectorAll('.panel').length === [...document.querySelectorAll('.panel')].filter(e => e.id === '%s-panel' || getComputedStyle(e).visibility === 'hidden').length`, name, name))
			over := eval[string](p, fmt.Sprintf(`[...document.querySelectorAll('#%s-panel *, .tabs button')].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.right > innerWidth + .5 || r.left < -.5) && !e.closest('#chart, .visually-hidden, .segments input') }).map(e => e.tagName + '.' + e.className).join(' ')`, name))
			if over != "" {
				t.Errorf("%d px, %s: %s stick out", width, name, over)
			}
			p.shoot(fmt.Sprintf("SWAPCAST_SCREENSHOT_%d_%s", width, strings.ToUpper(name)))
		}
	}
}
