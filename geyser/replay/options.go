package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/encoding"

	_ "github.com/swapcast/swapcast/geyser" // registers gzip and zstd with grpc
	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// Source is what the server plays: updates in stream order, as a Yellowstone
// server would have sent them. Next returns io.EOF at the end. The server keeps
// parts of an update and never changes it; the source must not change it
// either once it is handed out, but may hand out the same one twice.
//
// A Source that is also an io.Closer is closed when the server is done with it.
type Source interface {
	Next(ctx context.Context) (*pb.SubscribeUpdate, error)
}

// Options configure a Server. The zero value of each field but Source works.
type Options struct {
	// Source is played first. Required unless Reopen is set.
	Source Source
	// Reopen opens the source anew, for Loop. It is also the first source
	// where Source is nil.
	Reopen func() (Source, error)
	// Loop starts again at the end of the source, with slots, block heights
	// and block times moved on so that they keep rising. Signatures and block
	// hashes come again unchanged.
	Loop bool

	// Speed is how much faster than its CreatedAt times the source is played;
	// 1 is real time. 0 plays as fast as the source is read: then the player
	// waits for the slowest subscriber (see Lossless).
	Speed float64
	// MaxPause bounds one silence of the source's clock: a longer one is played
	// as this one. Default 2 s. A folder of transactions of different days
	// would take years without it.
	MaxPause time.Duration
	// WaitForClient holds the first update back until a subscriber's first
	// request has been taken.
	WaitForClient bool
	// EndWithSource ends every stream once the source has ended and the
	// subscriber has been sent all of it: with status OK, which a client reads
	// as end of stream. Without it streams stay open, pings go on, and stored
	// slots can still be asked for. Has no effect with Loop.
	EndWithSource bool
	// KeepCreatedAt sends the source's own created_at times. By default
	// created_at is when this server sent the update out, as with a real
	// server, so that clients can measure lag by it.
	KeepCreatedAt bool

	// Token, where not empty, is what clients must send as x-token metadata.
	Token string
	// Simulated says that the source is no recording of a chain. Clients see
	// it in the response header x-swapcast-feed and in GetVersion.
	Simulated bool
	// Version is reported by GetVersion. Default "dev".
	Version string

	// MaxStreams is how many Subscribe streams may be open at once; one more is
	// refused with RESOURCE_EXHAUSTED "max subscription limit exceeded". Default
	// 1,000.
	MaxStreams int
	// QueueSize is how many updates of the stream a subscriber may be behind
	// before it is cut with INTERNAL "lagged to send an update". All updates
	// count, not only those that its filters let pass. Default 65,536. It is cut
	// as well when what it has not read yet must go for want of StoredBytes.
	QueueSize int
	// Lossless makes the player wait for the slowest subscriber instead of
	// cutting it, at most SlowWait each time; always on where Speed is 0. Meant
	// for use in process, where a lost update is a failed test.
	Lossless bool
	// SlowWait is how long a lossless player waits for one subscriber that
	// takes nothing before it cuts it. Default 30 s.
	SlowWait time.Duration
	// PingInterval is the time between the server's pings on a stream. Default
	// 10 s, as the real server.
	PingInterval time.Duration

	// StoredSlots is how many slots from_slot can go back. Default 3,000;
	// negative switches from_slot off ("from_slot is not supported").
	StoredSlots int
	// StoredBytes bounds the memory of stored updates: older slots are let go
	// first. Default 256 MiB.
	StoredBytes int64
	// SendCompression, "gzip" or "zstd", compresses what is sent to clients
	// that accept it. Empty compresses only towards clients that compress what
	// they send.
	SendCompression string

	// Wrap is the seam for fault injection: see Sink. May be nil.
	Wrap func(Stream, Sink) Sink

	// Faults are what this server does wrong on purpose; none by default. The
	// chain's are applied to the Source beforehand (faults.Script.Chain). Breaking
	// and freezing connections needs Serve, which makes them.
	Faults faults.Endpoint
	// OnFault is told of each fault that strikes, from many goroutines, one at a
	// time; it must not block. May be nil.
	OnFault func(faults.Event)

	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts nothing
	// Now is the clock of created_at. Default time.Now.
	Now func() time.Time
}

// Defaults of Options, and limits of the real server that clients know.
const (
	DefaultQueueSize    = 65_536
	DefaultStoredSlots  = 3_000
	DefaultMaxStreams   = 1_000
	DefaultStoredBytes  = 256 << 20
	DefaultPingInterval = 10 * time.Second
	DefaultMaxPause     = 2 * time.Second
	DefaultSlowWait     = 30 * time.Second

	// MaxFilterName is the longest filter name in bytes.
	MaxFilterName = 128
	// unsettledSlots is how many slots are kept for a commitment that they
	// have not reached yet, beyond StoredSlots.
	unsettledSlots = 150
)

func (o Options) withDefaults() (Options, error) {
	if o.Source == nil && o.Reopen == nil {
		return o, errors.New("replay: no source")
	}
	if o.Loop && o.Reopen == nil {
		return o, errors.New("replay: a loop needs a way to reopen the source")
	}
	if o.Speed < 0 || o.Speed != o.Speed {
		return o, fmt.Errorf("replay: speed %v is below 0", o.Speed)
	}
	if o.Speed == 0 {
		o.Lossless = true
	}
	setDefault(&o.QueueSize, DefaultQueueSize)
	setDefault(&o.MaxStreams, DefaultMaxStreams)
	setDefault(&o.StoredSlots, DefaultStoredSlots)
	setDefault(&o.StoredBytes, DefaultStoredBytes)
	setDefault(&o.PingInterval, DefaultPingInterval)
	setDefault(&o.MaxPause, DefaultMaxPause)
	setDefault(&o.SlowWait, DefaultSlowWait)
	if o.QueueSize < 0 || o.MaxStreams < 0 || o.StoredBytes < 0 || o.PingInterval < 0 || o.MaxPause < 0 || o.SlowWait < 0 {
		return o, errors.New("replay: a size or a time is below 0")
	}
	if o.SendCompression != "" && encoding.GetCompressor(o.SendCompression) == nil {
		return o, fmt.Errorf("replay: no compressor %q", o.SendCompression)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
