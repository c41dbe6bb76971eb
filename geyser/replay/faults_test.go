package replay_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
)

func script(t testing.TB, text string) *faults.Script {
	t.Helper()
	s, err := faults.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// strikes collects what a server says of its faults.
type strikes struct {
	mu     sync.Mutex
	events []faults.Event
}

func (s *strikes) add(e faults.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *strikes) count(k faults.Kind) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// troubled plays src with the endpoint faults of text, for one client.
func troubled(t *testing.T, text string, src replay.Source, o replay.Options) (*replay.Local, pb.GeyserClient, *strikes) {
	t.Helper()
	log := &strikes{}
	o.Source, o.Faults, o.OnFault = src, script(t, text).Endpoint(0), log.add
	l, c := serve(t, o)
	return l, c, log
}

// played is all that one client gets of src under text.
func played(t *testing.T, text string, src []*pb.SubscribeUpdate, r *pb.SubscribeRequest) (got []string, err error, log *strikes) { //nolint:staticcheck // the error is the stream's, one result of three
	t.Helper()
	var c pb.GeyserClient
	_, c, log = troubled(t, text, &list{updates: src}, replay.Options{WaitForClient: true, EndWithSource: true})
	us, err := all(open(t, c, r))
	for _, u := range us {
		got = append(got, word(u))
	}
	return got, err, log
}

func TestCut(t *testing.T) {
	got, err, log := played(t, "endpoint:\n- cut: {after_slots: 3, with: DATA_LOSS, message: gone}", chain(100, 110, 1), atLevel(0))
	wantCode(t, err, codes.DataLoss, "gone")
	if all := strings.Join(got, "\n"); strings.Contains(all, " 103") || !strings.Contains(all, "slot 102 processed") {
		t.Errorf("the last before the cut at 103 is %q", got[len(got)-1])
	}
	if log.count(faults.Cut) != 1 {
		t.Errorf("%d strikes", log.count(faults.Cut))
	}
}

// A stream's faults are its own: after times strikes the next stream is whole.
func TestCutOnceThenReplayIsWhole(t *testing.T) {
	src := newGated()
	l, c, _ := troubled(t, "endpoint:\n- cut: {after_slots: 2, times: 1, with: TCP}", src, replay.Options{})
	first := open(t, c, atLevel(0))
	settle(t, first)
	go func() {
		for _, u := range chain(100, 104, 1) {
			src.updates <- u
		}
	}()
	_, err := all(first)
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("a broken connection gave %v", err)
	}
	eventually(t, func() bool { return l.Stats().Slot >= 103 })
	r := atLevel(0)
	r.FromSlot = ptr(uint64(100))
	same(t, words(t, open(t, c, r), 3), "tx 100/0 t", "meta 100 m", "slot 100 processed s")
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited too long")
		}
	}
}

func TestHalfOpen(t *testing.T) {
	for _, keepalive := range []string{"true", "false"} {
		t.Run(keepalive, func(t *testing.T) {
			src := newGated()
			l, c, log := troubled(t, "endpoint:\n- half_open: {after_slots: 2, keepalive: "+keepalive+", for: 1s}", src,
				replay.Options{PingInterval: 5 * time.Millisecond})
			stream := open(t, c, &pb.SubscribeRequest{BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{"m": {}}})
			done := make(chan struct{})
			go func() {
				defer close(done)
				eventually(t, func() bool { return l.Stats().Subscribers == 1 })
				src.put(chain(100, 120, 1)...)
			}()
			defer func() { <-done }()
			var metas []string
			var last time.Time
			var err error
			for err == nil {
				var u *pb.SubscribeUpdate
				if u, err = stream.Recv(); err == nil {
					last = time.Now()
					if u.GetBlockMeta() != nil {
						metas = append(metas, word(u))
					}
				}
			}
			// A connection that goes deaf loses what was on its way.
			if want := []string{"meta 100 m", "meta 101 m"}; !slices.Equal(metas, want[:min(len(metas), 2)]) || keepalive == "true" && len(metas) < 2 {
				t.Errorf("got %q, want %q", metas, want)
			}
			if status.Code(err) != codes.Unavailable {
				t.Errorf("after the silence: %v", err)
			}
			if silence := time.Since(last); silence < 300*time.Millisecond {
				t.Errorf("pings or data came in the silence: it was %v long", silence)
			}
			if log.count(faults.HalfOpen) != 1 {
				t.Errorf("%d strikes", log.count(faults.HalfOpen))
			}
		})
	}
}

func TestLagged(t *testing.T) {
	_, err, _ := played(t, "endpoint:\n- lagged: {after_slots: 3}", chain(100, 110, 1), atLevel(0))
	wantCode(t, err, codes.Internal, "lagged to send an update")
}

func TestDuplicate(t *testing.T) {
	src := chain(100, 110, 2)
	got, err, log := played(t, "seed: 3\nendpoint:\n- duplicate: {rate: 0.5}", src, everything())
	if err != nil {
		t.Fatal(err)
	}
	var once []string
	for i, w := range got {
		if i == 0 || w != got[i-1] {
			once = append(once, w)
		}
	}
	if len(once) != len(src) || len(got) != len(src)+log.count(faults.Duplicate) || len(got) < len(src)*5/4 {
		t.Errorf("%d updates, %d without repeats, of %d; %d strikes", len(got), len(once), len(src), log.count(faults.Duplicate))
	}
}

func TestReorder(t *testing.T) {
	src := chain(100, 110, 9)
	clean, _, _ := played(t, "seed: 1", src, everything())
	got, err, log := played(t, "seed: 1\nendpoint:\n- reorder: {every_slots: 2, window: 4}", src, everything())
	if err != nil || len(got) != len(clean) {
		t.Fatalf("%d updates of %d, %v", len(got), len(clean), err)
	}
	moved := map[string]bool{}
	for i := range got {
		if got[i] == clean[i] {
			continue
		}
		if !strings.HasPrefix(got[i], "tx ") || got[i][:6] != clean[i][:6] {
			t.Errorf("%q stands where %q was", got[i], clean[i])
		}
		moved[got[i][3:6]] = true
	}
	slices.Sort(got)
	slices.Sort(clean)
	same(t, got, clean...)
	if len(moved) < 3 || len(moved) > 5 || log.count(faults.Reorder) != 5 {
		t.Errorf("slots %v were reordered, %d strikes", moved, log.count(faults.Reorder))
	}
}

func TestBlockMetaEarly(t *testing.T) {
	got, err, _ := played(t, "endpoint:\n- block_meta_early: {transactions: 2}", fullSlot(100, 4), everything())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, "slot 100 first_shred_received s", "slot 100 created_bank s", "tx 100/0 t", "tx 100/1 t", "meta 100 m",
		"tx 100/2 t", "tx 100/3 t", "slot 100 processed s")
}

func TestWithholdSlots(t *testing.T) {
	src := newGated()
	l, c, _ := troubled(t, "endpoint:\n- withhold_slots: {after_slots: 2, slots: 2, times: 1}", src, replay.Options{})
	stream := open(t, c, atLevel(0))
	settle(t, stream)
	src.put(chain(100, 106, 1)...)
	var slots []uint64
	for len(slots) == 0 || slots[len(slots)-1] < 105 {
		u, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if n := slotOf(u); !slices.Contains(slots, n) {
			slots = append(slots, n)
		}
	}
	if !slices.Equal(slots, []uint64{100, 101, 104, 105}) {
		t.Errorf("slots %v", slots)
	}
	eventually(t, func() bool { return l.Stats().Slot >= 105 })
	r := atLevel(0)
	r.FromSlot = ptr(uint64(102))
	if w := words(t, open(t, c, r), 1); !strings.Contains(w[0], "102") {
		t.Errorf("a replay begins with %q", w)
	}
}

func TestSilentFilter(t *testing.T) {
	got, err, _ := played(t, "endpoint:\n- silent_filter: {after_slots: 2, for_slots: 5}", chain(100, 120, 2), atLevel(0))
	wantCode(t, err, codes.Unavailable, "shutting down")
	var txs, metas []string
	for _, w := range got {
		switch {
		case strings.HasPrefix(w, "tx"):
			txs = append(txs, w)
		case strings.HasPrefix(w, "meta"):
			metas = append(metas, w)
		}
	}
	same(t, txs, "tx 100/0 t", "tx 100/1 t", "tx 101/0 t", "tx 101/1 t")
	same(t, metas, "meta 100 m", "meta 101 m", "meta 102 m", "meta 103 m", "meta 104 m", "meta 105 m", "meta 106 m")
}

func TestCorrupt(t *testing.T) {
	for _, how := range []string{"garbage", "truncated"} {
		_, err, log := played(t, "endpoint:\n- corrupt: {after_slots: 2, how: "+how+"}", chain(100, 110, 1), everything())
		wantCode(t, err, codes.Internal, "unmarshal")
		if log.count(faults.Corrupt) != 1 {
			t.Errorf("%d strikes", log.count(faults.Corrupt))
		}
	}
}

func TestLate(t *testing.T) {
	const by = 150 * time.Millisecond
	src := newGated()
	_, c, _ := troubled(t, "endpoint:\n- late: {by: 150ms}", src, replay.Options{})
	stream := open(t, c, everything())
	settle(t, stream)
	sent := time.Now()
	src.put(blockMeta(100, 0))
	same(t, words(t, stream, 1), "meta 100 m")
	if took := time.Since(sent); took < by || took > by+5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSlowDown(t *testing.T) {
	begun := time.Now()
	got, err, _ := played(t, "endpoint:\n- slow_down: {updates_per_second: 200}", chain(100, 110, 2), everything())
	if err != nil {
		t.Fatal(err)
	}
	if least := time.Duration(len(got)-3) * 5 * time.Millisecond; time.Since(begun) < least {
		t.Errorf("%d updates took %v, less than %v", len(got), time.Since(begun), least)
	}
}

func TestForgetHistory(t *testing.T) {
	src := newGated()
	l, c, _ := troubled(t, "endpoint:\n- forget_history: {after_slots: 4, keep_slots: 2}", src, replay.Options{})
	src.put(chain(100, 106, 1)...)
	eventually(t, func() bool { return l.Stats().Slot >= 105 })
	r := atLevel(0)
	r.FromSlot = ptr(uint64(101))
	_, err := all(open(t, c, r))
	wantCode(t, err, codes.OutOfRange, "broadcast from 101 is not available, last available: 102")
	info, err := c.SubscribeReplayInfo(t.Context(), &pb.SubscribeReplayInfoRequest{})
	if err != nil || info.GetFirstAvailable() != 102 {
		t.Errorf("replay info says %v, %v", info, err)
	}
	*r.FromSlot = 102
	if w := words(t, open(t, c, r), 1); !strings.Contains(w[0], "102") {
		t.Errorf("a replay begins with %q", w)
	}
}

func TestRestart(t *testing.T) {
	src := newGated()
	l, c, _ := troubled(t, "endpoint:\n- restart: {after_slots: 4, down: 200ms}", src, replay.Options{})
	stream := open(t, c, atLevel(0))
	settle(t, stream)
	src.put(chain(100, 104, 1)...)
	_, err := all(stream)
	wantCode(t, err, codes.Unavailable, "shutting down")
	_, err = c.GetSlot(t.Context(), &pb.GetSlotRequest{})
	wantCode(t, err, codes.Unavailable, "shutting down")
	_, err = all(open(t, c, atLevel(0)))
	wantCode(t, err, codes.Unavailable, "shutting down")
	src.put(chain(105, 107, 1)...)
	eventually(t, func() bool {
		_, err := c.GetSlot(t.Context(), &pb.GetSlotRequest{})
		return err == nil && l.Stats().Slot >= 106
	})
	r := atLevel(0)
	r.FromSlot = ptr(uint64(103))
	_, err = all(open(t, c, r))
	wantCode(t, err, codes.OutOfRange, "broadcast from 103 is not available, last available: 10")
	*r.FromSlot = l.Stats().FirstSlot
	if w := words(t, open(t, c, r), 1); !strings.Contains(w[0], "10") {
		t.Errorf("a replay begins with %q", w)
	}
}

func TestRefuseFromSlot(t *testing.T) {
	for how, want := range map[string]struct {
		code codes.Code
		text string
	}{
		"unsupported":  {codes.Internal, "from_slot is not supported"},
		"failed":       {codes.Internal, "failed to get replay response"},
		"out_of_range": {codes.OutOfRange, "broadcast from 100 is not available, last available: 10"},
	} {
		t.Run(how, func(t *testing.T) {
			src := newGated()
			l, c, log := troubled(t, "endpoint:\n- refuse_from_slot: {rate: 1, times: 1, with: "+how+"}", src, replay.Options{})
			src.put(chain(100, 106, 1)...)
			eventually(t, func() bool { return l.Stats().Slot >= 105 })
			r := atLevel(0)
			r.FromSlot = ptr(uint64(100))
			_, err := all(open(t, c, r))
			wantCode(t, err, want.code, want.text)
			words(t, open(t, c, r), 1) // once only
			if log.count(faults.RefuseFromSlot) != 1 {
				t.Errorf("%d strikes", log.count(faults.RefuseFromSlot))
			}
		})
	}
}

// Who does as OUT_OF_RANGE says is let in, although the fault goes on.
func TestRefuseFromSlotTellsASlotThatWorks(t *testing.T) {
	src := newGated()
	l, c, _ := troubled(t, "endpoint:\n- refuse_from_slot: {with: out_of_range}", src, replay.Options{})
	src.put(chain(100, 106, 1)...)
	eventually(t, func() bool { return l.Stats().Slot >= 105 })
	r := atLevel(0)
	r.FromSlot = ptr(uint64(100))
	_, err := all(open(t, c, r))
	wantCode(t, err, codes.OutOfRange, "last available: 106")
	src.put(chain(107, 108, 1)...)
	*r.FromSlot = 106
	words(t, open(t, c, r), 1)
}

func TestRefuseAuthAndResourceExhausted(t *testing.T) {
	src := newGated()
	_, c, log := troubled(t, "endpoint:\n- refuse_auth: {rate: 1, times: 2}\n- resource_exhausted: {rate: 1, times: 1, message: rate limit exceeded}", src, replay.Options{})
	_, err := c.GetVersion(t.Context(), &pb.GetVersionRequest{})
	wantCode(t, err, codes.Unauthenticated, "No valid auth token")
	_, err = all(open(t, c, atLevel(0)))
	wantCode(t, err, codes.Unauthenticated, "No valid auth token")
	_, err = all(open(t, c, atLevel(0)))
	wantCode(t, err, codes.ResourceExhausted, "rate limit exceeded")
	settle(t, open(t, c, atLevel(0)))
	if log.count(faults.RefuseAuth) != 2 || log.count(faults.ResourceExhausted) != 1 {
		t.Error("strikes are miscounted")
	}
}

// scope: server cuts all streams at once, by the server's slots.
func TestScopeServer(t *testing.T) {
	src := newGated()
	l, c, log := troubled(t, "endpoint:\n- cut: {at_slot: 103, scope: server}", src, replay.Options{})
	var streams []pb.Geyser_SubscribeClient
	for range 3 {
		streams = append(streams, open(t, c, atLevel(0)))
		settle(t, streams[len(streams)-1])
	}
	src.put(chain(100, 104, 1)...)
	for _, s := range streams {
		_, err := all(s)
		wantCode(t, err, codes.Unavailable, "shutting down")
	}
	r := atLevel(0)
	r.FromSlot = ptr(uint64(100))
	words(t, open(t, c, r), 10) // passes the slot without being cut again
	if got := l.Stats().Faults[faults.Cut]; got != 3 || log.count(faults.Cut) != 3 {
		t.Errorf("%d cuts", got)
	}
}

// Faults that time strikes strike an idle stream too.
func TestCutByTime(t *testing.T) {
	_, c, _ := troubled(t, "endpoint:\n- cut: {at: 50ms}", newGated(), replay.Options{})
	begun := time.Now()
	_, err := all(open(t, c, atLevel(0)))
	wantCode(t, err, codes.Unavailable, "shutting down")
	if time.Since(begun) < 50*time.Millisecond {
		t.Error("too early")
	}
}
