package browsertest

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

func desktop() look { return look{width: 1440, height: 900, dark: true} }

// A price that the server publishes is on the page, in its row, in the head of
// the chart, and as a flash that says which way it went.
func TestPriceChangeIsSeen(t *testing.T) {
	s := newSite(t, "SOL")
	p := open(t, s, desktop())
	p.live()
	value := row("SOL") + `.querySelector('.value').textContent`
	s.market.set("SOL", 150.25)
	p.until("the price", value+` === '150.250'`)
	p.until("the price above the chart", `document.querySelector('#token-price').textContent === '$150.250'`)
	s.market.set("SOL", 151.5)
	p.until("the price to rise", value+` === '151.500'`)
	p.until("the arrow", row("SOL")+`.querySelector('.tick').textContent === '▲'`)
	p.until("the flash", row("SOL")+`.querySelector('.price-cell').classList.contains('flash-up')`)
	s.market.set("SOL", 149)
	p.until("the price to fall", value+` === '149.000' && `+row("SOL")+`.querySelector('.tick').textContent === '▼'`)
	p.until("the trade on the tape", `document.querySelector('#trades tr td:nth-child(2)').textContent.endsWith('149.000')`)
	p.until("figures", `Number(document.querySelector('#rate').textContent) > 0 && /\d (ms|s)$/.test(document.querySelector('#lag').textContent) && document.querySelector('#slot').textContent.startsWith('371,23')`)
	p.until("a tiny price", row("SAMO")+`.querySelector('.value').textContent.startsWith('0.0₇')`)

	if got := eval[string](p, `document.querySelector('#feed-banner').innerText`); !strings.Contains(strings.ToUpper(got), "SIMULATED MARKET") {
		t.Errorf("banner reads %q", got)
	}
	if links := eval[int](p, `document.querySelectorAll('#trades a').length`); links != 0 {
		t.Errorf("%d simulated trades are linked to an explorer of the real chain", links)
	}
	painted := `[...document.querySelectorAll('#chart canvas')].some(c => c.width > 300 && c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 1 && v > 150))`
	p.until("candles on the chart", painted)
}

// The page looks as it should be shown to people. SWAPCAST_SITE names a running
// server to be shown in place of the played market:
//
//	SWAPCAST_SITE=http://127.0.0.1:8080/ SWAPCAST_SCREENSHOT=page.png go test -run TestScreenshots ./stream/web/browsertest
func TestScreenshots(t *testing.T) {
	s := &site{t: t, url: os.Getenv("SWAPCAST_SITE")}
	if s.url == "" {
		s = newSite(t)
	}
	for _, shot := range []struct {
		variable string
		look     look
		do       func(p *tab)
	}{
		{"SWAPCAST_SCREENSHOT", desktop(), nil},
		{"SWAPCAST_SCREENSHOT_LIGHT", look{width: 1440, height: 900}, nil},
		{"SWAPCAST_SCREENSHOT_NARROW", look{width: 1024, height: 768, dark: true}, nil},
		{"SWAPCAST_SCREENSHOT_PHONE", look{width: 390, height: 844, dark: true, phone: true}, nil},
		{"SWAPCAST_SCREENSHOT_PHONE_CHART", look{width: 390, height: 844, phone: true}, func(p *tab) {
			p.do("open the chart", chromedp.Click(chromedp.CSS(".tabs button[data-panel=chart]")))
		}},
		{"SWAPCAST_SCREENSHOT_PHONE_TAPE", look{width: 390, height: 844, dark: true, phone: true}, func(p *tab) {
			p.do("open the tape", chromedp.Click(chromedp.CSS(".tabs button[data-panel=tape]")))
		}},
	} {
		t.Run(shot.variable, func(t *testing.T) {
			p := open(t, s, shot.look)
			p.live()
			if shot.do != nil {
				shot.do(p)
			}
			p.until("a busy tape", `document.querySelectorAll('#trades tr').length >= 40`)
			p.until("trends", `[...document.querySelectorAll('.spark path')].every(s => s.getAttribute('d').length > 100)`)
			p.until("every price", `[...document.querySelectorAll('#rows .tick')].filter(t => t.textContent).length >= 12`)
			p.until("the lag", `document.querySelector('#lag').textContent !== '–'`)
			if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("the page is %d px wider than the window", over)
			}
			p.shoot(shot.variable)
		})
	}
}

// Numbers that change must not move anything.
func TestNothingMoves(t *testing.T) {
	s := newSite(t, "SOL", "JUP")
	p := open(t, s, desktop())
	p.live()
	p.until("names", `document.querySelectorAll('#rows tr').length === 16`)
	layout := `JSON.stringify([...document.querySelectorAll('header.top > *, .vital dd, #rows td, .panel, .facts div, .token-name')].map(e => { const r = e.getBoundingClientRect(); return [e.className || e.id || e.tagName, r.x, r.y].join(' ') }))`
	s.market.set("SOL", 99.5)
	s.market.set("JUP", 0.00001)
	p.until("the narrow prices", row("SOL")+`.querySelector('.value').textContent === '99.500'`)
	p.until("figures", `document.querySelector('#lag').textContent !== '–' && document.querySelector('#slot').textContent !== '–'`)
	before := eval[string](p, layout)
	s.market.set("SOL", 123456.78)
	s.market.set("JUP", 12.345)
	p.until("the wide prices", row("SOL")+`.querySelector('.value').textContent === '123,456.78'`)
	if after := eval[string](p, layout); after != before {
		t.Errorf("layout moved\nfrom %s\nto   %s", before, after)
	}
}

func TestKeyboard(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	selected := `document.querySelector('#rows tr.selected b').textContent`
	focused := `document.activeElement.closest('tr')?.querySelector('b').textContent`

	p.keys("/")
	p.until("the search field", `document.activeElement.id === 'search-input'`)
	p.keys("b", "o", "n", "k")
	p.until("the filter", `[...document.querySelectorAll('#rows tr')].filter(r => !r.hidden).length === 1`)
	p.keys(kb.Enter)
	p.until("the match", selected+` === 'BONK' && `+focused+` === 'BONK' && document.querySelector('#token-symbol').textContent === 'BONK'`)
	p.until("its tape", `document.querySelectorAll('#trades tr').length > 10`)

	p.keys(kb.ArrowDown)
	p.until("the next row", selected+` === 'WIF' && `+focused+` === 'WIF'`)
	p.keys(kb.ArrowUp, kb.ArrowUp)
	p.until("the row before", selected+` === 'JTO'`)
	p.keys(kb.Home)
	p.until("the first row", selected+` === 'SOL'`)
	p.keys(kb.ArrowDown, kb.Delete)
	p.until("USDC to be gone", `document.querySelectorAll('#rows tr').length === 15 && !(`+row("USDC")+`) && `+focused+` === 'USDT'`)
	p.keys("3")
	p.until("the interval", `document.querySelector('#intervals input:checked').value === '15'`)
	outline := eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`)
	if outline == "none" {
		t.Error("the focused row has no visible focus")
	}

	p.do("reload", chromedp.Reload())
	p.live()
	p.until("the list as it was left", `document.querySelectorAll('#rows tr').length === 15 && `+selected+` === 'USDT' && document.querySelector('#intervals input:checked').value === '15'`)
}

func TestAddAMint(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	// The widths of the price axis and of the axis of time, which draw labels.
	const axes = `[...document.querySelectorAll('#chart table tr:first-child td:last-child, #chart table tr:last-child:not(:first-child) td')].reduce((a, e) => a + e.offsetWidth * e.offsetHeight, 0)`
	p.until("axes", axes+` > 1000 && document.querySelector('#chart-empty').hidden`)
	const stranger = "9n4nbM75f5Ui33ZbPYXn59EwSgE8CGsHtAeTH5YFeJ9E"
	for text, want := range map[string]string{
		stranger[:40]:       "bytes",
		stranger[:43] + "0": "“0” does not occur",
		stranger + "xyz":    "at most 44 characters",
	} {
		p.enter(text)
		p.until("the refusal", fmt.Sprintf(`document.querySelector('#search-error').textContent.includes(%q) && document.querySelector('#search-input').ariaInvalid === 'true'`, want))
	}
	p.enter(stranger)
	p.until("the stranger", `document.querySelector('#rows tr.selected').dataset.mint === '`+stranger+`' && document.querySelector('#search-error').hidden`)
	p.until("no price", `document.querySelector('#token-price').textContent === '–'`)
	p.until("a chart without another token's axes", axes+` === 0 && document.querySelector('#ohlc').textContent === '' && !document.querySelector('#chart-empty').hidden`)
	p.shoot("SWAPCAST_SCREENSHOT_UNKNOWN")
	p.do("remove it", chromedp.Click(chromedp.CSS("#rows tr.selected .remove")))
	p.until("it to be gone", `!document.querySelector('#rows tr[data-mint="`+stranger+`"]')`)
	p.until("the axes of the token beside it", axes+` > 1000 && document.querySelector('#chart-empty').hidden`)

	p.do("remove BONK", chromedp.Evaluate[chromedp.Void](row("BONK")+`.querySelector('.remove').click()`))
	p.search("bonk")
	p.until("the offer", `document.querySelector('#suggestion-list button').textContent.includes('BONK')`)
	p.do("take the offer", chromedp.Click(chromedp.CSS("#suggestion-list button")))
	p.until("BONK to be back", row("BONK")+`.querySelector('.value').textContent !== '–'`)
}

// Names are asked for together, a token that has not traded is no error, and it
// gets its name with its first trade.
func TestNames(t *testing.T) {
	s := newSite(t, "WIF")
	s.market.hide("WIF")
	p := open(t, s, desktop())
	p.live()
	const (
		wif    = "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm"
		asked  = `performance.getEntriesByType('resource').filter(e => /v1\/prices\?/.test(e.name)).map(e => e.name.replace(/.*v1/, '').replace(/=.*/, ''))`
		nameOf = `.querySelector('.row-select').innerText.replace(/\s+/g, ' ').trim()`
	)
	if got := eval[int](p, asked+`.length`); got != 0 {
		t.Errorf("the list came with its names, and %d questions more were asked for them", got)
	}
	p.enter(wif)
	p.until("a token without a name", row("WIF")+nameOf+` === 'EKpQ…zcjm unknown token' && document.querySelector('#token-symbol').textContent === 'EKpQ…zcjm'`)
	p.until("the question", asked+`.join() === '/prices?assets'`)
	p.until("its empty past", `!document.querySelector('#chart-empty').hidden`)
	s.market.hide("")
	s.market.set("WIF", 0.61)
	p.until("its name", row("WIF")+nameOf+` === 'WIF dogwifhat' && document.querySelector('#token-symbol').textContent === 'WIF'`)
	p.until("its chart", `document.querySelector('#chart-empty').hidden && document.querySelector('#ohlc span:last-child').textContent === 'C 0.61000'`)

	// A list that is not the server's: all names in one question, one more for
	// the token that is shown first.
	p.do("reload", chromedp.Evaluate[chromedp.Void](`performance.clearResourceTimings()`), chromedp.Reload())
	p.live()
	p.until("every name", `document.querySelectorAll('#rows tr').length === 16 && [...document.querySelectorAll('#rows tr')].every(r => !r.innerText.includes('unknown') && !r.innerText.includes('…'))`)
	if got := eval[string](p, asked+`.join()`); strings.Count(got, "prices") > 2 {
		t.Errorf("asked for names: %s", got)
	}
	// The day of the token that is shown is asked for, and of no other.
	days := `new Set(performance.getEntriesByType('resource').filter(e => e.name.includes('v1/tokens/')).map(e => e.name)).size`
	if got := eval[int](p, days); got > 1 {
		t.Errorf("the day of %d tokens was asked for", got)
	}
}

func TestThemes(t *testing.T) {
	s := newSite(t)
	p := open(t, s, look{width: 1440, height: 900})
	p.live()
	brightness := `getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)`
	if got := eval[int](p, brightness); got < 600 {
		t.Errorf("light page has brightness %d of 765", got)
	}
	p.do("prefer dark", media("prefers-color-scheme", "dark"))
	p.until("the system's dark", brightness+` < 150`)
	p.do("choose", chromedp.Click(chromedp.CSS("#theme")))
	p.until("light by choice", brightness+` > 600 && document.documentElement.dataset.theme === 'light'`)
	p.do("reload", chromedp.Reload())
	p.live()
	if got := eval[int](p, brightness); got < 600 {
		t.Errorf("the choice is forgotten: brightness %d", got)
	}
	p.do("be still", media("prefers-reduced-motion", "reduce"))
	if got := eval[string](p, `getComputedStyle(Object.assign(document.querySelector('.price-cell'), {className: 'price-cell flash-up'})).animationName`); got != "none" {
		t.Errorf("with reduced motion a price still flashes: %s", got)
	}
}

func TestPhone(t *testing.T) {
	s := newSite(t)
	p := open(t, s, look{width: 390, height: 844, dark: true, phone: true})
	p.live()
	shown := func(id string) string {
		return fmt.Sprintf(`getComputedStyle(document.querySelector('#%s')).visibility === 'visible'`, id)
	}
	p.until("the list alone", shown("watch-panel")+` && !(`+shown("chart-panel")+`) && !(`+shown("tape-panel")+`)`)
	p.do("open a token", chromedp.Evaluate[chromedp.Void](row("WIF")+`.querySelector('.row-select').click()`))
	p.until("its chart", shown("chart-panel")+` && document.querySelector('#token-symbol').textContent === 'WIF'`)
	p.do("tap Trades", chromedp.Click(chromedp.CSS(".tabs button[data-panel=tape]")))
	p.until("its trades", shown("tape-panel")+` && !(`+shown("chart-panel")+`) && document.querySelectorAll('#trades tr').length > 5`)
	p.until("the pill", `document.querySelector('#connection-text').textContent === 'Simulated'`)
	if rows := eval[int](p, `new Set([...document.querySelectorAll('header.top > *')].map(e => { const r = e.getBoundingClientRect(); return Math.round(r.y + r.height / 2) })).size`); rows != 2 {
		t.Errorf("the header has %d rows, want the search field's and one more", rows)
	}
	if over := eval[int](p, `document.documentElement.scrollWidth - 390`); over > 0 {
		t.Errorf("the page is %d px wider than the phone", over)
	}
	p.do("go back to its chart", chromedp.Click(chromedp.CSS(".tabs button[data-panel=chart]")), chromedp.Click(chromedp.CSS("#token-remove")))
	p.until("the list without it", shown("watch-panel")+` && !`+row("WIF"))
	small := eval[string](p, `[...document.querySelectorAll('.tabs button, #theme, #search-input')].filter(e => e.getBoundingClientRect().height < 36).map(e => e.id || e.textContent).join()`)
	if small != "" {
		t.Errorf("too small to tap: %s", small)
	}
}

func TestServerRestart(t *testing.T) {
	s := newSite(t)
	p := open(t, s, desktop())
	p.live()
	p.do("watch the pill", chromedp.Evaluate[chromedp.Void](`window.seen = []; new MutationObserver(() => seen.push(document.querySelector('#connection').dataset.state)).observe(document.querySelector('#connection'), {attributes: true})`))
	s.restart()
	p.until("the reconnect", `seen.includes('waiting') && seen.at(-1) === 'open'`)
	s.market.set("JUP", 3.21)
	p.until("prices of the new server", row("JUP")+`.querySelector('.value').textContent === '3.2100'`)
	s.setState(api.StateStale)
	p.do("reload", chromedp.Reload())
	p.until("the feed's state", `document.querySelector('#health-banner').innerText.includes('stale')`)
}

// The pill says of which kind the connection is. It is green for a live chain
// whose source is well and for nothing else, and it moves nothing.
func TestPill(t *testing.T) {
	pill := func(text string) string {
		return `document.querySelector('#connection-text').textContent === '` + text + `'`
	}
	const (
		green = `getComputedStyle(document.querySelector('#connection')).color === getComputedStyle(document.querySelector('.up')).color`
		place = `JSON.stringify([...document.querySelectorAll('header.top > *')].map(e => { const r = e.getBoundingClientRect(); return [r.x, r.width] }))`
	)
	for _, c := range []struct {
		feed swapcast.Feed
		text string
	}{{swapcast.FeedLive, "Live"}, {swapcast.FeedSimulated, "Simulated"}, {swapcast.FeedReplay, "Replay"}} {
		t.Run(c.text, func(t *testing.T) {
			s := &site{t: t, feed: c.feed}
			s.start()
			p := open(t, s, desktop())
			p.live()
			p.until("the kind", pill(c.text))
			p.until("a price that rose", `document.querySelector('.up')`)
			if got := eval[bool](p, green); got != (c.feed == swapcast.FeedLive) {
				t.Errorf("green: %v", got)
			}
			before := eval[string](p, place)
			p.do("watch the pill", chromedp.Evaluate[chromedp.Void](`window.said = []; new MutationObserver(() => said.push(document.querySelector('#connection-text').textContent)).observe(document.querySelector('#connection'), {subtree: true, childList: true})`))
			for _, ill := range []struct{ state, text string }{{api.StateStale, "Stale"}, {api.StateDisconnected, "No source"}} {
				s.setState(ill.state)
				s.restart() // the page asks for the status when it is connected anew
				p.until(ill.state, `said.includes('Reconnecting') && `+pill(ill.text))
				if eval[bool](p, green) {
					t.Errorf("%s, and green", ill.state)
				}
				if after := eval[string](p, place); after != before {
					t.Errorf("%s: the header moved\nfrom %s\nto   %s", ill.state, before, after)
				}
			}
			s.setState(api.StateHealthy)
			s.restart()
			p.until("health", pill(c.text))
			p.shoot("SWAPCAST_SCREENSHOT_PILL_" + strings.ToUpper(c.text))
		})
	}
}

// A server that asks for keys tells the page, and the page tells the person.
func TestAPIKey(t *testing.T) {
	const key = "open sesame"
	s := &site{t: t, feed: swapcast.FeedSimulated, keys: filepath.Join(t.TempDir(), "keys")}
	if err := os.WriteFile(s.keys, fmt.Appendf(nil, "tester %x\n", sha256.Sum256([]byte(key))), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	p := open(t, s, desktop())
	p.until("the refusal", `document.querySelector('#connection').dataset.state === 'closed' && document.querySelector('#health-banner').innerText.includes('#key=')`)
	p.do("give the key", chromedp.Navigate("about:blank"), chromedp.Navigate(s.url+"#key="+url.QueryEscape(key)))
	p.live()
	p.until("no complaint", `document.querySelector('#health-banner').hidden`)
}
