package geyser

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gagliardetto/solana-go"
	"google.golang.org/grpc"
)

// Options says which endpoint to follow and for what. Target is needed; the
// zero value of everything else works.
type Options struct {
	// Name stands for the endpoint in logs and metric labels. Default: Target.
	Name string
	// Target is a gRPC target such as "dns:///host:443".
	Target string
	// TLS encrypts and checks the server against the system's authorities.
	TLS bool
	// Token is sent as x-token. Without TLS everybody on the way can read it.
	Token string
	// Compression asks the server to pack its messages: "", "gzip" or "zstd".
	// zstd costs the least; "" is right for a server near by.
	Compression string
	// Programs selects transactions: those that name any of these accounts.
	// Empty means all but votes and failed ones, which many hosts refuse.
	Programs []solana.PublicKey
	// Unfiltered asks for every transaction, votes and failed ones too;
	// Programs is not looked at then.
	Unfiltered bool
	// Only keeps back, on our side, transactions that name none of these
	// accounts: their keys are read and nothing else of them. It is for where
	// the server sends more than is wanted; behind a filter by Programs it
	// would only cost. Empty means none is kept back. Votes and failed ones
	// that name one of them come through. RunRaw does not look at it.
	Only []solana.PublicKey
	// DialOptions come after our own and so override them.
	DialOptions []grpc.DialOption
	// StaleAfter is how long a stream may bring neither transaction, slot nor
	// block before it counts as dead. Pings do not count: proxies have kept
	// them going for hours on streams that carried nothing. Default 15 s.
	StaleAfter time.Duration
	// Backoff spaces reconnects.
	Backoff Backoff
	Logger  *slog.Logger // nil: discards
	Metrics *Metrics     // nil: none; may be shared by several subscribers
}

// validate reports what cannot work and returns a copy with defaults set.
func (o Options) validate() (Options, error) {
	if o.Target == "" {
		return o, errors.New("no target")
	}
	switch o.Compression {
	case "", "gzip", zstdName:
	default:
		return o, fmt.Errorf("compression %q: only gzip and zstd are known", o.Compression)
	}
	if o.StaleAfter < 0 {
		return o, fmt.Errorf("stale after %v: must not be negative", o.StaleAfter)
	}
	if o.StaleAfter == 0 {
		o.StaleAfter = 15 * time.Second
	}
	if o.Name == "" {
		o.Name = o.Target
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Backoff = o.Backoff.withDefaults()
	return o, nil
}
