package client

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Defaults of Options, used for its zero values.
const (
	DefaultBuffer      = 4096
	DefaultSilentAfter = 30 * time.Second
	DefaultAckTimeout  = 10 * time.Second
	DefaultMinBackoff  = 250 * time.Millisecond
	DefaultMaxBackoff  = 30 * time.Second
	DefaultMaxMessage  = 1 << 20
)

// MaxWindow is the longest window that a server accepts.
const MaxWindow = 5 * time.Second

// Options configure a Client. The zero value works: no key, every update, 4096
// buffered events.
type Options struct {
	// APIKey is sent as "Authorization: Bearer", never in the URL, so that it
	// stays out of the logs of proxies.
	APIKey string

	// TestID, VUID and Scenario tag the connection in the server's logs: at
	// most 64 of A-Za-z0-9_.:- each.
	TestID, VUID, Scenario string

	// Window asks for at most one price per asset per window, the newest;
	// 0 to 5 seconds, in whole milliseconds. Default 0: every update.
	Window time.Duration

	// NoBatch turns off batch=1, by which several updates may share one frame.
	// Batching saves work on both sides and adds no delay; such a frame has 16 KiB
	// at most.
	NoBatch bool

	// MessagePack asks for messages as MessagePack in place of JSON, and Compression
	// for compressed ones: fewer bytes on the way, some more work here. A server that
	// does not offer them sends JSON as ever; events are the same.
	MessagePack, Compression bool

	// Beta asks for the prices of canary adapters too.
	Beta bool

	// Buffer is how many events wait for the reader of Events. Default 4096.
	Buffer int

	// OnEvent, where set, receives every event in place of Events. It is called
	// from the reading goroutine: while it runs nothing is read, not even pings.
	// It must not call Close, and must not wait for Subscribe, Unsubscribe or
	// Ping, whose answers it would be holding up.
	OnEvent func(Event)

	// SilentAfter is how long a connection may stay silent before it is given
	// up. A ping goes out at half of it. Default 30 s; negative means never.
	SilentAfter time.Duration

	// AckTimeout bounds the wait for one acknowledgement when subscriptions
	// are renewed after a reconnect, and the handshake. Default 10 s.
	AckTimeout time.Duration

	// MinBackoff and MaxBackoff bound the time between connections.
	// Defaults 250 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration

	// MaxMessage is the longest message that is read, in bytes. A longer one
	// ends the connection. Default 1 MiB.
	MaxMessage int64

	// HTTPClient makes the handshake; its transport decides about proxies and
	// certificates. Default http.DefaultClient.
	HTTPClient *http.Client

	// Header is added to the handshake.
	Header http.Header

	// Rand gives the jitter, uniform in [0, 1). Default math/rand/v2.
	Rand func() float64

	// Logger receives connects, losses and refusals. Default: none.
	Logger *slog.Logger
}

// withDefaults returns a copy in which zero values are replaced, or what is
// wrong with the values given.
func (o Options) withDefaults() (Options, error) {
	if o.Window < 0 || o.Window > MaxWindow || o.Window%time.Millisecond != 0 {
		return o, fmt.Errorf("window %s is not a whole number of milliseconds from 0 to %s", o.Window, MaxWindow)
	}
	if o.Buffer < 0 || o.MaxMessage < 0 || o.AckTimeout < 0 || o.MinBackoff < 0 || o.MaxBackoff < 0 {
		return o, errors.New("negative buffer, size or time")
	}
	setDefault(&o.Buffer, DefaultBuffer)
	setDefault(&o.SilentAfter, DefaultSilentAfter)
	setDefault(&o.AckTimeout, DefaultAckTimeout)
	setDefault(&o.MinBackoff, DefaultMinBackoff)
	setDefault(&o.MaxBackoff, max(DefaultMaxBackoff, o.MinBackoff))
	setDefault(&o.MaxMessage, DefaultMaxMessage)
	if o.MinBackoff > o.MaxBackoff {
		return o, fmt.Errorf("backoff from %s to %s runs backwards", o.MinBackoff, o.MaxBackoff)
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// dialURL turns the address that the user gave into the one that is dialled:
// any of ws, wss, http and https, with /ws where no path was given, and the
// options that travel in the query.
func (o Options) dialURL(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("server address: %w", err)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return "", fmt.Errorf("server address %q: want ws:// or wss://", raw)
	}
	if u.Host == "" {
		return "", fmt.Errorf("server address %q has no host", raw)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	q := u.Query()
	for name, value := range map[string]string{"test_id": o.TestID, "vu_id": o.VUID, "scenario": o.Scenario} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.Window > 0 {
		q.Set("window_ms", strconv.FormatInt(o.Window.Milliseconds(), 10))
	}
	if !o.NoBatch {
		q.Set("batch", "1")
	}
	if o.Beta {
		q.Set("beta", "1")
	}
	u.RawQuery = q.Encode()
	u.Fragment = ""
	return u.String(), nil
}

// shown is an address as logs and errors may have it: without the key that its user
// put into it.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	if u.User != nil {
		u.User = url.User("redacted")
	}
	if q := u.Query(); q.Has("api_key") {
		q.Set("api_key", "redacted")
		u.RawQuery = q.Encode()
	}
	return u.String()
}

func (o Options) header() http.Header {
	h := o.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if o.APIKey != "" {
		h.Set("Authorization", "Bearer "+o.APIKey)
	}
	return h
}
