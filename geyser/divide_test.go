package geyser

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"
)

// TestPlanHolds: whatever filters and refusals come in whatever order, every
// key is asked for by exactly one stream or counted as left out, but for the
// busiest program, which may guide others; no stream asks for more than the
// server allows; a key stays with its stream as long as the limits stay, and
// where it goes to one that may run, all are opened anew.
func TestPlanHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{TokenAccounts: TokenAccountsOn, MaxFilterKeys: rapid.IntRange(0, 6).Draw(t, "keys"), MaxFilters: rapid.IntRange(0, 3).Draw(t, "filters")}
		p := newPlan(&o)
		at, most := map[solana.PublicKey]int{}, 1
		// Where there never was a program, wallets may have left it no room.
		least := rapid.IntRange(0, 1).Draw(t, "least programs")
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			limits := false
			_, division := p.count()
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				_, limits = p.learn("failed to create filter: Max amount of Pubkeys reached, only " + fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "limit")) + " allowed")
			case 1:
				_, limits = p.learn("failed to create filter: Max amount of filters/data_slices reached, only " + fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "limit")) + " allowed")
			default:
				p.noWallets = time.Time{}
				p.set(Filter{Programs: pick16(t, 1, least), Wallets: pick16(t, 2, 0)})
			}
			now := planned(t, p, least > 0 && (p.maxKeys != 1 || p.maxFilters != 1))
			n, other := p.count()
			if p.parts(other) != n || other != division && p.parts(division) != 0 {
				t.Fatalf("%d streams are spoken of, want %d; by the old division %d", p.parts(other), n, p.parts(division))
			}
			if !limits && other != division {
				t.Fatal("streams are opened anew although the limits are the same")
			}
			for k, i := range now {
				old, had := at[k]
				switch {
				case !had || old == i:
				case !limits:
					t.Fatalf("%s went from stream %d to %d", k, old, i)
				case i < most && other == division:
					t.Fatalf("%s went to stream %d, which may run", k, i)
				}
			}
			at, most = now, max(most, n)
		}
	})
}

// planned is which stream asks for each key. It fails where the requests are not
// what they must be; guided is that each must have a program.
func planned(t *rapid.T, p *plan, guided bool) map[solana.PublicKey]int {
	n, division := p.count()
	now := map[solana.PublicKey]int{}
	if !p.selects() {
		if n != 1 {
			t.Fatalf("%d streams for no keys", n)
		}
		return now
	}
	for i := range n {
		r := p.subscribeRequest(i, division)
		if p.maxFilters > 0 && p.maxKeys > 0 && len(r.Transactions) > p.maxFilters {
			t.Fatalf("%d filters, only %d allowed", len(r.Transactions), p.maxFilters)
		}
		programs := 0
		for _, f := range r.Transactions {
			if p.maxKeys > 0 && len(f.AccountInclude) > p.maxKeys || len(f.AccountInclude) == 0 {
				t.Fatalf("%d keys, only %d allowed", len(f.AccountInclude), p.maxKeys)
			}
			for _, text := range f.AccountInclude {
				k := solana.MustPublicKeyFromBase58(text)
				if k[0] == 1 {
					programs++
				}
				if p.shares[i].guided && k == p.filter.Programs[0] {
					continue
				}
				if _, twice := now[k]; twice {
					t.Fatalf("%s is asked for twice", k)
				}
				now[k] = i
			}
		}
		if programs == 0 && guided {
			t.Fatalf("stream %d of %d has no program", i, n)
		}
	}
	if want := len(p.filter.Programs) + len(p.filter.Wallets) - p.uncovered(); len(now) != want {
		t.Fatalf("%d keys are asked for, want %d", len(now), want)
	}
	return now
}

func pick16(t *rapid.T, first byte, least int) []solana.PublicKey {
	all := keys(first, 16)
	return rapid.SliceOfN(rapid.SampledFrom(all), least, 16).Draw(t, "chosen")
}

// TestPlanLimit: what fits into no stream is counted.
func TestPlanLimit(t *testing.T) {
	p := newPlan(&Options{Programs: keys(1, 100), MaxFilterKeys: 5, MaxFilters: 1})
	if n, _ := p.count(); n != maxParts || p.uncovered() != 100-5*maxParts {
		t.Errorf("%d streams, %d keys left out", n, p.uncovered())
	}
	p.set(Filter{})
	if n, _ := p.count(); n != 1 || p.uncovered() != 0 {
		t.Errorf("%d streams, %d keys left out", n, p.uncovered())
	}
}

// TestDeal: no more streams than are needed, and each has its turn of the
// busiest programs, whether the limits are known or learned.
func TestDeal(t *testing.T) {
	programs := keys(1, 32)
	check := func(p *plan, parts int) {
		t.Helper()
		if n, _ := p.count(); n != parts || p.uncovered() != 0 {
			t.Fatalf("%d streams, want %d", n, parts)
		}
		for i := range p.shares {
			for turn, k := range p.shares[i].own() {
				if k != programs[turn*parts+i] {
					t.Errorf("stream %d has %v", i, p.shares[i].own())
					break
				}
			}
		}
	}
	check(newPlan(&Options{Programs: programs, MaxFilterKeys: 10, MaxFilters: 1}), 4)
	check(newPlan(&Options{Programs: programs, MaxFilterKeys: 5, MaxFilters: 2}), 4)
	check(newPlan(&Options{Programs: programs}), 1)
	p := newPlan(&Options{Programs: programs, MaxFilters: 1})
	for n, limit := range []int{15, 10, 8} {
		if _, ok := p.learn(fmt.Sprintf("Max amount of Pubkeys reached, only %d allowed", limit)); !ok {
			t.Fatal("nothing was learned")
		}
		check(p, []int{3, 4, 4}[n])
	}
}

// TestWalletsAreGuided: a stream for wallets has a busy program too, and they
// share their room with it.
func TestWalletsAreGuided(t *testing.T) {
	programs := keys(1, 4)
	p := newPlan(&Options{Programs: programs, Wallets: keys(2, 8), TokenAccounts: TokenAccountsOn, MaxFilterKeys: 5, MaxFilters: 1})
	if n, _ := p.count(); n != 3 || p.uncovered() != 0 {
		t.Fatalf("%d streams", n)
	}
	for i, wallets := range []int{1, 4, 3} {
		s := &p.shares[i]
		if len(s.watched) != wallets || s.guided != (i > 0) || s.programs[0] != programs[0] {
			t.Errorf("stream %d: %+v", i, s)
		}
	}
	// Without room for both, wallets have all of it.
	p = newPlan(&Options{Programs: programs, Wallets: keys(2, 2), TokenAccounts: TokenAccountsOn, MaxFilterKeys: 1, MaxFilters: 1})
	if n, _ := p.count(); n != 6 || p.uncovered() != 0 || p.shares[5].guided {
		t.Errorf("%d streams, %+v", n, p.shares)
	}
}

// TestPartIsKept: wallets that come and go neither open nor end a stream each
// time; one that has had no keys for long ends, and its filter does not become
// empty before.
func TestPartIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		few, many := Filter{Programs: keys(1, 9), Wallets: keys(2, 1)}, Filter{Programs: keys(1, 9), Wallets: keys(2, 3)}
		p := newPlan(&Options{Programs: few.Programs, Wallets: few.Wallets, TokenAccounts: TokenAccountsOn, MaxFilterKeys: 10, MaxFilters: 1})
		count := func(want int) {
			t.Helper()
			if n, division := p.count(); n != want || division != 0 {
				t.Fatalf("%d streams, division %d; want %d", n, division, want)
			}
		}
		count(1)
		for range 4 {
			p.set(many)
			count(2)
			time.Sleep(partKept - time.Second)
			p.set(few)
			time.Sleep(partKept - time.Second)
			p.tidy()
			count(2)
			if r := p.subscribeRequest(1, 0); !slices.Equal(r.Transactions[filterName].GetAccountInclude(), texts(few.Programs[:1])) {
				t.Fatalf("the stream that is kept asks for %v", r.Transactions)
			}
		}
		time.Sleep(time.Second)
		p.tidy()
		count(1)
		p.tidy()
		count(1)
	})
}

// TestMovedKeys: where a narrower limit moves keys to a stream that runs, no
// stream says that it is complete by the new division before the consumer has
// heard that all of the old one have ended.
func TestMovedKeys(t *testing.T) {
	refuse := make(chan struct{})
	second := keys(1, 8)[1].String()
	include := func(r *pb.SubscribeRequest) []string { return r.Transactions[filterName].GetAccountInclude() }
	play := func(req *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		four := len(include(req)) == 4
		if err := say(s, begun(map[bool]uint64{true: 7, false: 90}[four])); err != nil {
			return err
		}
		if !four || !slices.Contains(include(req), second) {
			return hold(s)
		}
		select {
		case <-refuse:
		case <-s.Context().Done():
		}
		return status.Error(codes.InvalidArgument, "failed to create filter: Max amount of Pubkeys reached, only 3 allowed")
	}
	f := &fakeServer{scripts: []script{play}}
	o := serveFake(t, f)
	o.Programs, o.MaxFilterKeys, o.MaxFilters = keys(1, 8), 4, 1
	r := start(t, o, 0)
	old, next := map[uint64]bool{}, map[int]bool{}
	for len(next) < 3 {
		e := r.any(t)
		switch {
		case e.Kind == KindPartStart && e.Parts == 2 && e.From == 7:
			old[e.Stream] = true
			if len(old) == 2 {
				close(refuse)
			}
		case e.Kind == KindStreamEnd:
			if !old[e.Stream] {
				t.Errorf("stream %d ended", e.Stream)
			}
			old[e.Stream] = false
		case e.Kind == KindPartStart:
			if _, was := old[e.Stream]; was || e.Parts != 3 || e.From != 90 {
				t.Errorf("promise %+v", e)
			}
			for n, runs := range old {
				if runs {
					t.Errorf("stream %d is not said to have ended", n)
				}
			}
			next[e.Part] = true
		}
		e.Release()
	}
	if st := r.sub.Status(); st.Uncovered != 0 {
		t.Errorf("status: %+v", st)
	}
}

// TestPromiseOfPart: a stream speaks of the division that it was opened by, also
// before Run has begun the other parts, and never of a newer one.
func TestPromiseOfPart(t *testing.T) {
	sub, err := New(Options{Target: "passthrough:///none", Programs: keys(1, 8), MaxFilterKeys: 4, MaxFilters: 1})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan *Event, 1)
	ss := &session{Subscriber: sub, part: &part{Subscriber: sub, index: 1}, ctx: t.Context(), sink: sink{events: events}}
	promise := func(slot uint64, want string) {
		t.Helper()
		if !ss.promise(heard{kind: KindTx, slot: slot}) {
			t.Fatal("the stream ended")
		}
		got := ""
		select {
		case e := <-events:
			got = fmt.Sprint(e.Kind == KindPartStart, e.From, e.Part, e.Parts)
		default:
		}
		if got != want {
			t.Fatalf("slot %d: promise %q, want %q", slot, got, want)
		}
	}
	promise(10, "true 11 1 2")
	sub.SetFilter(Filter{Programs: keys(1, 9)})
	promise(10, "true 11 1 3")
	if _, ok := sub.plan.learn("Max amount of Pubkeys reached, only 3 allowed"); !ok || sub.plan.parts(0) != 0 {
		t.Fatal("no key went from one stream to another")
	}
	promise(10, "")
	promise(11, "true 12 1 3") // what it missed of its own keys is still told
	late := &session{Subscriber: sub, part: ss.part, ctx: t.Context(), sink: ss.sink}
	ss = late
	promise(20, "")
}
