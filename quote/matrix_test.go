package quote_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/quote/quotetest"
)

var fullMatrix = flag.Bool("matrix", false, "run every pair of faults, and all of it over sockets in real time")

// Faults that are not a service's own doing.
const (
	refused    quotetest.Fault = "refused"      // nothing listens there
	silentFeed quotetest.Fault = "silent_feed"  // on-chain: our stream stands still
	noPools    quotetest.Fault = "no_pools"     // on-chain
	oldPools   quotetest.Fault = "old_pools"    // on-chain: no pool traded for long
	richPools  quotetest.Fault = "rich_pools"   // on-chain: reserves that are ten times off
	mixed      quotetest.Fault = "(all faulty)" // each source one of its own
)

// wound is one source with one fault.
type wound struct {
	source string
	fault  quotetest.Fault
}

// cell is one case of the matrix.
type cell []wound

func (c cell) String() string {
	var parts []string
	for _, w := range c {
		parts = append(parts, w.source+"="+string(w.fault))
	}
	return strings.Join(parts, " ")
}

// faultsOf lists all faults of each source.
func faultsOf() map[string][]quotetest.Fault {
	m := quotetest.New(newMarket(), quote.PythFeeds())
	with := func(s *quotetest.Service) []quotetest.Fault { return append(s.Faults(), refused) }
	return map[string][]quotetest.Fault{
		quote.NameJupiter: with(m.Jupiter), quote.NameDFlow: with(m.DFlow), quote.NameHashflow: with(m.Hashflow),
		quote.NamePyth: with(m.Hermes), quote.NameOnChain: {silentFeed, noPools, oldPools, richPools},
	}
}

func sourceNames() []string {
	return []string{quote.NameJupiter, quote.NameDFlow, quote.NameHashflow, quote.NameOnChain, quote.NamePyth}
}

// telling are faults that differ in what the engine does about them: pairs of all
// of them are for the full run.
func telling() []quotetest.Fault {
	return []quotetest.Fault{
		quotetest.Silent, quotetest.HeadersOnly, quotetest.Status503, quotetest.LimitedAfter, quotetest.Unauthorized,
		quotetest.CutOff, quotetest.OtherMint, quotetest.TooGood, quotetest.TooBad, quotetest.NoRoute, quotetest.OldSlot,
		quotetest.StalePrice, quotetest.Expired, refused, noPools, richPools,
	}
}

// cells lists singles, pairs, and two hundred cases in which every source is faulty.
func cells(full bool) (list []cell) {
	faults := faultsOf()
	names := sourceNames()
	for _, a := range names {
		for _, f := range faults[a] {
			list = append(list, cell{{a, f}})
		}
	}
	keep := telling()
	for i, a := range names {
		for _, b := range names[i+1:] {
			for _, fa := range faults[a] {
				for _, fb := range faults[b] {
					if full || slices.Contains(keep, fa) && slices.Contains(keep, fb) {
						list = append(list, cell{{a, fa}, {b, fb}})
					}
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var c cell
		for _, a := range names {
			c = append(c, wound{a, faults[a][rng.IntN(len(faults[a]))]})
		}
		list = append(list, c)
	}
	return list
}

// wounded applies a cell to options and stand-ins.
func (c cell) wounded(o *quote.Options, m *testMarket, s *quotetest.Services, refusedURL string) {
	service := map[string]*quotetest.Service{
		quote.NameJupiter: s.Jupiter, quote.NameDFlow: s.DFlow, quote.NameHashflow: s.Hashflow, quote.NamePyth: s.Hermes,
	}
	url := map[string]*string{
		quote.NameJupiter: &o.Jupiter.URL, quote.NameDFlow: &o.DFlow.URL, quote.NameHashflow: &o.Hashflow.URL, quote.NamePyth: &o.Pyth.URL,
	}
	for _, w := range c {
		switch w.fault {
		case quotetest.None:
		case refused:
			*url[w.source] = refusedURL
		case silentFeed:
			o.OnChain.Reserves = reference{silent(m)}
		case noPools:
			m.noPools.Store(true)
		case oldPools:
			m.oldPools.Store(true)
		case richPools:
			m.richPool.Store(true)
		default:
			service[w.source].Set(w.fault)
		}
	}
}

// silent is the same market with a feed that stands still, for the on-chain source
// alone: our prices are another matter.
func silent(m *testMarket) *testMarket {
	other := newMarket()
	other.silent.Store(true)
	other.Fixed.Head.Store(m.Slot())
	return other
}

// verdict holds one request's end against what may be. It returns what is wrong.
func (c cell) verdict(a *quote.Answer, took time.Duration, limit time.Duration, err error) string {
	if took > limit {
		return fmt.Sprintf("took %v", took)
	}
	if err != nil {
		var none *quote.NoQuoteError
		if !errors.As(err, &none) {
			return "error " + err.Error()
		}
		if len(c) < len(sourceNames()) {
			return "an error although a source was well: " + err.Error()
		}
		for _, s := range none.Sources {
			if s.Outcome == quote.OutcomeOK || s.Outcome == "" {
				return "an error that hides a quote: " + err.Error()
			}
		}
		return ""
	}
	truth := solUSD * 1e6
	out := float64(a.OutAmount)
	switch r := oneSOL(); {
	case a.InputMint != r.InputMint || a.OutputMint != r.OutputMint || a.InAmount != r.Amount:
		return "a quote for something else"
	case out > truth*1.001 || out < truth*0.95:
		return fmt.Sprintf("%s is believed with %.0f instead of %.0f", a.Source, out, truth)
	case a.Executable == (a.Source == quote.NamePyth):
		return "executable is wrong for " + a.Source
	}
	// Whom nothing ails must not lose to one that is 1% worse.
	if len(c) < 3 && out < truth*0.99 {
		return fmt.Sprintf("%s wins with %.0f although others had more", a.Source, out)
	}
	return ""
}

// TestFaultMatrix asks once in each cell, in fake time: the deadline is the real one,
// to the nanosecond. After that it asks again, with the breakers as they are by then.
func TestFaultMatrix(t *testing.T) {
	list := cells(*fullMatrix)
	var slowest time.Duration
	asked, failed := 0, 0
	for _, c := range list {
		rounds := 4
		if len(c) == 2 {
			rounds = 2
		}
		synctest.Test(t, func(t *testing.T) {
			r := newRigWith(t, func(o *quote.Options, m *testMarket, s *quotetest.Services) {
				c.wounded(o, m, s, "http://"+refusedHost)
			})
			for range rounds {
				a, took, err := r.quote(oneSOL())
				if bad := c.verdict(a, took, 2*time.Second, err); bad != "" {
					t.Errorf("%s: %s", c, bad)
				}
				slowest = max(slowest, took)
				asked++
				if err != nil {
					failed++
				}
			}
		})
	}
	t.Logf("%d cells, %d requests, %d without a quote (every source faulty), slowest %v", len(list), asked, failed, slowest)
}

// TestFaultMatrixShort runs over real sockets: the faults that hang, and a few that do
// not, all at about the same time.
func TestFaultMatrixShort(t *testing.T) {
	if *fullMatrix {
		t.Skip("the full one runs instead")
	}
	var list []cell
	for _, f := range []quotetest.Fault{quotetest.Silent, quotetest.HeadersOnly, quotetest.Drip, quotetest.Huge, quotetest.RedirectLoop, refused} {
		for _, name := range []string{quote.NameJupiter, quote.NameDFlow, quote.NameHashflow, quote.NamePyth} {
			list = append(list, cell{{name, f}})
		}
		list = append(list, cell{{quote.NameJupiter, f}, {quote.NameDFlow, f}, {quote.NameHashflow, f}, {quote.NameOnChain, noPools}, {quote.NamePyth, f}})
	}
	// A machine under load adds to any deadline (the fake-time matrix is exact): what
	// is judged here is that each request ends, and rightly.
	m := newSocketMatrix(t)
	for i, r := range m.run(list, 20*time.Millisecond) {
		if bad := list[i].verdict(r.answer, r.took, 5*time.Second, r.err); bad != "" {
			t.Errorf("%s: %s", list[i], bad)
		}
	}
}

// TestFaultMatrixReal is the whole matrix over sockets, in real time, 50 requests a
// second: make quote-matrix. A time is judged without what this process stood still
// meanwhile because others had the processor; the table has it whole.
func TestFaultMatrixReal(t *testing.T) {
	if !*fullMatrix {
		t.Skip("for make quote-matrix")
	}
	list := cells(true)
	rng := rand.New(rand.NewPCG(3, 4))
	rng.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	m := newSocketMatrix(t)
	start := time.Now()
	pulse := newPulse()
	results := m.run(list, time.Second/50)
	took := time.Since(start)
	pulse.stop()
	type row struct {
		requests, ok, none, wrong int
		slowest                   time.Duration
	}
	rows := map[string]*row{}
	count := func(name string, r *matrixResult, bad string) {
		w := rows[name]
		if w == nil {
			w = &row{}
			rows[name] = w
		}
		w.requests++
		w.slowest = max(w.slowest, r.took)
		switch {
		case bad != "":
			w.wrong++
		case r.err != nil:
			w.none++
		default:
			w.ok++
		}
	}
	var times []time.Duration
	var worst *matrixResult
	for i := range results {
		r := &results[i]
		if worst == nil || r.took > worst.took {
			worst = r
		}
		bad := list[i].verdict(r.answer, pulse.less(r), 2*time.Second, r.err)
		if bad != "" {
			t.Errorf("%s: %s", list[i], bad)
		}
		times = append(times, r.took)
		if len(list[i]) == len(sourceNames()) {
			count(string(mixed), r, bad)
			continue
		}
		for _, w := range list[i] {
			count(w.source+" "+string(w.fault), r, bad)
		}
	}
	slices.Sort(times)
	names := make([]string, 0, len(rows))
	for n := range rows {
		names = append(names, n)
	}
	slices.Sort(names)
	var text strings.Builder
	fmt.Fprintf(&text, "\n%-34s %9s %9s %9s %6s %9s\n", "source and fault (alone, in pairs)", "requests", "quotes", "no quote", "wrong", "slowest")
	for _, n := range names {
		w := rows[n]
		fmt.Fprintf(&text, "%-34s %9d %9d %9d %6d %8.3fs\n", n, w.requests, w.ok, w.none, w.wrong, w.slowest.Seconds())
	}
	fmt.Fprintf(&text, "%d requests in %.0f s (%.1f a second), p50 %.3f s, p99 %.3f s, slowest %.3f s, %.3f s of which this process stood still",
		len(list), took.Seconds(), float64(len(list))/took.Seconds(),
		times[len(times)/2].Seconds(), times[len(times)*99/100].Seconds(), times[len(times)-1].Seconds(),
		pulse.lost(worst.start, worst.start.Add(worst.took)).Seconds())
	t.Log(text.String())
}

// newRigWith is newRig for a change that needs the stand-ins too.
func newRigWith(t testing.TB, change func(*quote.Options, *testMarket, *quotetest.Services)) *rig {
	r := newRig(t, nil)
	opts := r.opts
	change(&opts, r.market, r.services)
	engine, err := quote.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	r.engine.Close()
	r.engine = engine
	t.Cleanup(engine.Close)
	return r
}

// socketMatrix serves the stand-ins of every cell at one address, each below a path
// of its own.
type socketMatrix struct {
	t      *testing.T
	server *httptest.Server
	closed string // a URL that nothing listens at

	mu       sync.Mutex
	handlers map[string]http.Handler
}

func newSocketMatrix(t *testing.T) *socketMatrix {
	m := &socketMatrix{t: t, handlers: map[string]http.Handler{}}
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		m.mu.Lock()
		h := m.handlers[id]
		m.mu.Unlock()
		if h == nil {
			http.NotFound(w, r)
			return
		}
		http.StripPrefix("/"+id, h).ServeHTTP(w, r)
	}))
	m.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	m.server.Config.ConnContext = smallBuffer
	m.server.Start()
	t.Cleanup(m.server.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.closed = "http://" + l.Addr().String()
	l.Close()
	return m
}

type matrixResult struct {
	answer *quote.Answer
	start  time.Time
	took   time.Duration
	err    error
}

// run asks once in each cell, one every pace.
func (m *socketMatrix) run(list []cell, pace time.Duration) []matrixResult {
	results := make([]matrixResult, len(list))
	var wg sync.WaitGroup
	next := time.Now()
	for i, c := range list {
		time.Sleep(time.Until(next))
		next = next.Add(pace)
		wg.Go(func() {
			market := newMarket()
			services := quotetest.New(market, quote.PythFeeds())
			id := strconv.Itoa(i)
			m.mu.Lock()
			m.handlers[id] = services.Handler()
			m.mu.Unlock()
			opts := rigOptions(market, m.server.URL+"/"+id)
			c.wounded(&opts, market, services, m.closed)
			engine, err := quote.New(opts)
			if err != nil {
				m.t.Error(err)
				return
			}
			defer engine.Close()
			start := time.Now()
			a, err := engine.Quote(context.Background(), oneSOL())
			results[i] = matrixResult{a, start, time.Since(start), err}
		})
	}
	wg.Wait()
	return results
}
