package geyser

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
)

// keys are n accounts that begin with the byte first.
func keys(first byte, n int) (out []solana.PublicKey) {
	for i := range n {
		out = append(out, solana.PublicKey{first, byte(i >> 8), byte(i), 1})
	}
	return out
}

const (
	plugin150 = `{"version":{"package":"yellowstone-grpc-geyser","version":"15.0.9","proto":"12.5.0"},"extra":{}}`
	plugin151 = `{"version":{"package":"yellowstone-grpc-geyser","version":"15.1.2","proto":"12.6.0"},"extra":{}}`
)

func TestKnowsOwners(t *testing.T) {
	for text, want := range map[string]bool{
		plugin150: false,
		plugin151: true,
		`{"version":{"package":"yellowstone-grpc-geyser","version":"16.0.0-rc1+solana.4.3.0"}}`: true,
		`{"version":{"package":"swapcast","version":"dev","proto":"12.6.0"}}`:                   true,
		`{"version":{"package":"laserstream","version":"20.0.1"}}`:                              false,
		`{"version":{"package":"yellowstone-grpc-geyser","version":"15"}}`:                      false,
		`{}`: false,
	} {
		if got, err := knowsOwners(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := knowsOwners("15.1.2"); err == nil {
		t.Error("text that is no JSON is taken")
	}
}

// TestMatchOwnersBytes pins the field that the stubs do not know: number 30,
// varint, 1.
func TestMatchOwnersBytes(t *testing.T) {
	f := &pb.SubscribeRequestFilterTransactions{AccountInclude: []string{"x"}}
	matchOwners(f)
	b, err := proto.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != "1a0178"+"f00101" {
		t.Errorf("bytes %s", got)
	}
}

// TestTokenAccounts: the addresses are those that the chain uses. These two are
// the token accounts of mainnet's Raydium authority.
func TestTokenAccounts(t *testing.T) {
	p := newPlan(&Options{})
	owner := solana.MustPublicKeyFromBase58("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1")
	got := p.tokenAccounts(owner)
	if len(got) != 6 {
		t.Fatalf("%d accounts for 3 mints", len(got))
	}
	for i, mint := range []solana.PublicKey{solana.WrappedSol, swapcast.USDC(), swapcast.USDT()} {
		want, _, err := solana.FindAssociatedTokenAddress(owner, mint)
		if err != nil || got[2*i] != want || got[2*i+1] == want {
			t.Errorf("mint %s: %s and %s", mint, got[2*i], got[2*i+1])
		}
	}
}

// TestRequests: the filters for each state of affairs.
func TestRequests(t *testing.T) {
	programs, wallets := keys(1, 3), keys(2, 2)
	const no = "false"
	type filter struct {
		vote, failed string // "": whatever
		keys         int
		owners       bool
	}
	text := func(b *bool) string {
		if b == nil {
			return ""
		}
		return fmt.Sprint(*b)
	}
	for name, c := range map[string]struct {
		o      Options
		owners bool
		want   map[string]filter
	}{
		"nothing":           {Options{}, false, map[string]filter{"swapcast": {no, no, 0, false}}},
		"programs":          {Options{Programs: programs}, false, map[string]filter{"swapcast": {no, no, 3, false}}},
		"unfiltered":        {Options{Programs: programs, Unfiltered: true}, false, map[string]filter{"swapcast": {}}},
		"firehose":          {Options{Programs: programs, Wallets: wallets, Firehose: true}, false, map[string]filter{"swapcast": {no, "", 0, false}}},
		"owners not known":  {Options{Programs: programs, Wallets: wallets}, false, map[string]filter{"swapcast": {no, no, 3, false}, "swapcast-wallets": {no, "", 14, false}}},
		"owners known":      {Options{Programs: programs, Wallets: wallets}, true, map[string]filter{"swapcast": {no, no, 3, false}, "swapcast-wallets": {no, "", 2, true}}},
		"on":                {Options{Wallets: wallets, TokenAccounts: TokenAccountsOn}, false, map[string]filter{"swapcast-wallets": {no, "", 2, true}}},
		"off":               {Options{Wallets: wallets, TokenAccounts: TokenAccountsOff}, true, map[string]filter{"swapcast-wallets": {no, "", 14, false}}},
		"one filter":        {Options{Programs: programs, Wallets: wallets, MaxFilters: 1}, true, map[string]filter{"swapcast": {no, no, 5, true}}},
		"one, derived":      {Options{Programs: programs, Wallets: wallets, MaxFilters: 1}, false, map[string]filter{"swapcast": {no, no, 17, false}}},
		"short lists":       {Options{Programs: programs, Wallets: wallets, MaxFilterKeys: 2}, true, map[string]filter{"swapcast": {no, no, 2, false}, "swapcast-2": {no, no, 1, false}, "swapcast-wallets": {no, "", 2, true}}},
		"one wallets' only": {Options{Wallets: wallets, MaxFilters: 1}, true, map[string]filter{"swapcast-wallets": {no, "", 2, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(&c.o)
			if c.owners {
				p.ownersKnown()
			}
			r := p.subscribeRequest(0, p.division)
			if n, _ := p.count(); n != 1 || p.uncovered() != 0 {
				t.Errorf("%d streams, %d keys left out", n, p.uncovered())
			}
			got := map[string]filter{}
			for name, f := range r.Transactions {
				got[name] = filter{text(f.Vote), text(f.Failed), len(f.AccountInclude), len(f.ProtoReflect().GetUnknown()) > 0}
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("filters %v, want %v", got, c.want)
			}
			if len(r.Slots) != 1 || len(r.BlocksMeta) != 1 || r.GetCommitment() != pb.CommitmentLevel_PROCESSED {
				t.Errorf("request %v", r)
			}
		})
	}
}

// TestPlanLearns: each refusal makes the next request another one, until there
// is nothing left to change.
func TestPlanLearns(t *testing.T) {
	wallet := keys(2, 1)[0]
	for text, c := range map[string]struct {
		wallets bool
		ok      bool
		how     string
	}{
		"Max amount of filters/data_slices reached, only 1 allowed":                              {true, true, "filters in one request: 1"},
		"Max amount of Pubkeys reached, only 2 allowed":                                          {false, true, "keys in one filter: 2"},
		"Max amount of Pubkeys reached":                                                          {false, true, "keys in one filter: 2"},
		"Max amount of Pubkeys reached, only 0 allowed":                                          {false, true, "keys in one filter: 2"},
		"Pubkey " + wallet.String() + " in filters is not allowed":                               {true, true, "without " + wallet.String()},
		"Pubkey " + keys(1, 1)[0].String() + " in filters is not allowed":                        {false, false, ""},
		"Subscribe on full stream with `any` is not allowed, at least one filter required":       {false, false, ""},
		"Subscribe on full stream with `any` is not allowed, at least one filter is required...": {true, true, "without any wallet"},
	} {
		o := Options{Programs: keys(1, 5), TokenAccounts: TokenAccountsOn}
		if c.wallets {
			o.Wallets = keys(2, 2)
		}
		p := newPlan(&o)
		before := p.subscribeRequest(0, p.division)
		how, ok := p.learn("rpc error: code = InvalidArgument desc = failed to create filter: " + text)
		if ok != c.ok || ok && how != c.how {
			t.Errorf("%s: %v %q", text, ok, how)
		}
		if ok == proto.Equal(before, p.subscribeRequest(0, p.division)) {
			t.Errorf("%s: learned %v, and the request changed: %v", text, ok, !ok)
		}
		for n := 0; ok; n++ {
			if _, ok = p.learn(text); n > 10 {
				t.Fatalf("%s: there is no end of it", text)
			}
		}
	}
}

// requests plays a stream whose client's requests go to a channel, pings aside.
func requests(out chan<- *pb.SubscribeRequest, pings chan<- int32) script {
	return func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		out <- req
		if err := say(s, begun(1)); err != nil {
			return err
		}
		for {
			r, err := s.Recv()
			if err != nil {
				return err
			}
			if r.Ping != nil {
				pings <- r.Ping.Id
				continue
			}
			out <- r
			if err := say(s, pingUpdate()); err != nil {
				return err
			}
		}
	}
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	return v
}

// TestSetFilter: filters change on the live stream; of many changes the last
// state is sent, never an older one after it; pings are answered meanwhile.
func TestSetFilter(t *testing.T) {
	got, pings := make(chan *pb.SubscribeRequest, 100), make(chan int32, 100)
	o := serve(t, requests(got, pings))
	o.Programs, o.TokenAccounts = keys(1, 2), TokenAccountsOn
	o.Resume = func() uint64 { return 100 }
	r := start(t, o, 10)
	if first := receive(t, got); first.GetFromSlot() != 93 || len(first.Transactions) != 1 {
		t.Errorf("first request: %v", first)
	}
	r.next(t).Release()
	for n := range 50 {
		r.sub.SetFilter(Filter{Programs: keys(1, 2), Wallets: keys(2, n+1)})
	}
	sent, last := 0, 0
	for last < 50 {
		req := receive(t, got)
		n := len(req.Transactions[walletsName].GetAccountInclude())
		if n <= last || req.FromSlot != nil || req.Ping != nil || len(req.Transactions[filterName].GetAccountInclude()) != 2 || len(req.Slots) != 1 || len(req.BlocksMeta) != 1 {
			t.Errorf("request with %d wallets after one with %d: %v", n, last, req)
		}
		sent, last = sent+1, n
	}
	if sent > 3 {
		t.Errorf("%d requests for changes that came at once", sent)
	}
	receive(t, pings)
	r.sub.SetFilter(Filter{Programs: keys(1, 2), Wallets: keys(2, 50)}) // the same
	r.sub.SetFilter(Filter{Firehose: true})
	if req := receive(t, got); len(req.Transactions) != 1 || len(req.Transactions[filterName].AccountInclude) != 0 || req.Transactions[filterName].Failed != nil {
		t.Errorf("firehose: %v", req)
	}
	if st := r.sub.Status(); st.Reconnects != 0 || !st.Connected || st.Streams != 1 {
		t.Errorf("status: %+v", st)
	}
}

// TestWalletsByVersion: what is asked of a server depends on what it knows, and
// with wallets that is known before the first request.
func TestWalletsByVersion(t *testing.T) {
	for version, keysSent := range map[string]int{plugin151: 1, plugin150: 7, "": 7, "garbage": 7} {
		f := &fakeServer{version: version, scripts: []script{tell(begun(1))}}
		o := serveFake(t, f)
		o.Wallets = keys(2, 1)
		r := start(t, o, 10)
		r.next(t).Release()
		f.mu.Lock()
		got := f.requests[0].Transactions[walletsName]
		f.mu.Unlock()
		by := WalletsByAccount
		if keysSent == 1 {
			by = WalletsByOwner
		}
		if st := r.sub.Status(); st.Wallets != by {
			t.Errorf("version %q: wallets are found by %q", version, st.Wallets)
		}
		r.sub.SetFilter(Filter{Programs: keys(1, 2)})
		if st := r.sub.Status(); st.Wallets != "" {
			t.Errorf("version %q: no wallets are found by %q", version, st.Wallets)
		}
		if len(got.GetAccountInclude()) != keysSent || (len(got.ProtoReflect().GetUnknown()) > 0) != (keysSent == 1) {
			t.Errorf("version %q: %v", version, got)
		}
	}
}

// limited is a server that allows so many keys in one list and one filter, and
// says so as the plugin does.
func limited(most int, inner script) script {
	return func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if len(req.Transactions) > 1 {
			return status.Error(codes.InvalidArgument, "failed to create filter: Max amount of filters/data_slices reached, only 1 allowed")
		}
		for _, f := range req.Transactions {
			if len(f.AccountInclude) > most {
				return status.Errorf(codes.InvalidArgument, "failed to create filter: Max amount of Pubkeys reached, only %d allowed", most)
			}
		}
		return inner(req, s)
	}
}

// TestSplit: a provider with small limits is asked in several streams, each
// with a number and a promise of its own, and they follow the filter.
func TestSplit(t *testing.T) {
	f := &fakeServer{version: plugin151, scripts: []script{limited(10, tell(begun(7)))}}
	o := serveFake(t, f)
	o.Programs, o.Wallets = keys(1, 23), keys(2, 2)
	r := start(t, o, 100)
	parts := map[int]uint64{}
	for len(parts) < 3 {
		e := r.any(t)
		if e.Kind == KindStreamStart {
			t.Errorf("a part is promised as if it were all: %+v", e)
		}
		if e.Kind == KindPartStart {
			if e.Parts != 3 || e.From != 7 {
				t.Errorf("promise %+v", e)
			}
			parts[e.Part] = e.Stream
		}
	}
	if parts[0] == parts[1] || parts[1] == parts[2] || parts[0] == 0 {
		t.Errorf("streams %v", parts)
	}
	if st := r.sub.Status(); !st.Connected || st.Streams != 3 || st.Uncovered != 0 {
		t.Errorf("status: %+v", st)
	}
	seen := map[string]bool{}
	f.mu.Lock()
	for _, req := range f.requests[len(f.requests)-3:] {
		for _, tf := range req.Transactions {
			for _, k := range tf.AccountInclude {
				seen[k] = true
			}
		}
	}
	f.mu.Unlock()
	if len(seen) != 25 {
		t.Errorf("%d keys are asked for", len(seen))
	}
	// Fewer keys, and no program to show that a stream works: those that have none
	// left end, and what stays is all.
	r.sub.SetFilter(Filter{Wallets: keys(2, 2)})
	for ended := 0; ended < 2; {
		e := r.any(t)
		if e.Kind == KindStreamEnd {
			ended++
		}
		e.Release()
	}
	if n, _ := r.sub.plan.count(); n != 1 {
		t.Errorf("%d parts", n)
	}
}

// TestRefusedFilter: a wallet that the server does not allow costs itself only.
func TestRefusedFilter(t *testing.T) {
	bad := keys(2, 3)[1]
	f := &fakeServer{version: plugin151, scripts: []script{func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if slices.Contains(req.Transactions[walletsName].GetAccountInclude(), bad.String()) {
			return status.Errorf(codes.InvalidArgument, "failed to create filter: Pubkey %s in filters is not allowed", bad)
		}
		return tell(begun(1))(req, s)
	}}}
	o := serveFake(t, f)
	o.Programs, o.Wallets = keys(1, 2), keys(2, 3)
	o.Metrics = NewMetrics(prometheus.NewRegistry())
	var log lockedBuffer
	o.Logger = log.logger()
	r := start(t, o, 10)
	r.next(t).Release()
	if st := r.sub.Status(); st.Uncovered != 1 || st.Reconnects != 1 {
		t.Errorf("status: %+v", st)
	}
	log.waitFor(t, "no stream asks for", 1)
	if n := value(t, o.Metrics.uncovered.WithLabelValues("fake")); n != 1 {
		t.Errorf("%v keys are uncovered by the metric", n)
	}
	r.sub.SetFilter(Filter{Programs: keys(1, 2)})
	log.waitFor(t, "all keys are asked for again", 1)
	if n := value(t, o.Metrics.uncovered.WithLabelValues("fake")); n != 0 {
		t.Errorf("%v keys are uncovered by the metric", n)
	}
}

// TestSilentRefusal: a server that takes the filters and sends nothing gets the
// next request without wallets; where that is not the reason, they come back.
func TestSilentRefusal(t *testing.T) {
	o := serve(t, func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if len(req.Transactions) > 1 {
			return hold(s)
		}
		return tell(begun(1))(req, s)
	})
	o.Programs, o.Wallets, o.TokenAccounts = keys(1, 2), keys(2, 3), TokenAccountsOn
	o.StaleAfter = 300 * time.Millisecond
	r := start(t, o, 10)
	r.next(t).Release()
	if st := r.sub.Status(); st.Uncovered != 3 || st.Reconnects < silentStreams {
		t.Errorf("status: %+v", st)
	}

	p := newPlan(&o)
	for _, out := range []bool{true, false, true} {
		if p.suspect() != out || (p.uncovered() == 3) != out {
			t.Errorf("wallets out: %v, want %v", !out, out)
		}
	}
	p = newPlan(&Options{Wallets: keys(2, 3)})
	if p.suspect() {
		t.Error("nothing would be left to ask for")
	}
}
