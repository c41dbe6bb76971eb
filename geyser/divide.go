package geyser

import (
	"maps"
	"time"

	"github.com/gagliardetto/solana-go"
)

// maxParts bounds the streams that one endpoint's keys are split over. Keys
// beyond it are not asked for, which Status.Uncovered tells.
const maxParts = 16

// partKept is how long the last stream is kept when it has no keys left. Each
// stream that is opened for wallets which come and go may cost the slots until
// it is there.
const partKept = 5 * time.Minute

// share is the keys of one stream. It never changes.
type share struct {
	programs []solana.PublicKey
	watched  []solana.PublicKey // wallets, and the token accounts derived from them
	// guided says that the only program is a busy one that another share has too.
	guided bool
	idle   time.Time // since when it has no keys of its own, zero where it has
}

// own is the programs that the share has alone.
func (s *share) own() []solana.PublicKey {
	if s.guided {
		return nil
	}
	return s.programs
}

func (s *share) unused() bool { return len(s.own())+len(s.watched) == 0 }

// divide gives every key a share. A key keeps the one that it has, so that no
// stream stops asking for it before another has begun; with keep false, as
// where the limits have become narrower, they are made anew. Needs mu.
func (p *plan) divide(keep bool) {
	p.dropped = 0
	programs, watched := p.wanted()
	var next []share
	if keep {
		next = make([]share, len(p.shares))
		for i := range p.shares {
			old := &p.shares[i]
			next[i] = share{programs: taken(programs, old.own()), watched: taken(watched, old.watched), idle: old.idle}
		}
	}
	next = p.deal(next, programs)
	for i := range next {
		p.guide(&next[i])
	}
	for _, k := range watched.rest() {
		next = p.place(next, k)
	}
	next = trimmed(next, time.Now())
	if !keep && p.moves(next) {
		p.division++
	}
	p.shares, p.most = next, max(p.most, len(next))
	p.layout.Store(p.division<<8 | uint64(len(next)))
	poke(p.changed)
}

// tidy drops what has been kept for long enough.
func (p *plan) tidy() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := &p.shares[len(p.shares)-1]; last.unused() && time.Since(last.idle) >= partKept {
		p.divide(true)
	}
}

// trimmed leaves out the last shares where nobody needs them: at once where they
// have no filter at all, for a stream that cannot bring a transaction proves
// nothing; else when they have been idle for long.
func trimmed(shares []share, now time.Time) []share {
	for i := range shares {
		s := &shares[i]
		switch {
		case !s.unused():
			s.idle = time.Time{}
		case s.idle.IsZero():
			s.idle = now
		}
	}
	for n := len(shares); n > 1; n-- {
		if last := &shares[n-1]; !last.unused() || last.guided && now.Sub(last.idle) < partKept {
			break
		}
		shares = shares[:n-1]
	}
	if len(shares) == 0 {
		shares = make([]share, 1)
	}
	return shares
}

// moves reports whether a key goes from one share to another whose stream may
// run already. Needs mu.
func (p *plan) moves(next []share) bool {
	was := make(map[solana.PublicKey]int)
	each := func(s *share, f func(solana.PublicKey)) {
		for _, keys := range [...][]solana.PublicKey{s.own(), s.watched} {
			for _, k := range keys {
				f(k)
			}
		}
	}
	for i := range p.shares {
		each(&p.shares[i], func(k solana.PublicKey) { was[k] = i })
	}
	moved := false
	for i := range next[:min(len(next), p.most)] {
		each(&next[i], func(k solana.PublicKey) {
			old, ok := was[k]
			moved = moved || ok && old != i
		})
	}
	return moved
}

// keyList is keys in order, from which some are taken.
type keyList struct {
	order []solana.PublicKey
	left  map[solana.PublicKey]struct{}
}

func (l *keyList) add(k solana.PublicKey) {
	if _, twice := l.left[k]; !twice {
		l.left[k] = struct{}{}
		l.order = append(l.order, k)
	}
}

// rest is the keys that were not taken, in order.
func (l *keyList) rest() (out []solana.PublicKey) {
	for _, k := range l.order {
		if _, left := l.left[k]; left {
			out = append(out, k)
		}
	}
	return out
}

// taken takes the keys of old out of l, and returns those that were in it.
func taken(l *keyList, old []solana.PublicKey) (out []solana.PublicKey) {
	for _, k := range old {
		if _, ok := l.left[k]; ok {
			delete(l.left, k)
			out = append(out, k)
		}
	}
	return out
}

// wanted is all keys that should be asked for. Needs mu.
func (p *plan) wanted() (programs, watched *keyList) {
	programs = &keyList{left: make(map[solana.PublicKey]struct{})}
	watched = &keyList{left: make(map[solana.PublicKey]struct{})}
	if !p.selects() {
		return programs, watched
	}
	for _, k := range p.filter.Programs {
		programs.add(k)
	}
	if !p.noWallets.IsZero() {
		p.dropped += len(p.filter.Wallets)
		return programs, watched
	}
	wallets := make(map[solana.PublicKey]struct{}, len(p.filter.Wallets))
	for _, w := range p.filter.Wallets {
		wallets[w] = struct{}{}
		keys := []solana.PublicKey{w}
		if !p.byOwner() {
			keys = append(keys, p.tokenAccounts(w)...)
		}
		for _, k := range keys {
			if _, no := p.refused[k]; no {
				p.dropped++
			} else {
				watched.add(k)
			}
		}
	}
	maps.DeleteFunc(p.derived, func(w solana.PublicKey, _ []solana.PublicKey) bool { _, used := wallets[w]; return !used })
	return programs, watched
}

// deal gives the programs in turn to as many shares as they need, each to that
// which has the fewest: the list begins with the busiest, and a stream proves a
// slot with its next transaction only, so each should have busy ones. Needs mu.
func (p *plan) deal(shares []share, programs *keyList) []share {
	rest := programs.rest()
	if len(rest) > 0 && p.maxKeys > 0 && p.maxFilters > 0 {
		for need := chunks(len(programs.order), p.maxKeys*p.maxFilters); len(shares) < min(need, maxParts); {
			shares = append(shares, share{})
		}
	}
	for _, k := range rest {
		at := -1
		for i := range shares {
			if n := len(shares[i].programs); p.fits(n, len(shares[i].watched), true) && (at < 0 || n < len(shares[at].programs)) {
				at = i
			}
		}
		if at < 0 && len(shares) == maxParts {
			p.dropped++
			continue
		}
		if at < 0 {
			at, shares = len(shares), append(shares, share{})
		}
		shares[at].programs = append(shares[at].programs, k)
	}
	return shares
}

// guide gives a share without programs the busiest one as well, where there is
// room beside a wallet: wallets trade rarely, and their stream alone would prove
// next to nothing. What comes twice for that is counted once by whoever
// de-duplicates. Needs mu.
func (p *plan) guide(s *share) {
	if len(s.programs) == 0 && p.selects() && len(p.filter.Programs) > 0 && p.fits(1, max(0, len(s.watched)-1), false) {
		s.programs, s.guided = p.filter.Programs[:1:1], true
	}
}

// place puts a watched key into the first share that has room for it. Needs mu.
func (p *plan) place(shares []share, k solana.PublicKey) []share {
	for i := range shares {
		s := &shares[i]
		if p.fits(len(s.programs), len(s.watched), false) {
			s.watched = append(s.watched, k)
			return shares
		}
	}
	if len(shares) == maxParts {
		p.dropped++
		return shares
	}
	s := share{watched: []solana.PublicKey{k}}
	p.guide(&s)
	return append(shares, s)
}

// fits reports whether one more key fits into a share. Needs mu.
func (p *plan) fits(programs, watched int, program bool) bool {
	if program {
		programs++
	} else {
		watched++
	}
	switch {
	case p.maxKeys == 0:
		return true
	case p.maxFilters == 1: // both in one filter
		return programs+watched <= p.maxKeys
	case p.maxFilters == 0:
		return true
	}
	return chunks(programs, p.maxKeys)+chunks(watched, p.maxKeys) <= p.maxFilters
}

func chunks(n, size int) int { return (n + size - 1) / size }
