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
	// Programs, Wallets and Firehose are the first Filter; SetFilter changes it.
	Programs []solana.PublicKey
	Wallets  []solana.PublicKey
	Firehose bool
	// Unfiltered asks for every transaction, votes and failed ones too,
	// whatever the Filter is.
	Unfiltered bool
	// TokenAccounts says how transfers to wallets are found. Default: by the
	// server's version.
	TokenAccounts TokenAccounts
	// MaxFilterKeys and MaxFilters are what the provider allows: keys in one
	// list, and transaction filters in one request; 0 is no limit. What does not
	// fit into one stream is split over several, at most 16. A limit that the
	// server names when it refuses a request is learned.
	MaxFilterKeys, MaxFilters int
	// Resume tells the slot up to which everything is proved, 0 for none. It is
	// called before each stream is opened, on any goroutine; the stream then
	// starts ResumeMargin (default 8) slots before the next one, as far as the
	// server's history goes back. Nil: streams start live.
	Resume       func() uint64
	ResumeMargin uint64
	// Only keeps back, on our side, transactions that name none of these
	// accounts: their keys are read and nothing else of them. It is for where
	// the server sends more than is wanted; behind a filter by Programs it
	// would only cost. Empty means none is kept back. Votes and failed ones
	// that name one of them come through. RunRaw does not look at it. Wallets
	// of the filter do not count as named here.
	Only []solana.PublicKey
	// DialOptions come after our own and so override them.
	DialOptions []grpc.DialOption
	// StaleAfter is how long a stream may bring neither transaction, slot nor
	// block before it counts as dead. Pings do not count: proxies have kept
	// them going for hours on streams that carried nothing. Default 15 s.
	StaleAfter time.Duration
	// Backoff spaces reconnects, and stops them for a while.
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
	if !o.TokenAccounts.valid() {
		return o, fmt.Errorf("token accounts %q: must be empty, %q or %q", o.TokenAccounts, TokenAccountsOn, TokenAccountsOff)
	}
	if o.MaxFilterKeys < 0 || o.MaxFilters < 0 {
		return o, fmt.Errorf("at most %d keys and %d filters: must not be negative", o.MaxFilterKeys, o.MaxFilters)
	}
	if o.ResumeMargin == 0 {
		o.ResumeMargin = 8
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
