package geyser

import (
	"context"
	"regexp"
	"strconv"
	"sync"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// resumption is what an endpoint has taught about from_slot. Its parts share
// it; the lock is its own.
type resumption struct {
	mu          sync.Mutex
	unsupported bool   // "from_slot is not supported": never asked again
	noInfo      bool   // SubscribeReplayInfo is unimplemented
	failed      int    // replays in a row that came to nothing
	late        int    // answers OUT_OF_RANGE in a row
	floor       uint64 // the oldest slot that the last of them offered
}

// replayTries is how many replays in a row may come to nothing before a stream
// is opened without one. More would be the endless loop that clients have been
// caught in when a node had lost its history (cowprotocol/services 4802).
const replayTries = 2

// from is the slot to ask for, 0 for none. checkpoint is the slot up to which
// everything is proved, 0 none.
func (r *resumption) from(checkpoint, margin uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if checkpoint == 0 || r.unsupported || r.failed >= replayTries {
		return 0
	}
	from := uint64(1)
	if checkpoint+1 > margin {
		from = max(from, checkpoint+1-margin)
	}
	if r.floor <= from {
		return from
	}
	// What the server named may be gone when we ask for it: its history moves on
	// while we reconnect. So the second time some slots more, then many more.
	switch r.late {
	case 0, 1:
		return r.floor
	case 2:
		return r.floor + 8
	case 3:
		return r.floor + 64
	}
	return 0
}

// infoTimeout bounds the calls that come before a stream is opened.
const infoTimeout = 3 * time.Second

// clamp asks the server how far back it can go and raises from to that.
func (r *resumption) clamp(ctx context.Context, client pb.GeyserClient, from uint64) uint64 {
	r.mu.Lock()
	skip := r.noInfo
	r.mu.Unlock()
	if skip {
		return from
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	info, err := client.SubscribeReplayInfo(ctx, &pb.SubscribeReplayInfoRequest{})
	if status.Code(err) == codes.Unimplemented {
		r.mu.Lock()
		r.noInfo = true
		r.mu.Unlock()
	}
	if err != nil { // if it matters, the subscription will fail of it too
		return from
	}
	return max(from, info.GetFirstAvailable())
}

var rangeOffer = regexp.MustCompile(`last available: (\d{1,19})`) //nolint:gochecknoglobals // constant

// ended notes how a stream that asked for a replay and brought no data ended.
func (r *resumption) ended(reason Reason, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch reason {
	case ReasonNoReplay:
		r.unsupported = true
	case ReasonReplayRange:
		r.late++
		m := rangeOffer.FindStringSubmatch(text)
		if m == nil {
			r.failed = replayTries // it does not say what it has
			return
		}
		r.floor, _ = strconv.ParseUint(m[1], 10, 64)
	case ReasonReplayFailed, ReasonStale, ReasonInternal, ReasonOther, ReasonEnded:
		r.failed++
	}
}

// served notes that a stream has brought data: what was wrong is over.
func (r *resumption) served() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed, r.late, r.floor = 0, 0, 0
}
