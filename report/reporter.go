package report

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/getsentry/sentry-go"
	"golang.org/x/time/rate"
)

// Options make a Reporter. DSN is needed.
type Options struct {
	// DSN says where to, with which key: http(s)://KEY@HOST/PROJECT.
	DSN string
	// Release and Environment stand in every event.
	Release, Environment string
	// SampleRate is the part of what carries no test id that is told, 0 to 1.
	SampleRate float64
	// PerSecond is the budget: how many events a second are sent, with bursts of
	// twenty times as many. Default 50.
	PerSecond float64
	// Secrets are texts that must never leave, in whatever field.
	Secrets []string
	// Transport carries the HTTP requests; nil: one of its own, which honours
	// HTTPS_PROXY and the like.
	Transport http.RoundTripper
	Metrics   *Metrics // nil: not counted
}

// Bounds that need no knob.
const (
	burstSeconds   = 20
	reservePerSec  = 10 // faults of our own
	reserveBurst   = 200
	queueSize      = 2048
	workers        = 8 // each waits for one answer at a time: 80 events a second at 100 ms
	requestTimeout = 5 * time.Second
)

// Reporter sends records. All methods may be called on nil, from anywhere at any
// time; Start once.
type Reporter struct {
	// static after New
	rate    float64
	metrics *Metrics
	client  *sentry.Client
	own     *http.Transport // nil where one was given
	budget  *rate.Limiter
	reserve *rate.Limiter
	queue   chan entry
	ending  chan struct{} // closed by Close
	cut     context.CancelFunc

	wg sync.WaitGroup

	mu     sync.RWMutex // held for reading by who queues: once Close has closed, nothing is queued
	closed bool         // guarded by mu
}

// entry is a record that waits.
type entry struct {
	kind  Kind
	build func() *Record
}

// New checks the options. It sends nothing and starts no worker.
func New(o Options) (*Reporter, error) {
	if !(o.SampleRate >= 0 && o.SampleRate <= 1) {
		return nil, fmt.Errorf("report: sample rate %v: must be from 0 to 1", o.SampleRate)
	}
	if o.PerSecond < 0 {
		return nil, fmt.Errorf("report: %v events a second: must not be negative", o.PerSecond)
	}
	if o.PerSecond == 0 {
		o.PerSecond = 50
	}
	if _, err := sentry.NewDsn(o.DSN); err != nil {
		// The error would repeat the DSN.
		return nil, fmt.Errorf("report: the DSN is not of the form https://KEY@HOST/PROJECT")
	}
	r := &Reporter{
		rate:    o.SampleRate,
		metrics: o.Metrics,
		budget:  rate.NewLimiter(rate.Limit(o.PerSecond), max(1, int(burstSeconds*o.PerSecond))),
		reserve: rate.NewLimiter(reservePerSec, reserveBurst),
		queue:   make(chan entry, queueSize),
		ending:  make(chan struct{}),
	}
	if o.Transport == nil {
		r.own = &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute}
		o.Transport = r.own
	}
	ctx, cut := context.WithCancel(context.Background())
	r.cut = cut
	scrub := newScrubber(append([]string{o.DSN}, o.Secrets...))
	var err error
	r.client, err = sentry.NewClient(sentry.ClientOptions{
		Dsn:              o.DSN,
		Release:          o.Release,
		Environment:      o.Environment,
		EnableTracing:    true,
		TracesSampleRate: 1, // who is told of is decided before anything is built
		Transport:        newTransport(ctx, o.Metrics),
		HTTPTransport:    outcomes{o.Transport},
		// They would repeat in every event what the release says.
		Integrations:          func([]sentry.Integration) []sentry.Integration { return nil },
		BeforeSend:            scrub.event,
		BeforeSendTransaction: scrub.event,
		// Our own metrics count what is dropped.
		DisableClientReports: true,
	})
	if err != nil {
		cut()
		return nil, fmt.Errorf("report: %w", err)
	}
	return r, nil
}

// Traced decides whether somebody is told of in full: who carries a test id, and
// a sample of the others.
func (r *Reporter) Traced(testID string) bool {
	return r != nil && (testID != "" || r.rate > 0 && rand.Float64() < r.rate)
}

// Report has a record built and sent, if the budget allows. build is called once at
// most, on another goroutine: what it refers to must not change any more.
func (r *Reporter) Report(kind Kind, build func() *Record) {
	if r != nil {
		r.put(r.budget, entry{kind, build})
	}
}

// Fault is Report for a fault of the server's own: it has a reserve that nothing
// else uses up.
func (r *Reporter) Fault(build func() *Record) {
	if r != nil {
		r.put(r.reserve, entry{Failure, build})
	}
}

// Repeated counts a record that says what was told already and is not sent again.
func (r *Reporter) Repeated(kind Kind) {
	if r != nil {
		r.metrics.drop(kind, reasonRepeated)
	}
}

// Panic reports what was recovered. The deferred function that recovered it must
// call it, directly or not, so that the stack is still the one that panicked. who
// may be nil.
func (r *Reporter) Panic(who *Who, recovered any) {
	if r == nil {
		return
	}
	stack := sentry.NewStacktrace()
	text := fmt.Sprint(recovered)
	at := time.Now()
	r.Fault(func() *Record {
		return &Record{Who: who, Level: Fatal, Type: "panic", Text: text, End: at, stack: stack}
	})
}

func (r *Reporter) put(limit *rate.Limiter, e entry) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		r.metrics.drop(e.kind, reasonShutdown)
		return
	}
	if !limit.Allow() {
		r.metrics.drop(e.kind, reasonBudget)
		return
	}
	select {
	case r.queue <- e:
	default:
		r.metrics.drop(e.kind, reasonFull)
	}
}

// Start begins to send.
func (r *Reporter) Start() {
	if r == nil {
		return
	}
	for range workers {
		r.wg.Go(r.work)
	}
}

// work sends one record after the other, and at the end those that wait.
func (r *Reporter) work() {
	for {
		select {
		case e := <-r.queue:
			r.send(e)
		case <-r.ending:
			for {
				select {
				case e := <-r.queue:
					r.send(e)
				default:
					return
				}
			}
		}
	}
}

// shut has put refuse what comes from now on; false where it does already.
func (r *Reporter) shut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.closed
	r.closed = true
	return !was
}

// Close takes nothing any more, sends what waits until ctx ends, and returns when
// all goroutines have ended. A second call does nothing.
func (r *Reporter) Close(ctx context.Context) {
	if r == nil || !r.shut() {
		return
	}
	close(r.ending)
	stop := context.AfterFunc(ctx, r.cut)
	r.wg.Wait()
	stop()
	r.cut()
	for { // what waits where none was started
		select {
		case e := <-r.queue:
			r.metrics.drop(e.kind, reasonShutdown)
			continue
		default:
		}
		break
	}
	r.client.Close()
	if r.own != nil {
		r.own.CloseIdleConnections()
	}
}
