package geyser

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast"
)

// Reason is why a stream ended: the label of reconnects_total, and a
// hint in status pages.
type Reason string

// aboutReplay reports whether the server refused the replay, not the stream.
func (r Reason) aboutReplay() bool {
	return r == ReasonNoReplay || r == ReasonReplayFailed || r == ReasonReplayRange
}

// Reasons. Those marked slow are not cured by trying again soon: they are
// logged as errors and retried at the longest interval, because a token can be
// renewed or a plan paid at the provider while we run, and a server that
// stays up and says why it has no data is worth more at night than one that
// exits. Filter refusals end Run instead, if the endpoint has never served
// this subscription: that is a mistake in our own request, best seen at start.
const (
	ReasonStale         Reason = "stale"               // no data for StaleAfter
	ReasonAuth          Reason = "auth"                // slow: token missing, wrong or not paid for
	ReasonBadFilter     Reason = "bad_filter"          // ends Run, or slow if it served before
	ReasonLimit         Reason = "rate_limited"        // too many subscriptions or requests
	ReasonTooBig        Reason = "message_too_big"     // a message above 1 GiB
	ReasonLagged        Reason = "lagged"              // we read too slowly and were cut off
	ReasonNoReplay      Reason = "replay_unsupported"  // from_slot is not supported
	ReasonReplayFailed  Reason = "replay_failed"       // the server could not replay
	ReasonReplayRange   Reason = "replay_out_of_range" // from_slot is older than what it keeps
	ReasonShutdown      Reason = "shutting_down"       // the server restarts
	ReasonConnect       Reason = "connect"             // no connection, or TLS failed
	ReasonUnavailable   Reason = "unavailable"         // the connection broke
	ReasonUnimplemented Reason = "unimplemented"       // slow: no Yellowstone server, or method or compression off
	ReasonGarbage       Reason = "garbage"             // a message is no protobuf
	ReasonReset         Reason = "reset"               // HTTP/2 stream reset, often by a proxy
	ReasonTooManyPings  Reason = "too_many_pings"      // the server dislikes our keepalive
	ReasonInternal      Reason = "internal"            // another INTERNAL error of the server
	ReasonEnded         Reason = "ended"               // the server closed the stream without an error
	ReasonDeadline      Reason = "deadline"            // a deadline of the server or a proxy
	ReasonCancelled     Reason = "cancelled"           // cancelled by the other side
	ReasonOther         Reason = "other"               // any other status
	ReasonFailover      Reason = "failover"            // left alone while another endpoint does its work: Rest
	ReasonPlanned       Reason = "planned"             // replaced by a new stream: Reconnect, or its keys went elsewhere
)

type action uint8

const (
	retry      action = iota
	retryAlarm        // logged as an error: somebody should look at it
	retrySlow         // the same, at the cap of the backoff
	giveUp            // Run ends, unless the endpoint has served before
)

// errPlanned is the cause of a stream that we end because another one does its
// work.
var errPlanned = errors.New("replaced by another stream")

// classify reads the end of a stream. cause is the cancellation cause of its
// context, which tells our own watchdog from the server.
func classify(err, cause error) (Reason, action) {
	if errors.Is(cause, swapcast.ErrStreamStale) {
		return ReasonStale, retry
	}
	if errors.Is(cause, errPlanned) {
		return ReasonPlanned, retry
	}
	if errors.Is(cause, errFailover) {
		return ReasonFailover, retry
	}
	if errors.Is(err, io.EOF) {
		return ReasonEnded, retry
	}
	st := status.Convert(err)
	text := strings.ToLower(st.Message())
	has := func(s string) bool { return strings.Contains(text, s) }
	switch st.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return ReasonAuth, retrySlow
	case codes.InvalidArgument:
		if has("from_slot") || has("from slot") { // other makes refuse a slot in this way
			return ReasonReplayFailed, retry
		}
		return ReasonBadFilter, giveUp
	case codes.ResourceExhausted:
		if has("larger than max") {
			return ReasonTooBig, retry
		}
		return ReasonLimit, retry
	case codes.OutOfRange:
		return ReasonReplayRange, retry
	case codes.Unimplemented:
		return ReasonUnimplemented, retrySlow
	case codes.DeadlineExceeded:
		return ReasonDeadline, retry
	case codes.Canceled:
		return ReasonCancelled, retry
	case codes.Unavailable:
		switch {
		case has("shutting down"):
			return ReasonShutdown, retry
		case has("too_many_pings"), has("enhance_your_calm"):
			return ReasonTooManyPings, retry
		case has("connection error"), has("handshake"), has("name resolver"):
			return ReasonConnect, retry
		}
		return ReasonUnavailable, retry
	case codes.Internal:
		r := internalReason(has)
		if r == ReasonLagged {
			return r, retryAlarm
		}
		return r, retry
	default:
		return ReasonOther, retry
	}
}

// internalReason reads the messages that the plugin sends under INTERNAL.
func internalReason(has func(string) bool) Reason {
	switch {
	case has("lagged"):
		return ReasonLagged
	case has("from_slot is not supported"):
		return ReasonNoReplay
	case has("replay response"):
		return ReasonReplayFailed
	case has("unmarshal"), has("decompress"), has("invalid payload"):
		return ReasonGarbage
	case has("rst_stream"), has("stream terminated"):
		return ReasonReset
	}
	return ReasonInternal
}

// Backoff spaces reconnects: full jitter (a random time between 0 and a bound
// that doubles), so that many clients of a server that comes back do not come
// back at once.
type Backoff struct {
	Base time.Duration // first bound; default 250 ms
	Cap  time.Duration // last bound; default 30 s
	// HealthyAfter is how long a stream must have brought data before its
	// end counts as a first failure again. A server that accepts and cuts at
	// once would be hammered otherwise. Default 10 s.
	HealthyAfter time.Duration
	// OpenAfter is how many tries in a row may bring no data at all before the
	// endpoint is left alone for OpenFor, then, while single tries fail, for
	// twice as long each time, up to OpenCap; each time less a random part of up
	// to a half. Defaults 5, 10 s and 60 s. Answers about a replay do not count:
	// they say what to ask instead.
	OpenAfter        int
	OpenFor, OpenCap time.Duration
}

func (b Backoff) withDefaults() Backoff {
	if b.Base <= 0 {
		b.Base = 250 * time.Millisecond
	}
	if b.Cap <= 0 {
		b.Cap = 30 * time.Second
	}
	b.Cap = max(b.Cap, b.Base)
	if b.HealthyAfter <= 0 {
		b.HealthyAfter = 10 * time.Second
	}
	if b.OpenAfter <= 0 {
		b.OpenAfter = 5
	}
	if b.OpenFor <= 0 {
		b.OpenFor = 10 * time.Second
	}
	if b.OpenCap <= 0 {
		b.OpenCap = time.Minute
	}
	b.OpenCap = max(b.OpenCap, b.OpenFor)
	return b
}

// delay is the wait before the attempt that follows the given number of
// failures in a row, 1 or more. A slow one waits between half the cap and the
// cap.
func (b Backoff) delay(failures int, slow bool) time.Duration {
	if slow {
		return b.Cap/2 + rand.N(b.Cap/2+1)
	}
	bound := b.Cap
	if shift := failures - 1; shift < 32 {
		if grown := b.Base << shift; grown > 0 {
			bound = min(bound, grown)
		}
	}
	return rand.N(bound + 1)
}
