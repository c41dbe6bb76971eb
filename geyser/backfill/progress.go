package backfill

import "time"

// progress is what the log is told of a long fill.
type progress struct {
	since  time.Time // the fill's beginning, zero: nothing is missing
	filled uint64    // answered since then, skipped ones included
	losses uint64
	told   bool
	last   uint64 // answered when it was last told of
	quiet  int    // turns since then
}

// quietTurns is how many turns pass between two lines where nothing goes on.
const quietTurns = 6

func (p *progress) done(r *run) { p.begin(); p.filled++; p.end(r) }

func (p *progress) lost(r *run, n uint64) { p.begin(); p.losses += n; p.end(r) }

func (p *progress) begin() {
	if p.since.IsZero() {
		p.since = time.Now()
	}
}

// end closes the account when nothing is left.
func (p *progress) end(r *run) {
	if len(r.wants) > 0 {
		return
	}
	if p.told {
		r.f.o.Logger.Info("backfill is done", "slots", p.filled, "lost", p.losses, "took", time.Since(p.since).Round(time.Millisecond))
	}
	*p = progress{}
}

// tell writes a line where a fill goes on.
func (p *progress) tell(r *run) {
	if len(r.wants) == 0 {
		return
	}
	p.begin()
	if p.quiet++; p.told && p.filled+p.losses == p.last && p.quiet < quietTurns {
		return
	}
	p.told, p.last, p.quiet = true, p.filled+p.losses, 0
	took := time.Since(p.since)
	line := []any{"slots", p.filled, "lost", p.losses, "left", len(r.wants)}
	if perSecond := float64(p.filled+p.losses) / took.Seconds(); perSecond > 0 {
		line = append(line, "slots_per_second", int(perSecond+0.5), "ready_in", time.Duration(float64(len(r.wants))/perSecond*float64(time.Second)).Round(time.Second))
	}
	r.f.o.Logger.Info("filling missing slots over RPC", line...)
}
