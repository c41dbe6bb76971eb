package swarm

import "maps"

// gatherer adds up the tallies of several sources, second by second. A second is over
// once each source has told it, or has ended; a source tells every second, in order.
type gatherer struct {
	told    []int64 // the last second of each source
	pending map[int64]*tally
}

// through is the mark of a source that tells nothing any more.
const through = int64(1) << 62

func newGatherer(sources int) *gatherer {
	return &gatherer{told: make([]int64, sources), pending: map[int64]*tally{}}
}

// add takes a tally, whose memory is the gatherer's from now on.
func (g *gatherer) add(source int, t *tally) {
	g.told[source] = t.second
	if ours := g.pending[t.second]; ours != nil {
		ours.add(t)
		return
	}
	g.pending[t.second] = t
}

// end says that a source is through.
func (g *gatherer) end(source int) { g.told[source] = through }

// over returns the seconds that are over, in order.
func (g *gatherer) over() []*tally {
	complete := through
	for _, s := range g.told {
		complete = min(complete, s)
	}
	var done []*tally
	for {
		first := through
		for s := range maps.Keys(g.pending) {
			first = min(first, s)
		}
		if first > complete || first == through {
			return done
		}
		done = append(done, g.pending[first])
		delete(g.pending, first)
	}
}
