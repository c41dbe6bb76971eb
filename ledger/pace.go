package ledger

// Of pace: samples beyond these many times the mean (or its inverse) are a
// stall or a replay's burst and not the chain's pace, unless as many as these
// come in a row.
const (
	paceFactor = 8
	paceSlow   = 64
	paceFast   = 1024
	paceHalf   = 128.0 // slots that half of the mean's weight lies in
	paceWarm   = 8     // slots before there is a mean
)

// pace measures the length of a slot: the time between the first words of
// rising slots, as an exponentially weighted mean.
type pace struct {
	slots  float64 // seen while there is no mean
	mean   float64 // nanoseconds, 0 unknown
	at     int64   // when the newest slot was first heard of
	spent  float64
	strays int // samples in a row that were not believed; negative for short ones
}

// advance takes the word of a new newest slot.
func (p *pace) advance(before, slot uint64, now int64) {
	at := p.at
	p.at = now
	if before == 0 || at == 0 || now < at {
		return
	}
	n, d := float64(slot-before), float64(now-at)
	if p.mean == 0 {
		p.slots += n
		p.spent += d
		if p.slots >= paceWarm {
			p.mean = p.spent / p.slots
		}
		return
	}
	switch each := d / n; {
	case each > p.mean*paceFactor:
		if p.strays = max(p.strays, 0) + 1; p.strays < paceSlow {
			return
		}
		p.mean = each
	case each < p.mean/paceFactor:
		if p.strays = min(p.strays, 0) - 1; p.strays > -paceFast {
			return
		}
		p.mean = each
	default:
		p.mean += (each - p.mean) * min(n/paceHalf, 1)
	}
	p.strays = 0
}
