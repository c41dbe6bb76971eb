package stream

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

func balance(owner, n int, amount uint64) *swapcast.Balance {
	return &swapcast.Balance{Owner: mint(owner), Mint: mint(n), Amount: amount, Decimals: 6, Slot: 9, Signature: solana.Signature{1}}
}

func (m message) balance() string {
	text := fmt.Sprintf("%s #%d", m.Amount, m.Seq)
	if m.Snapshot {
		text += " snapshot"
	}
	if m.Corrects != 0 {
		text += fmt.Sprintf(" corrects %d", m.Corrects)
	}
	if m.Type != "balance" {
		text = m.raw
	}
	return text
}

func (c *client) expectBalances(want ...string) {
	c.t.Helper()
	for _, w := range want {
		if m := c.next(); m.balance() != w {
			c.t.Fatalf("%s, want %s (%s)", m.balance(), w, m.raw)
		}
	}
}

func TestBalancesChannel(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Feed: swapcast.FeedReplay})
	c := r.dial("")
	r.PublishBalance(balance(1, 5, 1)) // nobody listens
	c.send(`{"action":"subscribe","channel":"balances","wallets":[%q,%q,"nope"],"id":"1"}`, mint(1), mint(2))
	m := c.next()
	if m.Type != "subscribed" || len(m.Assets) != 0 || len(m.Wallets) != 2 || m.Wallets[0] != mint(1).String() || m.Seqs[mint(2).String()] != 0 ||
		len(m.Errors) != 1 || m.Errors[0].Wallet != "nope" || m.Errors[0].Code != "invalid_wallet" {
		t.Errorf("%s", m.raw)
	}
	r.PublishBalance(balance(1, 5, 10))
	r.PublishBalance(balance(2, 5, 20))
	r.PublishBalance(balance(3, 5, 30)) // somebody else's
	native := balance(1, 6, 1<<63)
	native.Native, native.Corrects = true, 8
	r.PublishBalance(native)
	m = c.next()
	if m.balance() != "10 #1" || m.Wallet != mint(1).String() || m.AssetID != mint(5).String() || m.Feed != "replay" || m.TS == 0 || m.Native || m.Slot != 9 {
		t.Errorf("%s", m.raw)
	}
	c.expectBalances("20 #1")
	if m := c.next(); m.balance() != "9223372036854775808 #2 corrects 8" || !m.Native {
		t.Errorf("%s", m.raw)
	}

	// Confirmed ones are another thing.
	settled := balance(1, 5, 10)
	settled.Commitment = swapcast.Confirmed
	r.PublishBalance(settled)
	c.send(`{"action":"subscribe","channel":"balances","wallets":%q,"commitment":"confirmed"}`, mint(1))
	c.send(`{"action":"unsubscribe","channel":"balances","wallets":%q,"id":"2"}`, mint(1))
	if m := c.next(); m.Type != "unsubscribed" {
		t.Errorf("%s", m.raw)
	}
	r.PublishBalance(balance(1, 5, 11))
	r.PublishBalance(settled)
	if m := c.next(); m.balance() != "10 #1" || m.Commitment != "confirmed" {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"subscribe","channel":"balances","wallets":"nope","id":"3"}`)
	if m := c.next(); m.Code != "invalid_wallet" || m.Wallet != "nope" || m.AssetID != "" {
		t.Errorf("%s", m.raw)
	}
	c.send(`{"action":"subscribe","channel":"balances","wallets":[],"id":"3"}`)
	if m := c.next(); m.Code != "invalid_wallet" || m.Wallet != "" {
		t.Errorf("%s", m.raw)
	}
}

// A subscription begins with what the wallet holds, however much that is and
// however slowly the client reads, and goes on with what came meanwhile.
func TestBalancesBegin(t *testing.T) {
	t.Parallel()
	const held = 1000
	asked := make(chan swapcast.Commitment, 10)
	r := newRig(t, Options{
		Shards: 1, Limits: Limits{QueuedTrades: 200}, Timing: Timing{SendBuffer: 4096},
		Balances: func(owner solana.PublicKey, c swapcast.Commitment) []swapcast.Balance {
			asked <- c
			if owner != mint(1) {
				return nil
			}
			var all []swapcast.Balance
			for n := range held {
				all = append(all, *balance(1, n, uint64(n)))
			}
			return all
		},
	})
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","channel":"balances","wallets":[%q,%q],"commitment":"confirmed","id":"1"}`, mint(1), mint(2))
	c.expect(1)
	if got := []swapcast.Commitment{<-asked, <-asked}; !slices.Equal(got, []swapcast.Commitment{swapcast.Confirmed, swapcast.Confirmed}) {
		t.Errorf("%v", got)
	}
	const live = 150
	for i := range live {
		b := balance(1, 5, uint64(i))
		b.Commitment = swapcast.Confirmed
		r.PublishBalance(b)
	}
	for i := range held + live {
		want := fmt.Sprintf("%d #0 snapshot", i)
		if i >= held {
			want = fmt.Sprintf("%d #%d", i-held, i-held+1)
		}
		if m := c.expect(1).message(t); m.balance() != want {
			t.Fatalf("%d: %s, want %s (%s)", i, m.balance(), want, m.raw)
		}
	}
}

// What the wallet holds is enough for a client that resumes, if somebody knows.
func TestSinceOfBalances(t *testing.T) {
	t.Parallel()
	known := func(solana.PublicKey, swapcast.Commitment) []swapcast.Balance {
		return []swapcast.Balance{*balance(1, 5, 7)}
	}
	for _, o := range []Options{{}, {Balances: known}} {
		r := newRig(t, o)
		stays := r.dial("")
		stays.send(`{"action":"subscribe","channel":"balances","wallets":%q,"id":"0"}`, mint(1))
		stays.next()
		for range 3 {
			r.PublishBalance(balance(1, 5, 7))
		}
		for seq, whole := range map[uint64]bool{3: true, 1: o.Balances != nil} {
			c := r.dial("")
			c.send(`{"action":"subscribe","channel":"balances","wallets":%q,"id":"1","since":{"epoch":%q,"seqs":{%q:%d}}}`, mint(1), r.Epoch(), mint(1), seq)
			if m := c.next(); m.Recovered != whole || m.Seqs[mint(1).String()] != 3 {
				t.Errorf("%s", m.raw)
			}
			if !whole {
				if m := c.next(); m.brief() != "gap balances 2-3 no_history" || m.Wallet != mint(1).String() {
					t.Errorf("%s", m.raw)
				}
			}
			if o.Balances != nil {
				c.expectBalances("7 #3 snapshot")
			}
			c.nothingMore()
		}
	}
}

// Balances are kept for a slow client up to a bound; then it is closed with 4408.
func TestSlowReaderOfBalances(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Shards: 1, Limits: Limits{QueuedTrades: 50}, Timing: Timing{SendBuffer: 4096}})
	c := r.dialRaw("", 4096)
	c.sendText(`{"action":"subscribe","channel":"balances","wallets":%q,"id":"1"}`, mint(1))
	c.expect(1)
	for i := range 100_000 {
		r.PublishBalance(balance(1, 5, uint64(i)))
		if i%100 == 0 && r.closing() {
			break
		}
	}
	for next := uint64(1); ; next++ {
		f, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 8 {
			if f.closeCode() != wire.CloseSlowConsumer {
				t.Errorf("closed with %d", f.closeCode())
			}
			break
		}
		if m := f.message(t); m.Seq != next {
			t.Fatalf("seq %d, want %d", m.Seq, next)
		}
	}
}

func TestWalletLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Limits: Limits{Wallets: 2, WatchedWallets: 3}})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"balances","wallets":[%q,%q,%q],"id":"1"}`, mint(1), mint(2), mint(3))
	m := c.next()
	if len(m.Wallets) != 2 || len(m.Errors) != 1 || m.Errors[0].Code != "too_many_subscriptions" || m.Errors[0].Wallet != mint(3).String() {
		t.Errorf("%s", m.raw)
	}
	d := r.dial("")
	d.send(`{"action":"subscribe","channel":"balances","wallets":[%q,%q,%q],"id":"1"}`, mint(1), mint(3), mint(4))
	if m = d.next(); len(m.Wallets) != 2 || len(m.Errors) != 1 || m.Errors[0].Code != "too_many_subscriptions" || m.Errors[0].Wallet != mint(4).String() {
		t.Errorf("%s", m.raw)
	}
	d.send(`{"action":"subscribe","channel":"balances","wallets":%q,"id":"2"}`, mint(5))
	if m = d.next(); m.Type != "error" || m.Code != "too_many_subscriptions" || m.Wallet != mint(5).String() {
		t.Errorf("%s", m.raw)
	}
	// Giving one up makes room.
	d.send(`{"action":"unsubscribe","channel":"balances","wallets":[%q],"id":"3"}`, mint(3))
	d.next()
	d.send(`{"action":"subscribe","channel":"balances","wallets":[%q],"id":"4"}`, mint(4))
	if m = d.next(); len(m.Wallets) != 1 {
		t.Errorf("%s", m.raw)
	}
	c.CloseNow()
	d.CloseNow()
	r.await("all to be forgotten", func() bool {
		r.registry.mu.Lock()
		defer r.registry.mu.Unlock()
		return len(r.registry.wallets[0])+len(r.registry.wallets[1]) == 0
	})
}

// OnWallet hears of the first listener and of the last one's leaving, one call at
// a time, and what cancels out while it is busy is not told.
func TestOnWallet(t *testing.T) {
	t.Parallel()
	type change struct {
		owner   solana.PublicKey
		watched bool
	}
	var busy sync.Mutex
	calls := make(chan change, 100)
	let := make(chan struct{}, 100)
	r := newRig(t, Options{OnWallet: func(owner solana.PublicKey, watched bool) {
		if !busy.TryLock() {
			t.Error("two calls at one time")
		}
		defer busy.Unlock()
		calls <- change{owner, watched}
		<-let
	}})
	expect := func(n int, watched bool) {
		t.Helper()
		if got := <-calls; got != (change{mint(n), watched}) {
			t.Errorf("%+v", got)
		}
	}
	subscribe := func(c *client, action, commitment string, n int) {
		c.send(`{"action":%q,"channel":"balances","wallets":%q,"commitment":%q,"id":"1"}`, action, mint(n), commitment)
		c.next()
	}
	c, d := r.dial(""), r.dial("")
	subscribe(c, "subscribe", "processed", 1)
	expect(1, true)
	// It is busy: these wait, and what is undone is not told.
	subscribe(d, "subscribe", "confirmed", 1)
	subscribe(c, "unsubscribe", "processed", 1)
	for range 50 {
		subscribe(c, "subscribe", "processed", 2)
		subscribe(c, "unsubscribe", "processed", 2)
	}
	subscribe(c, "subscribe", "processed", 3)
	let <- struct{}{}
	expect(3, true)
	let <- struct{}{}
	d.CloseNow()
	expect(1, false)
	let <- struct{}{}
	c.CloseNow()
	expect(3, false)
	let <- struct{}{}
	r.stop()
	select {
	case more := <-calls:
		t.Errorf("%+v", more)
	default:
	}
}
