package stream

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// PublishRetract takes trades back that PublishTrade has told. It counts as one
// of the asset's trades, so that it has its place and its seq among them. The
// retract is copied; one that names more signatures than wire.MaxRetracted
// becomes several messages. Not delivered yet.
func (s *Server) PublishRetract(*swapcast.Retract) {}

// PublishGap tells every subscriber of trades, candles and balances, of
// whichever commitment, that something may be missing. Not delivered yet.
func (s *Server) PublishGap(*swapcast.Gap) {}

// PublishStatus tells the state of the feed. It may be called as often as one
// likes: subscribers hear of it when anything but slot and lag changes, and
// every Options.StatusEvery. Not delivered yet.
func (s *Server) PublishStatus(*wire.Status) {}

// PublishBalance is PublishTrade for a balance of a wallet. Nothing is done
// where nobody listens to the wallet. Not delivered yet.
func (s *Server) PublishBalance(*swapcast.Balance) {}

// CandlesWantedAt is CandlesWanted for the candles of a commitment.
func (s *Server) CandlesWantedAt(mint solana.PublicKey, c swapcast.Commitment) swapcast.IntervalSet {
	if c != swapcast.Processed {
		return 0
	}
	return s.CandlesWanted(mint)
}

// CloseCandlesAt is CloseCandles for the candles of a commitment, whose clock is
// its own.
func (s *Server) CloseCandlesAt(unix int64, c swapcast.Commitment) {
	if c == swapcast.Processed {
		s.CloseCandles(unix)
	}
}
