package wire

import (
	"strconv"

	"github.com/swapcast/swapcast"
)

// AppendBalance appends a balance message. Amount is a decimal string of raw
// units.
func AppendBalance(dst []byte, b *swapcast.Balance, m Meta) []byte {
	dst = append(dst, `{"type":"balance","wallet":"`...)
	dst = AppendBase58(dst, b.Owner[:])
	dst = append(dst, `","assetId":"`...)
	dst = AppendBase58(dst, b.Mint[:])
	dst = append(dst, `","amount":"`...)
	dst = strconv.AppendUint(dst, b.Amount, 10)
	dst = append(dst, `","decimals":`...)
	dst = strconv.AppendUint(dst, uint64(b.Decimals), 10)
	if b.Native {
		dst = append(dst, `,"native":true`...)
	}
	dst = append(dst, `,"slot":`...)
	dst = strconv.AppendUint(dst, b.Slot, 10)
	dst = append(dst, `,"signature":`...)
	dst = appendSignature(dst, b.Signature)
	dst = appendCommitment(dst, b.Commitment)
	dst = appendMeta(dst, m)
	if m.Snapshot {
		dst = append(dst, snapshotField...)
	}
	if b.Corrects != 0 {
		dst = append(dst, `,"corrects":`...)
		dst = strconv.AppendUint(dst, b.Corrects, 10)
	}
	return append(dst, '}')
}

// MaxRetracted is how many signatures one retract message names at most, so
// that it is no larger than clients read: further ones are in further messages.
const MaxRetracted = 64

// AppendRetract appends a retract message. It has a seq of its own among the
// asset's trades.
func AppendRetract(dst []byte, r *swapcast.Retract, m Meta) []byte {
	dst = append(dst, `{"type":"retract","channel":"trades","assetId":"`...)
	dst = AppendBase58(dst, r.Mint[:])
	dst = append(dst, `","slot":`...)
	dst = strconv.AppendUint(dst, r.Slot, 10)
	dst = append(dst, `,"signatures":[`...)
	for i, signature := range r.Signatures {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSignature(dst, signature)
	}
	dst = append(dst, ']')
	dst = appendCommitment(dst, r.Commitment)
	dst = appendMeta(dst, m)
	return append(dst, '}')
}

// Gap says that updates of one asset, or one wallet, will not come: those that
// are numbered FromSeq to ToSeq, or where both are 0 what the server itself never
// learned of the slots FromSlot to ToSlot.
type Gap struct {
	Channel    string
	Interval   string // of candles, else empty
	Commitment swapcast.Commitment
	AssetID    string // of balances the wallet, and told as such
	FromSeq    uint64
	ToSeq      uint64
	Reason     string
	FromSlot   uint64 // 0: not told
	ToSlot     uint64
	Detail     string // stable code of why the server itself has a gap; may be empty
}

// AppendGap appends a gap message.
func AppendGap(dst []byte, g *Gap) []byte {
	dst = append(dst, `{"type":"gap","channel":`...)
	dst = appendString(dst, g.Channel)
	dst = appendInterval(dst, g.Interval)
	dst = appendCommitment(dst, g.Commitment)
	dst = append(dst, ',')
	dst = appendNamed(dst, g.AssetID, g.Channel == ChannelBalances)
	dst = append(dst, `,"fromSeq":`...)
	dst = strconv.AppendUint(dst, g.FromSeq, 10)
	dst = append(dst, `,"toSeq":`...)
	dst = strconv.AppendUint(dst, g.ToSeq, 10)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, g.Reason)
	if g.ToSlot != 0 {
		dst = append(dst, `,"fromSlot":`...)
		dst = strconv.AppendUint(dst, g.FromSlot, 10)
		dst = append(dst, `,"toSlot":`...)
		dst = strconv.AppendUint(dst, g.ToSlot, 10)
	}
	if g.Detail != "" {
		dst = append(dst, `,"detail":`...)
		dst = appendString(dst, g.Detail)
	}
	return append(dst, '}')
}

// Status is the health of the feed.
type Status struct {
	Feed     string // FeedHealthy, FeedStale or FeedDisconnected
	Slot     uint64
	LagMS    int64 // valid where LagKnown
	LagKnown bool
	Degraded bool
	Message  string // one sentence for a person
}

// The states of the feed, as /v1/status names them.
const (
	FeedHealthy      = "healthy"      // at least one source delivers
	FeedStale        = "stale"        // connected, but silent for too long
	FeedDisconnected = "disconnected" // no source is connected
)

// AppendStatus appends a status message; of m it writes the snapshot and the
// time.
func AppendStatus(dst []byte, s *Status, m Meta) []byte {
	dst = append(dst, `{"type":"status","feed":`...)
	dst = appendString(dst, s.Feed)
	dst = append(dst, `,"slot":`...)
	dst = strconv.AppendUint(dst, s.Slot, 10)
	dst = append(dst, `,"lagMs":`...)
	if s.LagKnown {
		dst = strconv.AppendInt(dst, s.LagMS, 10)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"degraded":`...)
	dst = strconv.AppendBool(dst, s.Degraded)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, s.Message)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, m.TS, 10)
	if m.Snapshot {
		dst = append(dst, snapshotField...)
	}
	return append(dst, '}')
}
