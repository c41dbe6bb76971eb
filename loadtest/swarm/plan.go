package swarm

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options are one run. See the flags of `swapcast load` for what each means.
type Options struct {
	URLs        []string // ws://host:port/ws, one of each server
	Admin       []string // http://host:port of the servers' admin listeners, to be scraped
	AllowRemote bool

	Connections int
	Mix         Mix
	Ramp, Hold  time.Duration
	Session     time.Duration // of Churn
	Storm       time.Duration // 0: none

	Assets     []string // mints
	Wallets    []string // for Balances
	TokensEach int      // of Multi and Slow
	Zipf       float64  // its exponent, above 1
	WindowMS   int
	Batch      bool
	TestID     string
	APIKey     string

	Processes int
	Loops     int // of a process
	Sources   int // local addresses; 0: one for each 4,000 connections
	Timeout   time.Duration
}

// Validate returns what is wrong with the options in the words of the flags.
func (o *Options) Validate() error {
	switch {
	case len(o.URLs) == 0:
		return errors.New("--url: none given")
	case o.Connections < 1:
		return fmt.Errorf("--connections %d: must be above 0", o.Connections)
	case o.Ramp < 0 || o.Hold <= 0:
		return errors.New("--ramp must not be negative, --duration must be above 0")
	case o.Session <= 0 || o.Timeout <= 0:
		return errors.New("--session and --connect-timeout must be above 0")
	case o.Storm < 0 || o.Storm > o.Hold/2:
		return fmt.Errorf("--storm %v: must be from 0 to half of --duration", o.Storm)
	case o.TokensEach < 1 || o.TokensEach > 1024:
		return fmt.Errorf("--tokens-each %d: must be from 1 to 1024", o.TokensEach)
	case !(o.Zipf > 1) || o.Zipf > 10:
		return fmt.Errorf("--zipf %v: must be above 1, and 10 at most", o.Zipf)
	case o.WindowMS < 0 || o.WindowMS > 5000:
		return fmt.Errorf("--window-ms %d: must be from 0 to 5000", o.WindowMS)
	case o.Processes < 1 || o.Processes > o.Connections:
		return fmt.Errorf("--processes %d: must be from 1 to the number of connections", o.Processes)
	case o.Loops < 1 || o.Loops > 256:
		return fmt.Errorf("--loops %d: must be from 1 to 256", o.Loops)
	case o.Sources < 0 || o.Sources > 60_000:
		return fmt.Errorf("--source-addresses %d: must be from 0 to 60000", o.Sources)
	case len(o.Assets) == 0:
		return errors.New("--assets: none given, and none found")
	case o.Mix.has(Balances) && len(o.Wallets) == 0:
		return errors.New("--wallets: none given, and none found; the scenario balances needs some")
	}
	return nil
}

// plan is what a worker needs to know. It goes to other processes as JSON.
type plan struct {
	Options
	Targets  []target
	From, To int       // connections of this worker
	Start    time.Time // of the ramp
	Seed     uint64
	Loopback bool

	key64, accept string // Sec-WebSocket-Key and its answer
	index         map[string]int32
}

// target is a server.
type target struct {
	Addr netip.AddrPort
	Host string // header
	Path string // with a query, if any
}

// newPlan resolves the targets.
func newPlan(o Options) (*plan, error) {
	p := &plan{Options: o, To: o.Connections, Seed: 1, Loopback: true}
	for _, text := range o.URLs {
		if holdsKey(text) {
			return nil, errors.New("--url: give the API key by --api-key or its environment variable: addresses stand in the report")
		}
		t, err := parseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("--url %s: %w", text, err)
		}
		if !t.Addr.Addr().IsLoopback() {
			if !o.AllowRemote {
				return nil, fmt.Errorf("--url %s: %v is not this machine; give --allow-remote if that server is yours to load", text, t.Addr.Addr())
			}
			p.Loopback = false
		}
		p.Targets = append(p.Targets, t)
	}
	return p, nil
}

// holdsKey tells whether an address has a secret in it.
func holdsKey(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.User != nil || u.Query().Has("api_key"))
}

func parseTarget(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil {
		return target{}, err
	}
	if u.Scheme != "ws" {
		return target{}, fmt.Errorf("scheme %q: the load generator speaks plain ws:// only", u.Scheme)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	ips, err := net.ResolveIPAddr("ip4", u.Hostname())
	if err != nil {
		return target{}, err
	}
	addr, ok := netip.AddrFromSlice(ips.IP.To4())
	if !ok {
		return target{}, errors.New("no IPv4 address")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return target{}, fmt.Errorf("port %q", port)
	}
	return target{netip.AddrPortFrom(addr, uint16(n)), u.Host, u.RequestURI()}, nil
}

// prepare fills in what a worker derives for itself.
func (p *plan) prepare() {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	p.key64 = base64.StdEncoding.EncodeToString(nonce[:])
	sum := sha1.Sum([]byte(p.key64 + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, 1.3
	p.accept = base64.StdEncoding.EncodeToString(sum[:])
	p.index = make(map[string]int32, len(p.Assets)+len(p.Wallets))
	for i, a := range p.Assets {
		p.index[a] = int32(i)
	}
	for i, w := range p.Wallets {
		p.index[w] = int32(len(p.Assets) + i)
	}
}

// share is the part of one of n workers: a range of the connections.
func (p *plan) share(worker, n int) *plan {
	part := *p
	part.From = p.Connections * worker / n
	part.To = p.Connections * (worker + 1) / n
	return &part
}

// startOf is when a connection is opened first: evenly over the ramp, whatever process
// has it.
func (p *plan) startOf(i int) time.Time {
	n := p.To - p.From
	return p.Start.Add(time.Duration(float64(p.Ramp) * float64(i-p.From) / float64(n)))
}

func (p *plan) hold() time.Time  { return p.Start.Add(p.Ramp) }
func (p *plan) end() time.Time   { return p.hold().Add(p.Hold) }
func (p *plan) storm() time.Time { return p.hold().Add(p.Hold / 3) }

// sources is the number of local addresses that connections come from.
func (p *plan) sources() int {
	switch {
	case !p.Loopback:
		return 1
	case p.Sources > 0:
		return p.Sources
	default:
		return (p.Connections + perSource - 1) / perSource
	}
}

// perSource is how many connections share a local address unless told otherwise: a
// seventh of the ephemeral ports, so that those of closed connections do not run out.
const perSource = 4000

// sourceOf is connection i's local address; the zero one leaves it to the kernel.
func (p *plan) sourceOf(i int) netip.Addr {
	if !p.Loopback {
		return netip.Addr{}
	}
	n := i%p.sources() + 2 // 127.0.0.3 and up: the first ones are everybody else's
	return netip.AddrFrom4([4]byte{127, 0, byte(n / 250), byte(n%250 + 1)})
}

// request appends the handshake of a connection.
func (p *plan) request(dst []byte, i int, s Scenario) []byte {
	t := &p.Targets[i%len(p.Targets)]
	dst = append(dst, "GET "...)
	dst = append(dst, t.Path...)
	separator := byte('?')
	if strings.Contains(t.Path, "?") {
		separator = '&'
	}
	add := func(name, value string) {
		if value != "" {
			dst = append(append(append(append(dst, separator), name...), '='), url.QueryEscape(value)...)
			separator = '&'
		}
	}
	add("test_id", p.TestID)
	add("vu_id", strconv.Itoa(i))
	add("scenario", s.String())
	if p.WindowMS > 0 {
		add("window_ms", strconv.Itoa(p.WindowMS))
	}
	if p.Batch {
		add("batch", "1")
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, t.Host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = append(dst, p.key64...)
	dst = append(dst, "\r\nUser-Agent: swapcast-load\r\n"...)
	if p.APIKey != "" {
		dst = append(append(append(dst, "Authorization: Bearer "...), p.APIKey...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// CheckTargets returns what is wrong with the servers of a run: it is asked before
// anything is sent to them.
func CheckTargets(o Options) error {
	_, err := newPlan(o)
	return err
}
