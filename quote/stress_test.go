package quote_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// TestCrowd has many callers of few questions over sockets, half of whom leave when
// they like, with services that come and go. Nobody gets another one's answer, and
// nothing is left running (see TestMain).
func TestCrowd(t *testing.T) {
	market := newMarket()
	services := quotetest.New(market, quote.PythFeeds())
	for _, s := range services.All() {
		s.Latency = time.Millisecond
	}
	server := httptest.NewServer(services.Handler())
	defer server.Close()
	opts := rigOptions(market, server.URL)
	opts.Metrics = quote.NewMetrics(nil)
	e, err := quote.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	faults := []quotetest.Fault{
		quotetest.None, quotetest.None, quotetest.Status503, quotetest.CutOff, quotetest.SixHops, quotetest.HangUp, quotetest.NoRoute, quotetest.TooGood,
	}
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 7))
			for range 25 {
				services.Jupiter.Script(faults[rng.IntN(len(faults))])
				patience := time.Minute
				if rng.IntN(2) == 0 {
					patience = time.Duration(rng.IntN(4_000)) * time.Microsecond
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				r := oneSOL()
				r.Amount *= uint64(1 + rng.IntN(3))
				a, err := e.Quote(ctx, r)
				switch {
				case err == nil && (a.InAmount != r.Amount || a.OutAmount < r.Amount*149/1000 || a.OutAmount > r.Amount*151/1000):
					t.Errorf("%d for %d", a.OutAmount, a.InAmount)
				case err != nil && !errors.Is(err, context.DeadlineExceeded):
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	e.Close()
	if _, err := e.Quote(context.Background(), oneSOL()); !errors.Is(err, quote.ErrClosed) {
		t.Error(err)
	}
}
