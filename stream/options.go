package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Options configure a Server. The zero value is a working server; New copies
// them and fills in the defaults named below.
type Options struct {
	// Feed is written into prices and trades where it is not a live chain,
	// until SetFeed says otherwise.
	Feed swapcast.Feed

	// Shards is the number of writing goroutines. Default GOMAXPROCS, at most
	// 64 (a mint remembers its shards in one machine word).
	Shards int

	// AllowedOrigins are the browser origins that may connect beside the
	// server's own: "https://app.example.com", "app.example.com" (any scheme),
	// "*.example.com", or "*" for all. A client without an Origin header is no
	// browser and is always let in.
	AllowedOrigins []string

	// TrustedProxies are the addresses whose X-Forwarded-For is believed when
	// connections are counted by address. Default none.
	TrustedProxies []netip.Prefix

	// KeysFile holds the API keys that may connect, one a line: "NAME SHA256"
	// and limits of its own if any, separated by spaces. SHA256 is the key's
	// hash in 64 hexadecimal digits (printf %s "$KEY" | sha256sum). Limits are
	// conns=N (connections at one time), subs=N (subscriptions a connection)
	// and rate=N (messages a second). Lines that begin with # are passed
	// over. ReloadKeys reads the file again. Empty: everybody may connect.
	KeysFile string

	// Compression lets clients that ask for it have permessage-deflate (RFC 7692),
	// without context takeover. Each message is compressed once for all of them.
	// Default off: an update costs a shard some 10 µs more, and each client its
	// inflating, for a fifth fewer bytes, since addresses and signatures hardly shrink.
	// A client that compresses its own messages holds 4 KB more from its first one on,
	// and some 45 KB while one arrives, which Timing.MessageTimeout bounds.
	Compression bool

	Limits Limits
	Timing Timing

	// OnConn, when set, is called for each accepted connection, on the
	// connection's own goroutine and outside all locks; a slow one delays only
	// that client's requests. What it returns is told what becomes of it.
	OnConn func(ConnInfo) ConnHooks

	// Epoch names the numbering where it is not the server's own, but that of the
	// updates given to Relay: several servers of one Epoch are the same to a client
	// that resumes trades. Empty: the server numbers by itself, and makes an epoch of
	// its own. Events of server-sent events name the run in any case.
	Epoch string

	// Follow is called before a client's subscription begins, with what it is to:
	// once it returns, Relay has been given the last state of each subject, and its
	// last trades. It runs on the connection's own goroutine; ctx ends after some
	// seconds. On an error the client is closed with 1013, so that it comes again.
	// Listened tells when a subject is needed no more. Nil: nothing has to be done.
	Follow func(ctx context.Context, subjects []Subject) error

	// Candle returns the newest candle of a mint and interval, with which a
	// subscription to candles begins; false where there is none. It is called by
	// the shards, and must not call the server. Nil: subscriptions begin with the
	// next candle that is published.
	Candle func(mint solana.PublicKey, interval swapcast.Interval) (swapcast.Candle, bool)
	// ConfirmedCandle is Candle for subscriptions to confirmed candles.
	ConfirmedCandle func(mint solana.PublicKey, interval swapcast.Interval) (swapcast.Candle, bool)

	// Balances returns what is known of a wallet's balances, with which a
	// subscription to it begins. It is called by the shards, and must not call the
	// server. Nil: subscriptions begin with the next balance that is published.
	Balances func(owner solana.PublicKey, c swapcast.Commitment) []swapcast.Balance

	// OnWallet is told when somebody begins to listen to a wallet that nobody
	// listened to, and when nobody does any more. One goroutine of Run's calls it,
	// outside all locks, one call at a time; while a call lasts, changes wait
	// and those that cancel out are not told. Nil is told nothing.
	OnWallet func(owner solana.PublicKey, watched bool)

	// StatusEvery is how often a status that stays the same is told again.
	// Default 5 s.
	StatusEvery time.Duration

	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: none
	Metrics *Metrics         // nil allowed
}

// Limits bound what one client, one address and everybody together may hold.
// A zero field takes its default; a negative one switches that limit off.
type Limits struct {
	// MessageBytes is the largest message a client may send; a larger one
	// closes with 1009. Default 65,536. Cannot be switched off.
	MessageBytes int
	// MessagesPerSecond and MessageBurst are the token bucket of a client's
	// messages and pings. Defaults 50 and 200.
	MessagesPerSecond float64
	MessageBurst      int
	// AbuseMessages is how many messages over the rate, less the rate itself,
	// a client may send before it is closed with 1008. Default 2,000.
	AbuseMessages int
	// BadRequests is how many refused requests in a row close with 4400.
	// Default 10, as the contract says.
	BadRequests int
	// Subscriptions is how many one connection may hold over all channels,
	// AssetsPerMessage how many one message may name. Defaults 1,024 both.
	Subscriptions    int
	AssetsPerMessage int
	// StreamAssets is how many assets or wallets one stream of server-sent events may
	// name. Default 100: who needs more speaks WebSocket.
	StreamAssets int
	// Wallets is how many of a connection's subscriptions may be to wallets'
	// balances, WatchedWallets how many wallets all connections together may
	// listen to (a wallet at two commitments counts twice). Defaults 100 and
	// 10,000.
	Wallets        int
	WatchedWallets int
	// Connections is how many there may be in all. Default 19,000: what the
	// usual hard limit of 20,000 open files leaves.
	Connections int
	// OpenFiles is how many files the process may have open, sockets among them,
	// for clients to be let in. Default: what the system allows (RLIMIT_NOFILE when
	// New is called) less a reserve, see SpareFiles. It needs SetHTTPLimits.
	OpenFiles int
	// ConnectionsPerAddress is how many one address may hold. Default 1,000
	// and none for loopback, where proxies and load tests come from; a value
	// that is set holds for loopback too.
	ConnectionsPerAddress int

	// QueuedPrices is how many prices and candles that change yet may wait for a
	// slow client before only the newest of each asset (and interval) is kept.
	// Default 512.
	QueuedPrices int
	// QueuedTrades is how many trades may wait for a slow client before it is
	// closed with 4408, and how many final candles, and how many balances.
	// Default 4,096.
	QueuedTrades int
	// QueuedReplies is how many answers may wait for a client that does not
	// read them before it is closed with 4408. Default 2,048. It exceeds
	// what one message can ask for.
	QueuedReplies int
	// ShardQueue is how many published updates may wait for one shard. Beyond
	// it prices and candles are kept newest-only, trades are taken from the history
	// later, as far as it reaches, and final candles and balances are dropped,
	// counted and told to their subscribers as a gap. Default 65,536.
	ShardQueue int
	// RetainedAssets is how many mints without subscribers keep their last
	// price for snapshots; the longest silent is forgotten first. Default
	// 200,000, about 100 MB.
	RetainedAssets int
	// HistoryTrades is how many of the last trades and retracts of each asset are
	// kept for clients that resume (and up to 15 more), HistoryTotal how many of all
	// assets, each counted as a whole number of eights; the oldest are forgotten
	// first. Defaults 8,192, some seconds of the busiest mint, and 65,536: about 20
	// MB, and as much as 45 MB more for the messages of those that had subscribers.
	HistoryTrades int
	HistoryTotal  int
}

// Timing holds the intervals of the connection's life. A zero field takes its
// default.
type Timing struct {
	// PingInterval is the mean time between pings, jittered by a quarter.
	// Default 25 s.
	PingInterval time.Duration
	// DeadAfter is how long a client may give no sign of life (a message, a
	// ping, a pong, or room in a socket that was full) before its connection
	// is cut. Default 75 s.
	DeadAfter time.Duration
	// MessageTimeout is how long a client may take to send one message; then
	// it is closed with 4408. Default 15 s.
	MessageTimeout time.Duration
	// CloseTimeout is how long a connection that was told to close may take
	// before it is cut. Default 5 s.
	CloseTimeout time.Duration
	// ReconnectMin and ReconnectMax bound the jittered hint that a drained
	// client is given. Defaults 500 ms and 10 s.
	ReconnectMin, ReconnectMax time.Duration
	// SendBuffer is the kernel's send buffer of one connection, in bytes. A
	// larger one makes a slow client's prices older. Default 131,072;
	// negative leaves it to the kernel.
	SendBuffer int
}

// ConnInfo is what is known of a client when it connects.
type ConnInfo struct {
	ID         uint64 // unique in this server's run
	TestID     string // "" where not given, "invalid" where not fit to log
	VUID       string
	Scenario   string
	RemoteAddr string
	Key        string // name of the API key, never the key
	UserAgent  string
	Beta       bool
	Window     time.Duration
	Form       string // how messages are sent: json or msgpack, and +deflate
	Batch      bool
	SSE        bool // server-sent events, not a WebSocket
	// Trace is the header sentry-trace, by which a load generator joins its spans
	// with ours; "" where it was not sent or is not of that form.
	Trace string
}

// ConnEnd is how a connection ended.
type ConnEnd struct {
	Code      int    // close code: ours where we closed, else the client's; 1006 without one
	Reason    string // for logs; never holds what the client sent
	Duration  time.Duration
	Sent      uint64 // messages handed to the socket
	Conflated uint64 // prices skipped for a newer one
}

// Stats is a moment's view for status pages.
type Stats struct {
	Epoch         string
	Connections   int
	Subscriptions map[string]int64 // by channel
	Assets        int              // mints with a last price or a subscriber
	Sent          uint64
	Conflated     uint64
	Draining      bool
}

const maxShards = 64

func (o Options) withDefaults() (Options, error) {
	if o.Shards == 0 {
		o.Shards = min(runtime.GOMAXPROCS(0), maxShards)
	}
	if o.Shards < 0 || o.Shards > maxShards {
		return o, fmt.Errorf("shards: %d is not between 1 and %d", o.Shards, maxShards)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Limits.MessageBytes < 0 {
		return o, errors.New("limits: a message without a largest size is refused")
	}
	if o.StatusEvery <= 0 {
		o.StatusEvery = 5 * time.Second
	}
	o.Limits.setDefaults()
	o.Timing.setDefaults()
	if o.Timing.ReconnectMax < o.Timing.ReconnectMin {
		return o, fmt.Errorf("timing: reconnect hint from %v to %v", o.Timing.ReconnectMin, o.Timing.ReconnectMax)
	}
	return o, nil
}

// DefaultConnectionsPerAddress is ConnectionsPerAddress where none was set; loopback is
// then not counted.
const DefaultConnectionsPerAddress = 1000

// unlimited stands for a limit that was switched off.
const unlimited = int(^uint(0) >> 1)

func (l *Limits) setDefaults() {
	if l.MessagesPerSecond == 0 {
		l.MessagesPerSecond = 50
	}
	for _, f := range []struct {
		field *int
		def   int
	}{
		{&l.MessageBytes, 64 << 10},
		{&l.MessageBurst, 200},
		{&l.AbuseMessages, 2000},
		{&l.BadRequests, 10},
		{&l.Subscriptions, 1024},
		{&l.AssetsPerMessage, 1024},
		{&l.StreamAssets, 100},
		{&l.Wallets, 100},
		{&l.WatchedWallets, 10_000},
		{&l.HistoryTrades, 8192},
		{&l.HistoryTotal, 65_536},
		{&l.Connections, 19_000},
		{&l.OpenFiles, newcomersFiles()},
		{&l.QueuedPrices, 512},
		{&l.QueuedTrades, 4096},
		{&l.QueuedReplies, 2048},
		{&l.ShardQueue, 65_536},
		{&l.RetainedAssets, 200_000},
	} {
		switch {
		case *f.field == 0:
			*f.field = f.def
		case *f.field < 0:
			*f.field = unlimited
		}
	}
}

func (t *Timing) setDefaults() {
	for _, f := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&t.PingInterval, 25 * time.Second},
		{&t.DeadAfter, 75 * time.Second},
		{&t.MessageTimeout, 15 * time.Second},
		{&t.CloseTimeout, 5 * time.Second},
		{&t.ReconnectMin, 500 * time.Millisecond},
		{&t.ReconnectMax, 10 * time.Second},
	} {
		if *f.field <= 0 {
			*f.field = f.def
		}
	}
	if t.SendBuffer == 0 {
		t.SendBuffer = 128 << 10
	}
}
