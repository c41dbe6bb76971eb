package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/swapcast/swapcast/stream/wire"
)

// command is what goes to the server, one JSON object a frame.
type command struct {
	Action     string   `json:"action"`
	Channel    string   `json:"channel,omitempty"`
	Interval   string   `json:"interval,omitempty"`
	Commitment string   `json:"commitment,omitempty"`
	Assets     []string `json:"assets,omitempty"`
	Wallets    []string `json:"wallets,omitempty"`
	Since      *since   `json:"since,omitempty"`
	ID         string   `json:"id,omitempty"`
}

// since is how far the client has seen what it asks for again.
type since struct {
	Epoch string            `json:"epoch"`
	Seqs  map[string]uint64 `json:"seqs"` // by asset or wallet
}

// newCommand makes a command about assets, or wallets, of a feed.
func newCommand(action string, feed feedKey, assets []string) command {
	c := command{Action: action, Channel: feed.channel, Interval: feed.interval, Commitment: feed.commitment}
	if feed.channel == ChannelBalances {
		c.Wallets = assets
	} else {
		c.Assets = assets
	}
	return c
}

// feed is what the command is about.
func (c *command) feed() feedKey { return newFeed(c.Channel, c.Interval, c.Commitment) }

// names are the assets, or wallets.
func (c *command) names() []string {
	if c.Channel == ChannelBalances {
		return c.Wallets
	}
	return c.Assets
}

// request is a command whose answer somebody waits for.
type request struct {
	command
	renewal *session    // the connection on which the client asks by itself; nil: the user asks
	done    chan answer // one answer fits without a reader

	// Guarded by the Client's mu.
	refusals []AssetError
}

type answer struct {
	ack *Subscribed
	err error
}

// Subscribe asks for the channel's updates of the given assets (for
// ChannelBalances: wallets; for ChannelStatus: none; CandleChannel names the
// channels of candles, Confirmed those of a higher commitment) and waits for the
// server's acknowledgement. While there is no connection it waits for one; the
// subscription is renewed after every later reconnect, and resumes where it was.
//
// Where some assets were refused the error is an *AssetsError and the others
// are subscribed; where the request was refused as a whole it is a
// *RequestError. When ctx ends first, the request is not taken back: it may
// still be granted.
func (c *Client) Subscribe(ctx context.Context, channel string, assets ...string) error {
	ans, err := c.roundTrip(ctx, newCommand(wire.ActionSubscribe, parseFeed(channel), slices.Clone(assets)), nil)
	if err != nil {
		return fmt.Errorf("subscribe %s: %w", channel, err)
	}
	if len(ans.Errors) > 0 {
		return fmt.Errorf("subscribe %s: %w", channel, &AssetsError{Errors: ans.Errors})
	}
	return nil
}

// Unsubscribe ends the channel's updates of the given assets and waits for the
// server's acknowledgement. Updates that were on their way may still come
// before it returns. Without a connection it returns at once.
func (c *Client) Unsubscribe(ctx context.Context, channel string, assets ...string) error {
	cmd := newCommand(wire.ActionUnsubscribe, parseFeed(channel), slices.Clone(assets))
	c.mu.Lock()
	for _, a := range named(assets) {
		delete(c.wanted, assetKey{cmd.feed(), a})
	}
	idle := c.conn == nil
	if idle {
		c.forget(&cmd)
	}
	c.mu.Unlock()
	if idle {
		return nil
	}
	_, err := c.roundTrip(ctx, cmd, nil)
	if errors.Is(err, ErrDisconnected) {
		c.mu.Lock()
		c.forget(&cmd)
		c.mu.Unlock()
		return nil // what the server held ended with the connection
	}
	if err != nil {
		return fmt.Errorf("unsubscribe %s: %w", channel, err)
	}
	return nil
}

// forget drops the positions of what is subscribed no longer. Called with mu held.
func (c *Client) forget(cmd *command) {
	for _, asset := range cmd.names() {
		if key := (assetKey{cmd.feed(), asset}); !c.wants(key) {
			c.seqs.forget(key)
		}
	}
}

// wants tells whether something is subscribed. Called with mu held.
func (c *Client) wants(key assetKey) bool {
	_, ok := c.wanted[key]
	return ok
}

// named are the assets of a request as subscriptions are kept by them: one without
// a name where the channel has none.
func named(assets []string) []string {
	if len(assets) == 0 {
		return []string{""}
	}
	return assets
}

// Ping returns the time of one round trip through the server's own reading and
// writing (an answer shows that the server works, not only its kernel).
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if _, err := c.roundTrip(ctx, command{Action: wire.ActionPing}, nil); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	return time.Since(start), nil
}

// Subscriptions returns the assets of a channel that the server has granted,
// in no order.
func (c *Client) Subscriptions(channel string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	feed := parseFeed(channel)
	var assets []string
	for key := range c.wanted {
		if key.feedKey == feed && key.asset != "" {
			assets = append(assets, key.asset)
		}
	}
	return assets
}

// roundTrip sends a command and waits for its answer.
func (c *Client) roundTrip(ctx context.Context, cmd command, renewal *session) (*Subscribed, error) {
	r := &request{command: cmd, renewal: renewal, done: make(chan answer, 1)}
	conn, cmd, err := c.register(r)
	if err != nil {
		return nil, err
	}
	if conn != nil {
		conn.send(cmd)
	}
	select {
	case a := <-r.done:
		return a.ack, a.err
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.pending, r.ID)
		c.mu.Unlock()
		return nil, ctx.Err()
	}
}

// register gives the request its id and returns the connection to send it on, nil
// where it waits for the next one, and what to send.
func (c *Client) register(r *request) (*session, command, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, command{}, ErrClosed
	}
	if c.conn == nil && r.Action != wire.ActionSubscribe || r.renewal != nil && r.renewal != c.conn {
		return nil, command{}, ErrDisconnected
	}
	c.nextID++
	r.ID = strconv.FormatUint(c.nextID, 10)
	c.pending[r.ID] = r
	return c.conn, c.resuming(r.command), nil
}

// resuming is a command with what the client has seen so far. Called with mu held.
func (c *Client) resuming(cmd command) command {
	if cmd.Action == wire.ActionSubscribe {
		cmd.Since = c.seqs.since(cmd.feed(), cmd.names())
	}
	return cmd
}

// answered hands the server's answer to whoever asked, and keeps the book of
// subscriptions. It returns the request, nil where nobody had asked or waits
// any more. Called with mu held.
func (c *Client) answered(id string, a answer) *request {
	r := c.pending[id]
	if r == nil {
		return nil
	}
	delete(c.pending, id)
	if r.Action == wire.ActionSubscribe && a.err == nil && a.ack == nil {
		a.err = &RequestError{Code: "bad_answer", Message: "the server answered something else than was asked"}
	}
	switch {
	case r.Action == wire.ActionSubscribe:
		c.granted(r, a)
	case r.Action == wire.ActionUnsubscribe && a.err == nil:
		c.forget(&r.command)
	}
	r.done <- a
	return r
}

// refused takes the refusal of one asset. The acknowledgement that follows
// lists it again; where it was the last or only asset there may be none.
// Called with mu held.
func (c *Client) refused(id string, e AssetError) *request {
	r := c.pending[id]
	if r == nil {
		return nil
	}
	r.refusals = append(r.refusals, e)
	if len(r.refusals) >= len(r.names()) {
		return c.answered(id, answer{ack: &Subscribed{Channel: r.Channel, Interval: r.Interval, Commitment: committed(r.Commitment), Errors: r.refusals}})
	}
	return r
}

// granted notes which assets of a request are subscribed now.
func (c *Client) granted(r *request, a answer) {
	if a.err != nil {
		return
	}
	refused := make(map[string]bool, len(a.ack.Errors))
	for _, e := range a.ack.Errors {
		refused[e.name()] = true
	}
	for _, asset := range named(r.names()) {
		key := assetKey{r.feed(), asset}
		switch {
		case refused[asset]:
			delete(c.wanted, key)
		case r.renewal == nil: // a renewal must not bring back what was unsubscribed meanwhile
			c.wanted[key] = struct{}{}
		}
	}
}

// unanswered returns the commands that wait for an answer, in the order in which
// they were asked. Called with mu held.
func (c *Client) unanswered() []command {
	waiting := make([]command, 0, len(c.pending))
	for _, r := range c.pending {
		waiting = append(waiting, c.resuming(r.command))
	}
	slices.SortFunc(waiting, func(a, b command) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return waiting
}

// renewals groups what is subscribed into requests of a bounded size.
// Called with mu held.
func (c *Client) renewals() []command {
	byFeed := map[feedKey][]string{}
	for key := range c.wanted {
		assets := byFeed[key.feedKey]
		if key.asset != "" {
			assets = append(assets, key.asset)
		}
		byFeed[key.feedKey] = assets
	}
	feeds := slices.SortedFunc(maps.Keys(byFeed), func(a, b feedKey) int { return cmp.Compare(a.name(), b.name()) })
	var cmds []command
	for _, feed := range feeds {
		assets := byFeed[feed]
		slices.Sort(assets)
		if len(assets) == 0 {
			cmds = append(cmds, newCommand(wire.ActionSubscribe, feed, nil))
		}
		for chunk := range slices.Chunk(assets, renewalChunk) {
			cmds = append(cmds, newCommand(wire.ActionSubscribe, feed, chunk))
		}
	}
	return cmds
}

// renewalChunk assets make a message of about 12 KB, with what was seen of each.
const renewalChunk = 100

func encode(cmd command) []byte {
	b, err := json.Marshal(cmd)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", cmd.Action, err)) // strings, numbers, and lists of them only
	}
	return b
}
