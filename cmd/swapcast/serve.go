package main

import (
	"context"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/swapcast/swapcast/stream"
)

// serveCmd is `swapcast serve`.
type serveCmd struct {
	Source            []string      `help:"Where the chain comes from: market: (built-in and simulated; market:?seed=1&tps=500), replay:PATH (a capture, a JSON file or a folder; ?speed=1, 0 is as fast as it is read; &loop=true), grpc://host:port (Yellowstone, plain) or grpcs://host[:port] (Yellowstone, TLS)." default:"market:" sep:"none" group:"Source"`
	GeyserToken       string        `help:"Token sent as x-token to a grpc:// or grpcs:// source." placeholder:"TOKEN" group:"Source"`
	GeyserCompression string        `help:"Compression asked of a grpc:// or grpcs:// source: none, gzip or zstd." enum:"none,gzip,zstd" default:"none" group:"Source"`
	StaleAfter        time.Duration `help:"A source that is silent for this long is reconnected, and /readyz says not ready." default:"15s" group:"Source"`
	PipelineQueue     int           `help:"Decoded updates that may wait for the parser; when they do, the source is held back." default:"8192" group:"Source"`

	Listen         string        `help:"Address of the page, the WebSocket and the HTTP API. Port 0 takes a free one." default:"127.0.0.1:8080" group:"Listeners"`
	AdminListen    string        `help:"Address of metrics, profiles and administration; empty switches it off. Keep it on loopback or behind a wall." default:"127.0.0.1:9090" group:"Listeners"`
	AdminToken     string        `help:"Bearer token that writes on the admin listener need; without it they are refused." placeholder:"TOKEN" group:"Listeners"`
	DrainTimeout   time.Duration `help:"How long clients may take to leave when the server is told to stop." default:"10s" group:"Listeners"`
	TrustedProxies []string      `help:"Networks whose X-Forwarded-For is believed when connections are counted by address." placeholder:"CIDR" group:"Listeners"`

	AllowedOrigins           []string `help:"Web origins whose pages may use the WebSocket, and the HTTP API once this is set: https://app.example.org, *.example.org, or * for all. The server's own page always may." placeholder:"ORIGIN" group:"Clients"`
	APIKeysFile              string   `name:"api-keys-file" help:"File with hashed API keys, one 'name sha256hex' a line; SIGHUP reads it again. Without it no key is needed." placeholder:"FILE" group:"Clients"`
	MaxConnections           int      `help:"WebSocket connections in all." default:"19000" group:"Clients"`
	MaxConnectionsPerAddress int      `help:"WebSocket connections of one address; 0: 1000, and none for loopback." default:"0" group:"Clients"`
	MaxSubscriptions         int      `help:"Subscriptions of one connection." default:"1024" group:"Clients"`
	MaxMessageBytes          int      `help:"Largest message from a client, in bytes." default:"65536" group:"Clients"`
	MessagesPerSecond        float64  `help:"Messages a second from one client, with bursts of four times as many." default:"50" group:"Clients"`

	MaxMints           int `help:"Mints that are followed; the least recently traded is forgotten beyond that." default:"50000" group:"Memory"`
	MaxPools           int `help:"Pools that are followed." default:"100000" group:"Memory"`
	TradesPerMint      int `help:"Last trades kept for each mint." default:"200" group:"Memory"`
	CandlesPerInterval int `help:"Last candles kept for each mint and interval; 100 or more, of which a day's volume and change are made." default:"1000" group:"Memory"`
	MaxCandles         int `help:"Candles kept in all; the mint that has not traded for longest loses its own first." default:"1500000" group:"Memory"`
}

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, env *environ) error {
	if err := c.validate(); err != nil {
		return err
	}
	s, err := newServer(ctx, c, env)
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// validate checks what the flags' own types cannot.
func (c *serveCmd) validate() error {
	if len(c.Source) != 1 {
		return usagef("--source is given %d times; this version follows one source at a time", len(c.Source))
	}
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"--pipeline-queue", c.PipelineQueue},
		{"--max-connections", c.MaxConnections},
		{"--max-subscriptions", c.MaxSubscriptions},
		{"--max-message-bytes", c.MaxMessageBytes},
		{"--max-mints", c.MaxMints},
		{"--max-pools", c.MaxPools},
		{"--trades-per-mint", c.TradesPerMint},
		{"--max-candles", c.MaxCandles},
	} {
		if n.value <= 0 {
			return usagef("%s %d: must be above 0", n.flag, n.value)
		}
	}
	if c.CandlesPerInterval < 100 {
		return usagef("--candles-per-interval %d: must be 100 or more", c.CandlesPerInterval)
	}
	if c.MaxConnectionsPerAddress < 0 {
		return usagef("--max-connections-per-address %d: must not be below 0", c.MaxConnectionsPerAddress)
	}
	if !(c.MessagesPerSecond > 0) {
		return usagef("--messages-per-second %v: must be above 0", c.MessagesPerSecond)
	}
	if c.StaleAfter <= 0 || c.DrainTimeout <= 0 {
		return usagef("--stale-after and --drain-timeout must be above 0")
	}
	for _, origin := range c.AllowedOrigins {
		if _, err := path.Match(origin, ""); err != nil || !originForm(origin) {
			return usagef("--allowed-origins %q: write https://app.example.org, app.example.org, *.example.org or *", origin)
		}
	}
	return nil
}

// originForm reports whether text can be a web origin or a pattern of one: an
// optional scheme, a host, an optional port, and nothing behind.
func originForm(text string) bool {
	_, host, found := strings.Cut(text, "://")
	if !found {
		host = text
	}
	return host != "" && !strings.ContainsAny(host, "/?# \t,@")
}

// maxPerAddress is the limit that holds for an address that is not loopback.
func (c *serveCmd) maxPerAddress() int {
	if c.MaxConnectionsPerAddress == 0 {
		return stream.DefaultConnectionsPerAddress
	}
	return c.MaxConnectionsPerAddress
}

// proxies reads --trusted-proxies.
func (c *serveCmd) proxies() ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			address, errAddress := netip.ParseAddr(text)
			if errAddress != nil {
				return nil, usagef("--trusted-proxies %q: neither a network such as 10.0.0.0/8 nor an address", text)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}
