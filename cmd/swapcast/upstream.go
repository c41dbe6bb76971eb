package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/ledger"
	"github.com/swapcast/swapcast/parser"
)

// upstream is where the chain comes from: one endpoint, or several of one chain
// that are followed at once. A market: or replay: source is played by the same
// Yellowstone server that `swapcast geyser` runs, in this process and over an
// in-memory connection: every source takes the same path.
type upstream struct {
	endpoints []*upstreamEndpoint
	feed      swapcast.Feed
	describe  string
	tokens    []swapcast.Token
	metrics   *geyser.Metrics

	player   *replay.Local // the in-process server; nil for remote sources
	recorded bool          // it plays a recording
	// repeats says that a recording is played again and again, with the same
	// signatures each time.
	repeats bool
}

// upstreamEndpoint is one --source.
type upstreamEndpoint struct {
	name       string
	subscriber *geyser.Subscriber
}

// openUpstream reads --source. resume says up to which slot everything is
// proved, for where to begin again after a cut.
func openUpstream(c *serveCmd, log *slog.Logger, registry prometheus.Registerer, stages *prometheus.HistogramVec, resume func() uint64) (*upstream, error) {
	metrics := geyser.NewMetrics(registry)
	metrics.StageChain = stages.WithLabelValues("chain")
	metrics.StageGeyser = stages.WithLabelValues("geyser")
	u := &upstream{describe: strings.Join(c.Source, " "), metrics: metrics}
	for i, raw := range c.Source {
		options, remote, err := endpointOptions(raw, c.token(i), c.GeyserCompression)
		if err != nil {
			return nil, err
		}
		options.StaleAfter = c.StaleAfter
		options.Logger = log.With("component", "geyser")
		options.Metrics = metrics
		options.Resume = resume
		options.Firehose = c.Firehose
		options.Wallets = c.wallets
		switch {
		case !remote && len(c.Source) > 1:
			return nil, usagef("--source %q: several sources are endpoints of one chain (grpc://, grpcs://); this one stands alone", raw)
		case !remote:
			if err := u.openPlayer(raw, log, registry, &options); err != nil {
				return nil, err
			}
		case u.has(options.Name):
			return nil, usagef("--source %q is given twice", raw)
		}
		subscriber, err := geyser.New(options)
		if err != nil {
			return nil, usagef("--source %q: %v", raw, err)
		}
		u.endpoints = append(u.endpoints, &upstreamEndpoint{name: options.Name, subscriber: subscriber})
	}
	return u, nil
}

// has tells whether there is an endpoint of that name.
func (u *upstream) has(name string) bool {
	return slices.ContainsFunc(u.endpoints, func(e *upstreamEndpoint) bool { return e.name == name })
}

// authorities ranks the endpoints for where their copies of a transaction
// differ and nothing else decides: an earlier --source is believed more.
func (u *upstream) authorities() map[string]uint8 {
	ranks := map[string]uint8{backfill.Endpoint: ledger.AuthorityRPC}
	for i, e := range u.endpoints {
		ranks[e.name] = uint8(max(1, 200-i)) //nolint:gosec // between 1 and 200
	}
	return ranks
}

// statuses are the endpoints', in the order of --source.
func (u *upstream) statuses() []geyser.Status {
	list := make([]geyser.Status, 0, len(u.endpoints))
	for _, e := range u.endpoints {
		list = append(list, e.subscriber.Status())
	}
	return list
}

// follow changes which wallets every endpoint is asked for.
func (u *upstream) follow(f geyser.Filter) {
	for _, e := range u.endpoints {
		e.subscriber.SetFilter(f)
	}
}

// reconnect has endpoints open new streams before they end the old ones: the one
// of that name, or all where it is "". False: there is none of that name.
func (u *upstream) reconnect(name string) bool {
	found := false
	for _, e := range u.endpoints {
		if name == "" || name == e.name {
			e.subscriber.Reconnect()
			found = true
		}
	}
	return found
}

// openPlayer makes the in-process server for a market: or replay: source.
func (u *upstream) openPlayer(raw string, log *slog.Logger, registry prometheus.Registerer, options *geyser.Options) error {
	if !strings.HasPrefix(raw, "market:") && !strings.HasPrefix(raw, "replay:") {
		return usagef("--source %q: %s, and for a chain grpc://host:port or grpcs://host", raw, sourceForms)
	}
	play, err := openPlaySource(raw)
	if err != nil {
		return err
	}
	u.feed, u.describe = play.Feed, play.Describe
	if play.Feed == swapcast.FeedSimulated {
		u.tokens = sim.Tokens()
	}
	u.recorded, u.repeats = play.Recorded, play.Loop
	if play.Recorded {
		// A recording that has ended is silent, and no reconnection helps.
		options.StaleAfter = 365 * 24 * time.Hour
		options.Resume = nil
	}
	u.player, err = replay.NewLocal(replay.Options{
		Source:        play.Source,
		Reopen:        play.Reopen,
		Loop:          play.Loop,
		Speed:         play.Speed,
		WaitForClient: true,
		Lossless:      true,
		// The times of a recording are all that tells when its trades were made.
		KeepCreatedAt: play.Recorded,
		StoredSlots:   150, // the one subscriber is in this process and never far behind
		StoredBytes:   16 << 20,
		Metrics:       replay.NewMetrics(registry),
		Simulated:     play.Feed == swapcast.FeedSimulated,
		Logger:        log.With("component", "player"),
	})
	if err != nil {
		return fmt.Errorf("--source %q: %w", raw, err)
	}
	options.Name = "built-in market"
	if play.Recorded {
		options.Name = "recording"
	}
	options.Target = u.player.Target()
	options.DialOptions = u.player.DialOptions()
	return nil
}

// ended reports whether a source that this process plays has come to its end.
func (u *upstream) ended() bool { return u.player != nil && u.player.Stats().Ended }

// feedNote is what a person must know about a kind of feed, "" nothing.
func feedNote(feed swapcast.Feed) string {
	switch feed {
	case swapcast.FeedSimulated:
		return "THE MARKET IS SIMULATED: prices, pools and wallets are made up; give --source grpcs://HOST for the real chain"
	case swapcast.FeedReplay:
		return "this is a replay: prices are of the time of the recording"
	case swapcast.FeedUnknown:
		return "the server has not heard from its source yet: whether its market is the real chain is not known"
	default:
		return ""
	}
}

// serve runs the in-process server until ctx ends; for a remote source it only
// waits.
func (u *upstream) serve(ctx context.Context) error {
	if u.player == nil {
		<-ctx.Done()
		return nil
	}
	return u.player.Run(ctx)
}

// dexPrograms lists the program ids that the subscription asks for.
func dexPrograms() []solana.PublicKey {
	var programs []solana.PublicKey
	for _, dex := range parser.DEXes() {
		programs = append(programs, dex.Program)
	}
	return programs
}

// endpointOptions is how the DEX transactions of a grpc:// or grpcs:// source
// are followed. remote is false for a source of another kind: the options then
// lack their target, and say nothing of token and compression.
func endpointOptions(source, token, compression string) (o geyser.Options, remote bool, err error) {
	o = geyser.Options{Programs: dexPrograms()}
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "grpc" && u.Scheme != "grpcs" {
		return o, false, nil
	}
	o.TLS, o.Token = u.Scheme == "grpcs", token
	if compression != "none" {
		o.Compression = compression
	}
	if o.Name, o.Target, err = grpcTarget(source[len(u.Scheme)+len("://"):], o.TLS); err != nil {
		return o, true, usagef("--source %q: %v", source, err)
	}
	return o, true, nil
}

// grpcTarget reads host[:port]. TLS without a port means 443.
func grpcTarget(rest string, tls bool) (name, target string, err error) {
	u, err := url.Parse("grpc://" + rest)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("not a host and port: %w", err)
	case u.User != nil:
		return "", "", fmt.Errorf("a token does not belong into the URL, where logs show it: use --geyser-token")
	case u.Hostname() == "":
		return "", "", fmt.Errorf("the host is missing; write grpc://host:port or grpcs://host")
	case u.RawQuery != "" || u.Path != "" && u.Path != "/":
		return "", "", fmt.Errorf("only a host and a port belong there")
	case u.Port() == "" && !tls:
		return "", "", fmt.Errorf("the port is missing; write grpc://host:port")
	case u.Port() == "":
		u.Host = net.JoinHostPort(u.Hostname(), "443")
	}
	return u.Host, "dns:///" + u.Host, nil
}
