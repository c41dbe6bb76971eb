package swarm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast/loadtest/report"
)

// Env is what a run may use of the process that it is in.
type Env struct {
	// Worker is the command line of a process that runs Worker; needed where
	// Options.Processes is above 1.
	Worker []string
	// Progress is called with each second that is over, from one goroutine. Nil is not.
	Progress func(report.Second)
	Version  string
	Command  string // for the report; without secrets
}

// Prepare checks whether a run can be made: the options, this machine's limits and the
// servers'. It connects to nothing but their HTTP listeners.
func Prepare(ctx context.Context, o Options, env Env) (*Runner, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := newPlan(o)
	if err != nil {
		return nil, err
	}
	if err := checkLimits(p); err != nil {
		return nil, err
	}
	r := &Runner{plan: p, env: env, own: newOwnUse(o.Processes), hold: newTally(0), all: newTally(0)}
	if err := r.askServers(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Runner is a run, to be made once. What follows its first heading belongs to the goroutine of run.
type Runner struct {
	// static
	plan *plan
	env  Env

	// owned by run
	scraper   *scraper // nil: no --admin
	server    serverUse
	own       ownUse
	simulated bool
	hold, all *tally
	seconds   []report.Second
	most      [scenarios]int
	stormBack int64 // the second in which all were there again; 0: not yet
	stormDip  bool  // after the storm's beginning some were away
}

// serverUse are the samples that matter: before the ramp, the newest, and at the hold's
// beginning and end.
type serverUse struct {
	first, last, from, to sample
}

// ownUse is what the generator's processes take.
type ownUse struct {
	base, now []usage // of each process: when it began, and the newest
	spent     float64 // CPU seconds so far, all together
	from, to  float64 // spent, at the hold's beginning and end
	rss, heap uint64  // the largest sums
	rss0      uint64  // before the ramp
	heap0     uint64
}

func newOwnUse(processes int) ownUse {
	return ownUse{base: make([]usage, processes), now: make([]usage, processes)}
}

// took notes a process's usage.
func (o *ownUse) took(worker int, u usage) {
	if o.base[worker] == (usage{}) { // the second before its first connection, or the first one
		o.base[worker] = u
		o.rss0 += u.RSS
		o.heap0 += u.Heap
	}
	o.now[worker] = u
}

// turn adds up, and returns the CPU seconds since the last time.
func (o *ownUse) turn() float64 {
	spent, rss, heap := 0.0, uint64(0), uint64(0)
	for i, u := range o.now {
		spent += u.CPU - o.base[i].CPU
		rss += u.RSS
		heap += u.Heap
	}
	o.rss, o.heap = max(o.rss, rss), max(o.heap, heap)
	since := max(0, spent-o.spent)
	o.spent = spent
	return since
}

// askServers refuses what the servers would refuse, and looks at their metrics once.
func (r *Runner) askServers(ctx context.Context) error {
	p := r.plan
	each := (p.Connections + len(p.Targets) - 1) / len(p.Targets)
	for _, u := range p.URLs {
		s, err := NewServer(u, p.APIKey)
		if err != nil {
			return err
		}
		st, err := s.Status(ctx)
		if err != nil {
			continue // something that has no such path; whether it answers shows soon
		}
		r.simulated = r.simulated || st.Feed == "simulated"
		if most := st.Limits.MaxConnections; most > 0 && each > most {
			return fmt.Errorf("%s takes %d connections and would get %d: start it with --max-connections %d, or give more servers by --url", u, most, each, each)
		}
	}
	if len(p.Admin) == 0 {
		return nil
	}
	r.scraper = newScraper(p.Admin)
	var err error
	if r.server.first, err = r.scraper.read(ctx); err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	r.server.last = r.server.first
	if most := r.server.first.maxFDs; most > 0 && float64(each) > most-r.server.first.fds/float64(len(p.Admin)) {
		return fmt.Errorf("a server may open %.0f files and would get %d connections: raise its limit before it starts, with `ulimit -Hn %d && ulimit -n %d` (as root), or give more servers by --url", most, each, each+1000, each+1000)
	}
	return nil
}

// news is what workers tell.
type news struct {
	worker int
	t      *tally
	u      usage
	done   bool
}

// Run loads the servers and returns what it found out. Where ctx ends, the run is cut
// short and the report is of what there was. An error means that there is no report.
func (r *Runner) Run(ctx context.Context) (*report.Report, error) {
	r.plan.Start = time.Now().Add(300 * time.Millisecond)
	if r.plan.Processes > 1 {
		r.plan.Start = r.plan.Start.Add(time.Duration(r.plan.Processes) * 100 * time.Millisecond)
	}
	all := make(chan news)
	group, workers := errgroup.WithContext(ctx)
	for i := range r.plan.Processes {
		part := r.plan.share(i, r.plan.Processes)
		emit := func(t *tally, u usage) error { all <- news{worker: i, t: t, u: u}; return nil }
		group.Go(func() error {
			defer func() { all <- news{worker: i, done: true} }()
			if r.plan.Processes == 1 {
				return work(workers, part, emit)
			}
			return spawn(workers, r.env.Worker, part, emit)
		})
	}
	failed := make(chan error, 1)
	go func() {
		failed <- group.Wait()
		close(all)
	}()
	samples, stopScraping := r.scrape(ctx)
	defer stopScraping()
	g := newGatherer(r.plan.Processes)
	for one := range all {
		if one.done {
			g.end(one.worker)
		} else {
			r.own.took(one.worker, one.u)
			g.add(one.worker, one.t)
		}
		for _, t := range g.over() {
			r.second(t, newest(samples))
		}
	}
	if err := <-failed; err != nil {
		return nil, err
	}
	if r.scraper != nil { // what was conflated last counts too
		if s, err := r.scraper.read(context.WithoutCancel(ctx)); err == nil {
			r.server.last = s
		}
	}
	return r.report(), nil
}

// scrape reads the metrics once a second until stop is called. The channel holds the
// newest sample alone.
func (r *Runner) scrape(ctx context.Context) (samples chan sample, stop func()) {
	samples = make(chan sample, 1)
	if r.scraper == nil {
		return samples, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			// In the middle of a second, when the loops hand nothing over: each second
			// then has a sample of its own.
			now := time.Now()
			middle := time.NewTimer(now.Truncate(time.Second).Add(3 * time.Second / 2).Sub(now))
			select {
			case <-ctx.Done():
				middle.Stop()
				return
			case <-middle.C:
			}
			// One that fails leaves a hole in the plots.
			if s, err := r.scraper.read(ctx); err == nil {
				newest(samples)
				samples <- s
			}
		}
	}()
	return samples, func() { cancel(); <-done }
}

// newest takes what is in a channel of one, nil where nothing is.
func newest(samples chan sample) *sample {
	select {
	case s := <-samples:
		return &s
	default:
		return nil
	}
}

// second takes a second that is over.
func (r *Runner) second(t *tally, s *sample) {
	at := time.Unix(t.second, 0)
	if at.Before(r.plan.Start.Truncate(time.Second)) {
		return // before anything began
	}
	row := report.Second{T: int(at.Sub(r.plan.Start.Truncate(time.Second)) / time.Second), Phase: r.phase(at)}
	fast := newHist()
	for i, one := range t.shares {
		if one == nil {
			continue
		}
		row.Connections += one.Open
		row.Messages += one.Messages
		row.Trouble += one.Failed + one.Lost
		if !r.maySkip(Scenario(i)) {
			row.Missing += one.Missing
		}
		if Scenario(i) != Slow {
			fast.Merge(one.latency)
		}
		r.most[i] = max(r.most[i], one.Open)
	}
	row.Latency = quantiles(fast)
	r.storm(t.second, row.Connections)
	row.Generator = r.own.turn()
	if s != nil && s.at.After(r.server.last.at) {
		row.Server = s.since(&r.server.last)
	}
	r.all.add(t)
	if row.Phase == "hold" {
		if r.hold.second == 0 {
			r.hold.second = t.second
			r.own.from, r.server.from = r.own.spent-row.Generator, r.server.last
		}
		r.hold.add(t)
		r.own.to = r.own.spent
	}
	if row.Server != nil {
		r.server.last = *s
	}
	if row.Phase == "hold" {
		r.server.to = r.server.last
	}
	r.seconds = append(r.seconds, row)
	if r.env.Progress != nil {
		r.env.Progress(row)
	}
}

// phase is that of the second which begins at a time: the hold is made of the whole
// seconds in which everybody was to be connected.
func (r *Runner) phase(at time.Time) string {
	switch {
	case at.Before(r.plan.hold()):
		return "ramp"
	case at.Add(time.Second).After(r.plan.end()):
		return "end"
	default:
		return "hold"
	}
}

func (r *Runner) maySkip(s Scenario) bool {
	return s == Slow || (r.plan.WindowMS > 0 && s.windowed())
}

// storm notes when everybody is back.
func (r *Runner) storm(second int64, connections int) {
	if r.plan.Storm == 0 || time.Unix(second+1, 0).Before(r.plan.storm()) || r.stormBack != 0 {
		return
	}
	switch {
	case connections < r.plan.Connections:
		r.stormDip = true
	case r.stormDip:
		r.stormBack = second
	}
}

func quantiles(h interface {
	TotalCount() int64
	Mean() float64
	ValueAtQuantile(float64) int64
	Max() int64
},
) report.Quantiles {
	if h.TotalCount() == 0 {
		return report.Quantiles{}
	}
	return report.Quantiles{
		N: h.TotalCount(), Mean: h.Mean(), P50: h.ValueAtQuantile(50), P95: h.ValueAtQuantile(95),
		P99: h.ValueAtQuantile(99), P999: h.ValueAtQuantile(99.9), Max: h.Max(),
	}
}

// planned is how many connections each scenario has.
func (p *plan) planned() (n [scenarios]int) {
	for i := p.From; i < p.To; i++ {
		n[p.Mix.pick(i)]++
	}
	return n
}

func reasonsOf(t *tally) []report.Reason {
	list := make([]report.Reason, 0, len(t.reasons))
	for text, n := range t.reasons {
		list = append(list, report.Reason{Text: text, N: n})
	}
	slices.SortFunc(list, func(a, b report.Reason) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Text, b.Text))
	})
	return list
}
