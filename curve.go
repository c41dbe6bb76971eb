package swapcast

// CurveStage is how far a token's bonding curve has come.
type CurveStage uint8

// The stages in their order. A transaction shows the first three only.
const (
	CurveNone     CurveStage = iota // the pool is no bonding curve
	CurveTrading                    // the curve sells
	CurveComplete                   // all is sold or raised: no more trades, the migration is due
	CurveMigrated                   // the token trades in an AMM pool instead
)

// String returns the name used on the wire, "" where there is no curve.
func (s CurveStage) String() string {
	switch s {
	case CurveTrading:
		return "trading"
	case CurveComplete:
		return "complete"
	case CurveMigrated:
		return "migrated"
	default:
		return ""
	}
}

// Curve is how far a bonding curve has come on its way to the migration, right
// after a swap.
type Curve struct {
	Stage CurveStage
	// Progress is 0 to 1, valid where Known: the part of the tokens for sale that
	// is sold, or of the quote to be raised that is raised, whichever the DEX
	// shows; parser/dex_*.go has each one's formula.
	Progress float64
	Known    bool
}

// CurveAt is a curve whose done of all is sold or raised.
func CurveAt(done, all float64) Curve {
	switch {
	case !(all > 0) || !(done >= 0):
		return Curve{Stage: CurveTrading}
	case done >= all:
		return Curve{Stage: CurveComplete, Progress: 1, Known: true}
	}
	return Curve{Stage: CurveTrading, Progress: done / all, Known: true}
}
