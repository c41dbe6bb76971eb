package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/client"
)

// fragile is a network on which each connection breaks after some bytes, most
// often within a message.
type fragile struct {
	mu       sync.Mutex
	random   *rand.Rand
	from, to int64 // bytes that a connection brings; from is enough for a handshake and the renewals
	cuts     int
}

func (f *fragile) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return &breaking{Conn: nc, left: f.from + f.random.Int64N(f.to-f.from), net: f}, nil
}

type breaking struct {
	net.Conn
	left int64 // owned by the reader
	net  *fragile
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.net.mu.Lock()
		b.net.cuts++
		b.net.mu.Unlock()
		_ = b.Close()
		return 0, errors.New("the network broke")
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// sequence is what a test has published of one asset at one commitment, and what
// has come of it.
type sequence struct {
	mint       solana.PublicKey
	commitment swapcast.Commitment
	published  []bool // by seq less one: whether it was a retract
	reached    uint64
	gaps       map[string]uint64 // missing by reason
	restarts   int
	open       bool // a gap of unknown length has come
}

// publish gives a trade, or takes one back. The slot says its number.
func (s *sequence) publish(server *stream.Server, retract bool) {
	s.published = append(s.published, retract)
	slot := uint64(len(s.published))
	if retract {
		server.PublishRetract(&swapcast.Retract{Mint: s.mint, Slot: slot, Signatures: []solana.Signature{{1}}, Commitment: s.commitment})
		return
	}
	t := trade(s.mint)
	t.Slot, t.Commitment = slot, s.commitment
	server.PublishTrade(t)
}

// take checks that an event is the next one, or says what is missing before it.
func (s *sequence) take(ev client.Event) error {
	switch e := ev.(type) {
	case *client.Trade:
		return s.update(e.Seq, e.Slot, false)
	case *client.Retract:
		return s.update(e.Seq, e.Slot, true)
	case *client.Gap:
		switch {
		case e.ToSeq == 0 && (e.Reason == client.GapRestart || e.Reason == client.GapOverflow):
			s.restarts++
			s.open = true
		case e.FromSeq != s.reached+1 && !s.open:
			return fmt.Errorf("gap %+v after %d", e, s.reached)
		case e.ToSeq > s.reached:
			s.gaps[e.Reason] += e.ToSeq - e.FromSeq + 1
			s.reached, s.open = e.ToSeq, false
		default:
			return fmt.Errorf("gap %+v after %d is none", e, s.reached)
		}
	}
	return nil
}

func (s *sequence) update(seq, slot uint64, retract bool) error {
	switch {
	case seq != s.reached+1 && !s.open:
		return fmt.Errorf("number %d after %d", seq, s.reached)
	case slot != seq || seq > uint64(len(s.published)) || s.published[seq-1] != retract:
		return fmt.Errorf("number %d is slot %d, retract=%v", seq, slot, retract)
	}
	s.reached, s.open = seq, false
	return nil
}

// Whatever breaks, every trade and every retract comes once and in order, or a gap
// says that it does not.
func TestEveryTradeOnceOrAGap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		run := resumeRun{
			seed:    rapid.Uint64().Draw(rt, "seed"),
			history: rapid.SampledFrom([]int{8, 64, 4096}).Draw(rt, "history"),
			buffer:  rapid.SampledFrom([]int{4, 4096}).Draw(rt, "buffer"),
			restart: rapid.IntRange(0, 2).Draw(rt, "restart"),
			batch:   rapid.Bool().Draw(rt, "batch"),
		}
		if err := run.play(t); err != nil {
			rt.Fatal(err)
		}
	})
}

type resumeRun struct {
	seed            uint64
	history, buffer int
	restart         int // server restarts
	batch           bool
}

// play publishes in bursts, over a network that breaks, and lets the client come
// near after each.
func (r resumeRun) play(t *testing.T) (err error) {
	random := rand.New(rand.NewPCG(r.seed, 1))
	l := &live{t: t, limits: stream.Limits{HistoryTrades: r.history}}
	l.start()
	defer l.end()
	network := &fragile{random: rand.New(rand.NewPCG(r.seed, 2)), from: 1500, to: 9000}
	if r.batch { // one frame may hold all that a resuming client is given in a turn
		network.from, network.to = 64_000, 128_000
	}
	transport := &http.Transport{DialContext: network.dial}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.New(l.url, client.Options{
		Buffer: r.buffer, NoBatch: !r.batch, HTTPClient: &http.Client{Transport: transport},
		MinBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(runCtx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()

	sequences := map[string]*sequence{}
	var all []*sequence
	for n := range byte(2) {
		for _, commitment := range []swapcast.Commitment{swapcast.Processed, swapcast.Confirmed} {
			s := &sequence{mint: mint(n), commitment: commitment, gaps: map[string]uint64{}}
			sequences[s.mint.String()+commitment.String()] = s
			all = append(all, s)
		}
	}
	for _, channel := range []string{client.ChannelTrades, client.Confirmed(client.ChannelTrades)} {
		if err := c.Subscribe(ctx, channel, mint(0).String(), mint(1).String()); err != nil {
			return err
		}
	}
	const bursts = 12
	for burst := range bursts {
		if r.restart > 0 && burst > 0 && burst%(bursts/(r.restart+1)) == 0 && burst < bursts-1 {
			l.restart()
			for _, s := range all {
				s.published = nil
				s.open = true // until the client says so itself
			}
			if err := r.restarted(ctx, c, sequences, all, burst/(bursts/(r.restart+1))); err != nil {
				return err
			}
		}
		server := l.server.Load()
		for range 1 + random.IntN(60) {
			all[random.IntN(len(all))].publish(server, random.IntN(6) == 0)
		}
		lag := random.IntN(20)
		if every := bursts / (r.restart + 1); burst == bursts-1 || r.restart > 0 && (burst+1)%every == 0 {
			lag = 0 // what a server that ends has published must have come
		}
		if err := follow(ctx, c, sequences, func() bool {
			return !slices.ContainsFunc(all, func(s *sequence) bool { return int(s.reached)+lag < len(s.published) })
		}); err != nil {
			for _, s := range all {
				err = fmt.Errorf("%w; %d of %d", err, s.reached, len(s.published))
			}
			return err
		}
	}
	return r.judge(c, network, all)
}

// restarted waits until the client has told of every sequence that it began anew.
func (r resumeRun) restarted(ctx context.Context, c *client.Client, sequences map[string]*sequence, all []*sequence, times int) error {
	err := follow(ctx, c, sequences, func() bool {
		return !slices.ContainsFunc(all, func(s *sequence) bool { return s.restarts < times })
	})
	for _, s := range all {
		s.reached, s.open = 0, false // of the new run nothing is missing
	}
	return err
}

// follow takes events until all has come that is waited for.
func follow(ctx context.Context, c *client.Client, sequences map[string]*sequence, done func() bool) error {
	for !done() {
		ev, err := c.Next(ctx)
		if err != nil {
			return fmt.Errorf("wait: %w (%+v)", err, c.Stats())
		}
		var s *sequence
		switch e := ev.(type) {
		case *client.Trade:
			s = sequences[e.AssetID+e.Commitment]
		case *client.Retract:
			s = sequences[e.AssetID+e.Commitment]
		case *client.Gap:
			s = sequences[e.AssetID+e.Commitment]
		case *client.Error:
			return fmt.Errorf("%+v", e)
		default:
			continue
		}
		if s == nil {
			return fmt.Errorf("nobody's %T %+v", ev, ev)
		}
		if err := s.take(ev); err != nil {
			return fmt.Errorf("%s at %s: %w", s.mint, s.commitment, err)
		}
	}
	return nil
}

// judge checks that nothing is missing without need.
func (r resumeRun) judge(c *client.Client, network *fragile, all []*sequence) error {
	stats := c.Stats()
	if stats.Malformed+stats.Unknown > 0 {
		return fmt.Errorf("%+v", stats)
	}
	for _, s := range all {
		if s.restarts != r.restart {
			return fmt.Errorf("%s: %d restarts told, want %d", s.mint, s.restarts, r.restart)
		}
		for reason, missing := range s.gaps {
			switch {
			case reason == client.GapHistory && r.history < 4096:
			case reason == client.GapOverflow && stats.Overflowed > 0:
			default:
				return fmt.Errorf("%s: %d missing of %d for %s, %d cuts, %+v", s.mint, missing, len(s.published), reason, network.cuts, stats)
			}
		}
	}
	return nil
}
