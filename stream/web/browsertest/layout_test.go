package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// crowded lists what does not fit: figures of the chart's legend that leave
// their panel or meet the interval buttons or one another, and prices that are
// cut off in the list, in the head of the chart and on the tape.
const crowded = `(() => {
	const bad = [];
	const box = (e) => e.getBoundingClientRect();
	const shown = (e) => e && box(e).width > 0 && getComputedStyle(e).visibility === 'visible';
	const bar = document.querySelector('.chart-bar');
	const parts = [document.querySelector('#intervals'), ...document.querySelectorAll('#ohlc span')];
	if (shown(bar)) {
		if (parts.length !== 5) bad.push('the legend has ' + (parts.length - 1) + ' figures');
		const clip = [box(bar), box(document.querySelector('#ohlc'))];
		parts.forEach((e, i) => {
			const r = box(e), name = e.innerText.replaceAll('\n', ' ');
			if (r.width === 0) bad.push(name + ' is not shown');
			for (const c of i ? clip : [clip[0]]) {
				if (r.left < c.left - .5 || r.right > c.right + .5 || r.top < c.top - .5 || r.bottom > c.bottom + .5) bad.push(name + ' is cut off');
			}
			for (const other of parts.slice(i + 1)) {
				const o = box(other);
				if (r.left < o.right && o.left < r.right && r.top < o.bottom && o.top < r.bottom) bad.push(name + ' lies over ' + other.innerText);
			}
		});
	}
	for (const e of document.querySelectorAll('#rows td.num, #trades td, .token-name h2, .token-price')) {
		if (shown(e) && e.scrollWidth > e.clientWidth + 1) bad.push(e.innerText.replaceAll('\n', ' ') + ' is cut off in ' + (e.closest('[id]').id));
	}
	return [...new Set(bad)].join('; ');
})()`

// At every usual width the candle's figures are whole and stand beside or under
// the interval buttons, however long they are, and no token makes the bar higher
// than another.
func TestLegendFits(t *testing.T) {
	s := newSite(t, "SOL", "USDT", "JUP", "SAMO")
	for _, l := range []look{
		{width: 1280, height: 720},
		{width: 1280, height: 800, dark: true},
		{width: 1024, height: 768},
		{width: 1366, height: 768, dark: true},
		{width: 1440, height: 900},
		{width: 1920, height: 1080, dark: true},
		{width: 390, height: 844, phone: true},
		{width: 320, height: 640, phone: true},
	} {
		name := fmt.Sprintf("%d", l.width)
		if l.dark {
			name += "-dark"
		}
		t.Run(name, func(t *testing.T) {
			p := open(t, s, l)
			p.live()
			if l.phone {
				p.do("open the chart", chromedp.Evaluate[chromedp.Void](`document.querySelector('.tabs button[data-panel=chart]').click()`))
			}
			heights := map[int]string{}
			for _, c := range []struct {
				symbol string
				usd    float64
				text   string // as the legend writes it
			}{{"SOL", 163.456, "163.456"}, {"USDT", 0.99981, "0.99981"}, {"JUP", 108000, "108,000.00"}, {"SAMO", 0.0000000412, "0.0₇41200"}} {
				s.market.set(c.symbol, c.usd)
				p.do("select "+c.symbol, chromedp.Evaluate[chromedp.Void](row(c.symbol)+`.querySelector('.row-select').click()`))
				p.until("its close", `document.querySelector('#ohlc span:last-child').textContent === 'C `+c.text+`'`)
				p.until("its tape", `document.querySelectorAll('#trades tr').length > 10`)
				if bad := eval[string](p, crowded); bad != "" {
					t.Errorf("%s: %s", c.symbol, bad)
				}
				heights[eval[int](p, `document.querySelector('.chart-bar').offsetHeight`)] = c.symbol
				p.shoot("SWAPCAST_SCREENSHOT_" + name + "_" + c.symbol)
			}
			if len(heights) != 1 {
				t.Errorf("the bar over the chart has the heights %v", heights)
			}
			if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("the page is %d px wider than the window", over)
			}
		})
	}
}
