package main

import "time"

// past notices that nothing new comes: that of what comes, all is of slots that
// are done. A replay goes through such slots too, and is soon over.
type past struct{ since int64 }

// pastPatience is how long that goes on until it is said, and said again.
const pastPatience = int64(time.Minute)

// lasts takes the next transaction, of a new slot or not, and reports whether it
// is time to say so.
func (p *past) lasts(fresh bool, now int64) bool {
	switch {
	case fresh:
		p.since = 0
	case p.since == 0:
		p.since = now
	case now-p.since >= pastPatience:
		p.since = now
		return true
	}
	return false
}
