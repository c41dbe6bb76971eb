package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/swapcast/swapcast"
)

// The chart shows the server's candles of each interval, their past and what
// becomes of them, and the header what the token did within a day.
func TestCandlesOfTheServer(t *testing.T) {
	s := newSite(t, "SOL")
	s.market.set("SOL", 150)
	p := open(t, s, desktop())
	p.live()
	p.do("select SOL", chromedp.Evaluate[chromedp.Void](row("SOL")+`.querySelector('.row-select').click()`))
	p.until("the day's change", `document.querySelector('#fact-day').textContent === '−3.25%'`)
	p.until("the day's volume", `document.querySelector('#fact-volume').textContent.startsWith('$1.2')`)
	for i, interval := range []string{"1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d"} {
		p.do("choose "+interval, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelectorAll('#intervals input')[%d].click()`, i)))
		for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
			if set := s.hub.Load().CandlesWanted(s.market.mints["SOL"]); set == 1<<i {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%s: the page listens to %b", interval, set)
			}
		}
		usd := 151 + float64(i)
		s.market.set("SOL", usd)
		p.until("its close", fmt.Sprintf(`document.querySelector('#ohlc span:last-child').textContent === 'C %.3f'`, usd))
	}
	// What the server says of a candle counts, not the prices that came.
	c, _ := s.market.Candle(s.market.mints["SOL"], swapcast.Interval1d)
	c.High = 9_999
	s.hub.Load().PublishCandle(&c)
	p.until("the server's own high", `document.querySelector('#ohlc').innerText.includes('9,999')`)
}
