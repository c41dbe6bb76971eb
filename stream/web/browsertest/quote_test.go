package browsertest

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// newQuoteSite is a site with a quote engine that asks stand-ins.
func newQuoteSite(t *testing.T) (*site, *quotetest.Services) {
	t.Helper()
	m := &quotetest.Fixed{Tokens: map[solana.PublicKey]quotetest.Token{
		swapcast.NativeMint(): {USD: 150, Decimals: 9},
		swapcast.USDC():       {USD: 1, Decimals: 6},
	}}
	m.Head.Store(371_234_567)
	services := quotetest.New(m, quote.PythFeeds())
	server := httptest.NewServer(services.Handler())
	t.Cleanup(server.Close)
	engine, err := quote.New(quote.Options{
		Jupiter: quote.Jupiter{Remote: quote.Remote{URL: server.URL + "/jupiter"}},
		DFlow:   quote.Remote{URL: server.URL + "/dflow"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	s := &site{t: t, feed: swapcast.FeedSimulated, quote: engine.Quote}
	s.start("SOL", "JUP")
	return s, services
}

// The quote box asks when it is told to, shows the answer with what every source
// said, says that it is simulated, and that there is none where there is none.
func TestQuoteBox(t *testing.T) {
	s, services := newQuoteSite(t)
	p := open(t, s, desktop())
	p.live()
	p.do("open the box", chromedp.Evaluate[chromedp.Void](`document.querySelector('#quote summary').click()`))
	p.until("tokens to choose from", `document.querySelector('#quote-from').value === '`+swapcast.NativeMintAddress+`' && document.querySelector('#quote-to').value === '`+swapcast.USDC().String()+`' && document.querySelector('#quote-from').options.length > 2`)
	ask := func(amount string) {
		t.Helper()
		p.do("ask", chromedp.Evaluate[chromedp.Void](`(() => { document.querySelector('#quote-amount').value = '`+amount+`'; document.querySelector('#quote-form').requestSubmit() })()`))
	}
	if n := services.Jupiter.Calls(); n != 0 {
		t.Errorf("%d calls before anybody asked", n)
	}

	ask("0.1")
	p.until("the answer", `/^0\.1 SOL brings 14\.9\d+ USDC simulated/.test(document.querySelector('#quote-answer').innerText)`)
	p.until("every source", `document.querySelectorAll('#quote-rows tr').length === 5`)
	for cell, want := range []string{"jupiter", "14.992491", "", "", ""} {
		if got := eval[string](p, text("quote-rows", 0, cell)); want != "" && got != want {
			t.Errorf("cell %d of the first source reads %q, want %q", cell, got, want)
		}
	}
	if got := eval[string](p, text("quote-rows", 1, 3)); got != "not asked: not needed" {
		t.Errorf("a source that was not asked reads %q", got)
	}
	p.shoot("SWAPCAST_SCREENSHOT_quote")

	services.Jupiter.Set(quotetest.SixHops)
	ask("0.2")
	p.until("the fallback wins", `document.querySelector('#quote-rows tr.won').cells[0].innerText === 'dflow'`)
	p.until("the warning of the other", text("quote-rows", 0, 3)+` === 'many hops'`)

	ask("nothing")
	p.until("a wrong amount", `document.querySelector('#quote-note').innerText.startsWith('Write an amount') && document.querySelector('#quote-answer').hidden`)

	services.Jupiter.Set(quotetest.NoRoute)
	services.DFlow.Set(quotetest.Forbidden)
	ask("0.3")
	p.until("no quote", `document.querySelector('#quote-note').innerText.startsWith('no source has a quote') && document.querySelector('#quote-answer').hidden`)
	p.until("why", text("quote-rows", 1, 3)+` === 'failed: unauthorized'`)
	if over := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
		t.Errorf("the page is %d px wider than the window", over)
	}
	// A browser logs every answer that is an error.
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.problems) != 1 || !strings.Contains(p.problems[0], "502") {
		t.Errorf("the console says %q", p.problems)
	}
	p.problems = nil
}
