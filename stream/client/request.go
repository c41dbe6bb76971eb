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
	"strings"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// command is what goes to the server, one JSON object a frame.
type command struct {
	Action   string   `json:"action"`
	Channel  string   `json:"channel,omitempty"`
	Interval string   `json:"interval,omitempty"`
	Assets   []string `json:"assets,omitempty"`
	Wallets  []string `json:"wallets,omitempty"`
	ID       string   `json:"id,omitempty"`
}

// newCommand makes a command of a channel as the user names it, which says the
// interval of candles too.
func newCommand(action, channel string, assets []string) command {
	c := command{Action: action}
	c.Channel, c.Interval = splitChannel(channel)
	if channel == ChannelBalances {
		c.Wallets = assets
	} else {
		c.Assets = assets
	}
	return c
}

// key is the channel as the user names it.
func (c *command) key() string { return joinChannel(c.Channel, c.Interval) }

// splitChannel takes a channel as the user names it apart.
func splitChannel(name string) (channel, interval string) {
	channel, interval, _ = strings.Cut(name, ":")
	if channel == ChannelCandles && interval == "" {
		interval = swapcast.DefaultInterval.String()
	}
	return channel, interval
}

// joinChannel undoes splitChannel.
func joinChannel(channel, interval string) string {
	if interval == "" {
		return channel
	}
	return channel + ":" + interval
}

// request is a command whose answer somebody waits for.
type request struct {
	command
	assets  []string
	renewal bool
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
// channels of candles) and waits for the server's
// acknowledgement. While there is no connection it waits for one; the
// subscription is renewed after every later reconnect.
//
// Where some assets were refused the error is an *AssetsError and the others
// are subscribed; where the request was refused as a whole it is a
// *RequestError. When ctx ends first, the request is not taken back: it may
// still be granted.
func (c *Client) Subscribe(ctx context.Context, channel string, assets ...string) error {
	ans, err := c.roundTrip(ctx, newCommand(wire.ActionSubscribe, channel, slices.Clone(assets)), false)
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
	cmd := newCommand(wire.ActionUnsubscribe, channel, slices.Clone(assets))
	c.mu.Lock()
	for _, a := range assets {
		delete(c.wanted, assetKey{cmd.key(), a})
	}
	if len(assets) == 0 {
		delete(c.wanted, assetKey{channel: cmd.key()})
	}
	idle := c.conn == nil
	c.mu.Unlock()
	if idle {
		return nil
	}
	_, err := c.roundTrip(ctx, cmd, false)
	if errors.Is(err, ErrDisconnected) {
		return nil // what the server held ended with the connection
	}
	if err != nil {
		return fmt.Errorf("unsubscribe %s: %w", channel, err)
	}
	return nil
}

// Ping returns the time of one round trip through the server's own reading and
// writing (an answer shows that the server works, not only its kernel).
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	if _, err := c.roundTrip(ctx, command{Action: wire.ActionPing}, false); err != nil {
		return 0, fmt.Errorf("ping: %w", err)
	}
	return time.Since(start), nil
}

// Subscriptions returns the assets of a channel that the server has granted,
// in no order.
func (c *Client) Subscriptions(channel string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	channel = joinChannel(splitChannel(channel))
	var assets []string
	for key := range c.wanted {
		if key.channel == channel && key.asset != "" {
			assets = append(assets, key.asset)
		}
	}
	return assets
}

// roundTrip sends a command and waits for its answer.
func (c *Client) roundTrip(ctx context.Context, cmd command, renewal bool) (*Subscribed, error) {
	r := &request{command: cmd, assets: cmd.Assets, renewal: renewal, done: make(chan answer, 1)}
	if cmd.Channel == ChannelBalances {
		r.assets = cmd.Wallets
	}
	conn, err := c.register(r)
	if err != nil {
		return nil, err
	}
	if conn != nil {
		conn.send(r.command)
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

// register gives the request its id and returns the connection to send it on;
// nil where it waits for the next one.
func (c *Client) register(r *request) (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.conn == nil && r.Action != wire.ActionSubscribe {
		return nil, ErrDisconnected
	}
	c.nextID++
	r.ID = strconv.FormatUint(c.nextID, 10)
	c.pending[r.ID] = r
	return c.conn, nil
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
		for _, asset := range r.assets {
			c.seqs.forget(assetKey{r.key(), asset})
		}
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
	if len(r.refusals) >= len(r.assets) {
		return c.answered(id, answer{ack: &Subscribed{Channel: r.Channel, Interval: r.Interval, Errors: r.refusals}})
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
		refused[e.AssetID] = true
	}
	assets := r.assets
	if len(assets) == 0 {
		assets = []string{""}
	}
	for _, asset := range assets {
		key := assetKey{r.key(), asset}
		switch {
		case refused[asset]:
			delete(c.wanted, key)
		case !r.renewal: // a renewal must not bring back what was unsubscribed meanwhile
			c.wanted[key] = struct{}{}
		}
	}
}

// unanswered returns the commands that wait for an answer, in the order in which
// they were asked. Called with mu held.
func (c *Client) unanswered() []command {
	waiting := make([]command, 0, len(c.pending))
	for _, r := range c.pending {
		waiting = append(waiting, r.command)
	}
	slices.SortFunc(waiting, func(a, b command) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return waiting
}

// renewals groups what is subscribed into requests of a bounded size.
// Called with mu held.
func (c *Client) renewals() []command {
	byChannel := map[string][]string{}
	for key := range c.wanted {
		assets := byChannel[key.channel]
		if key.asset != "" {
			assets = append(assets, key.asset)
		}
		byChannel[key.channel] = assets
	}
	var cmds []command
	for _, channel := range slices.Sorted(maps.Keys(byChannel)) {
		assets := byChannel[channel]
		slices.Sort(assets)
		if len(assets) == 0 {
			cmds = append(cmds, newCommand(wire.ActionSubscribe, channel, nil))
		}
		for chunk := range slices.Chunk(assets, renewalChunk) {
			cmds = append(cmds, newCommand(wire.ActionSubscribe, channel, chunk))
		}
	}
	return cmds
}

// renewalChunk assets make a message of about 5 KB.
const renewalChunk = 100

func encode(cmd command) []byte {
	b, err := json.Marshal(cmd)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", cmd.Action, err)) // strings and lists of strings only
	}
	return b
}
