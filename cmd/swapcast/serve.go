package main

import (
	"context"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
)

// serveCmd is `swapcast serve`.
type serveCmd struct {
	Source            []string      `help:"Where the chain comes from: market: (built-in and simulated; market:?seed=1&tps=500), replay:PATH (a capture, a JSON file or a folder; ?speed=1, 0 is as fast as it is read; &loop=true), grpc://host:port (Yellowstone, plain) or grpcs://host[:port] (Yellowstone, TLS). Given several times, the endpoints of one chain are followed at once: each event is told once, from whoever brings it first; where they disagree an earlier one is believed more." default:"market:" sep:"none" group:"Source"`
	GeyserToken       []string      `help:"Token sent as x-token to a grpc:// or grpcs:// source. One for all, or as many as there are sources, in their order (an empty one sends none)." placeholder:"TOKEN" group:"Source"`
	GeyserCompression string        `help:"Compression asked of a grpc:// or grpcs:// source: none, gzip or zstd." enum:"none,gzip,zstd" default:"none" group:"Source"`
	StaleAfter        time.Duration `help:"A source that is silent for this long is reconnected, and /readyz says not ready." default:"15s" group:"Source"`
	RPCURL            []string      `name:"rpc-url" help:"JSON-RPC endpoint (http or https), asked in turn where given several times: slots that no stream can bring again, transactions on which endpoints disagree, and symbol, name and supply of tokens come from there." placeholder:"URL" sep:"none" group:"Source"`
	RPCRate           float64       `name:"rpc-rate" help:"Requests a second to each --rpc-url. The default is what mainnet's public endpoint allows." default:"4" group:"Source"`
	StateDir          string        `help:"Folder that remembers up to which slot everything was told, so that a restart asks for what it missed." placeholder:"DIR" group:"Source"`
	HoldFor           time.Duration `help:"How long a confirmed slot waits for the proof that nothing of it is missing before confirmed prices go on without it." default:"10s" group:"Source"`
	Corroborate       time.Duration `help:"How long a confirmed slot that one source has brought whole waits for the others, so that their copies are compared before anything of it is told as confirmed. One that keeps being later than that is not waited for." default:"250ms" group:"Source"`
	Firehose          bool          `help:"Ask the sources for all transactions but votes, not only for those of the exchanges and watched wallets." group:"Source"`
	WatchWallet       []string      `help:"Wallet whose balances are followed from the start; others are when a client asks for them." placeholder:"OWNER" group:"Source"`
	PipelineQueue     int           `help:"Decoded updates that may wait for the parser; when they do, the source is held back." default:"8192" group:"Source"`

	Role        string        `help:"all: follow the chain and have clients, on one machine. ingest: follow the chain and tell edges, by Redis; of several one leads and the others take over. edge: have clients, and be told by ingests." enum:"all,ingest,edge" default:"all" group:"Several machines"`
	IngestURL   string        `name:"ingest-url" help:"Base URL at which edges reach this ingest's HTTP API. Needed where --listen names no address that they can reach; else it is made of that." placeholder:"URL" group:"Several machines"`
	RelayPrefix string        `help:"What the keys and channels of this fleet begin with in Redis: one for each fleet that shares a Redis." default:"swapcast" group:"Several machines"`
	RelayLease  time.Duration `help:"How long an ingest leads after it was heard of last: so long it takes another one to take over." default:"3s" group:"Several machines"`

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
	Compression              bool     `help:"Compress messages (permessage-deflate) for WebSocket clients that ask for it, browsers among them: once per update for all, a fifth fewer bytes, about 10 µs an update." group:"Clients"`
	HistoryTrades            int      `help:"Last trades kept for clients that resume with since, over all tokens and both commitments; one token gets half of it at most. About 1 kB each once somebody was told." default:"65536" group:"Clients"`
	MessagesPerSecond        float64  `help:"Messages a second from one client, with bursts of four times as many." default:"50" group:"Clients"`

	RedisURL string `name:"redis-url" help:"Redis that instances share their cache by, and that keeps the checkpoint without --state-dir: redis://[user:password@]host:port[/db], redis-sentinel://host:port,host:port/master[/db] or redis-cluster://host:port,host:port; rediss, rediss-sentinel and rediss-cluster for TLS. Without it the cache is in memory; where it cannot be reached too, until it can." placeholder:"URL" group:"Cache"`

	quoteFlags  `embed:""`
	reportFlags `embed:""`

	wallets []solana.PublicKey // of WatchWallet

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
	if n := len(c.GeyserToken); n > 1 && n != len(c.Source) {
		return usagef("--geyser-token is given %d times for %d sources; give one for all, or one for each", n, len(c.Source))
	}
	c.wallets = c.wallets[:0]
	for _, text := range c.WatchWallet {
		owner, err := swapcast.ParseKey(text)
		if err != nil {
			return usagef("--watch-wallet %q: %v", text, err)
		}
		c.wallets = append(c.wallets, owner)
	}
	if err := c.checkRole(); err != nil {
		return err
	}
	if err := c.quoteFlags.check(); err != nil {
		return err
	}
	if err := c.reportFlags.check(); err != nil {
		return err
	}
	if !(c.RPCRate > 0) {
		return usagef("--rpc-rate %v: must be above 0", c.RPCRate)
	}
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"--pipeline-queue", c.PipelineQueue},
		{"--history-trades", c.HistoryTrades},
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
	if c.StaleAfter <= 0 || c.DrainTimeout <= 0 || c.HoldFor <= 0 || c.Corroborate <= 0 || c.RelayLease <= 0 {
		return usagef("--stale-after, --hold-for, --corroborate, --relay-lease and --drain-timeout must be above 0")
	}
	for _, origin := range c.AllowedOrigins {
		if _, err := path.Match(origin, ""); err != nil || !originForm(origin) {
			return usagef("--allowed-origins %q: write https://app.example.org, app.example.org, *.example.org or *", origin)
		}
	}
	return nil
}

// token is what is sent to the source of that place.
func (c *serveCmd) token(source int) string {
	switch len(c.GeyserToken) {
	case 0:
		return ""
	case 1:
		return c.GeyserToken[0]
	}
	return c.GeyserToken[source]
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
