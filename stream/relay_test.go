package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// relayed gives a server a trade or a price as another one numbered and encoded it.
func (r *rig) relayTrade(n int, seq uint64) {
	tr := swapcast.Trade{Mint: mint(n), Amount: seq, Slot: 7}
	r.Relay(&Update{Mint: mint(n), Trade: true, Seq: seq, Message: wire.AppendTrade(nil, &tr, wire.Meta{Seq: seq, TS: 1})})
}

func (r *rig) relayPrice(n int, seq uint64) {
	p := swapcast.Price{Mint: mint(n), USD: float64(seq), Known: true}
	r.Relay(&Update{Mint: mint(n), Seq: seq, Message: wire.AppendPrice(nil, &p, wire.Meta{Seq: seq, TS: 1})})
}

// TestRelayedResume: a client that loses one server goes on at another one of the
// same epoch, with the numbers that it has.
func TestRelayedResume(t *testing.T) {
	here, there := newRig(t, Options{Epoch: "e1"}), newRig(t, Options{Epoch: "e1"})
	for seq := uint64(1001); seq <= 1005; seq++ {
		here.relayTrade(1, seq)
		there.relayTrade(1, seq)
	}
	here.relayTrade(1, 1004) // it was told already
	c := here.dial("")
	c.send(`{"action":"subscribe","channel":"trades","assets":"%s","id":"1"}`, mint(1))
	c.expectBrief("subscribed recovered=false seqs=map[" + mint(1).String() + ":1005]")
	here.relayTrade(1, 1006)
	c.expectBrief("trade #1006 1006")

	for seq := uint64(1006); seq <= 1008; seq++ {
		there.relayTrade(1, seq)
	}
	d := there.dial("")
	d.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":1006}},"id":"1"}`, mint(1), mint(1))
	d.expectBrief("subscribed recovered=true seqs=map["+mint(1).String()+":1006]", "trade #1007 1007", "trade #1008 1008")

	// Trades that nobody has any more: those before them cannot be given either.
	there.relayTrade(1, 1020)
	d.expectBrief("trade #1020 1020")
	e := there.dial("")
	e.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":1007}},"id":"1"}`, mint(1), mint(1))
	e.expectBrief("subscribed recovered=false seqs=map["+mint(1).String()+":1019]", "gap trades 1008-1019 no_history", "trade #1020 1020")

	// Of a mint whose trades Redis has forgotten only the number is known.
	there.Relay(&Update{Mint: mint(2), Trade: true, Seq: 50})
	f := there.dial("")
	f.send(`{"action":"subscribe","channel":"trades","assets":"%s","since":{"epoch":"e1","seqs":{"%s":50}},"id":"1"}`, mint(2), mint(2))
	f.expectBrief("subscribed recovered=true seqs=map[" + mint(2).String() + ":50]")
	there.relayTrade(2, 51)
	f.expectBrief("trade #51 51")
}

func TestRelayedPrices(t *testing.T) {
	r := newRig(t, Options{Epoch: "e1"})
	r.relayPrice(1, 70)
	c := r.dial("")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	c.expectBrief("price #70 snapshot=true")
	r.relayPrice(1, 69) // late
	r.relayPrice(1, 71)
	c.expectBrief("price #71 snapshot=false")
	d := r.dial("")
	d.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	d.expectBrief("price #71 snapshot=true")
}

// TestRelayedCandles: numbers of candles are each server's own, so that who comes
// from another one is told of a gap, be there one or not.
func TestRelayedCandles(t *testing.T) {
	r := newRig(t, Options{Epoch: "e1"})
	c := r.dial("")
	c.send(`{"action":"subscribe","channel":"candles","interval":"1m","assets":"%s","since":{"epoch":"e1","seqs":{"%s":900}},"id":"1"}`, mint(1), mint(1))
	if m := c.next(); m.Recovered {
		t.Errorf("recovered: %s", m.raw)
	}
	if m := c.next(); m.Type != "gap" || m.Reason != wire.GapNoHistory {
		t.Errorf("want a gap: %s", m.raw)
	}
}

// TestFollow: a subscription begins once what it is to is there, and a client whose
// wish cannot be had is sent away to come again.
func TestFollow(t *testing.T) {
	var r *rig
	fail := make(chan error, 1)
	r = newRig(t, Options{Epoch: "e1", Follow: func(_ context.Context, subjects []Subject) error {
		select {
		case err := <-fail:
			return err
		default:
		}
		for _, s := range subjects {
			if s.Key == mint(1) && s.Channel == wire.ChannelPrices {
				r.relayPrice(1, 5)
			}
		}
		return nil
	}})
	c := r.dial("")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(1))
	c.expectBrief("price #5 snapshot=true")
	x := Subject{Channel: wire.ChannelPrices, Key: mint(1)}
	if !r.Listened(x) {
		t.Error("nobody listens")
	}
	fail <- errors.New("Redis is away")
	c.send(`{"action":"subscribe","assets":"%s"}`, mint(2))
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	if _, _, err := c.Conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
		t.Errorf("closed with %v, want 1013", err)
	}
	r.await("nobody to listen", func() bool { return !r.Listened(x) && !r.Listened(Subject{Channel: wire.ChannelPrices, Key: mint(2)}) })
}

// TestFollowOfStream: a stream that cannot be served now says so and when to come
// back, and goes on from where it was when it does.
func TestFollowOfStream(t *testing.T) {
	t.Parallel()
	fail := make(chan error, 1)
	r := newRig(t, Options{Epoch: "e1", Follow: func(context.Context, []Subject) error {
		select {
		case err := <-fail:
			return err
		default:
			return nil
		}
	}})
	query := "channel=trades&assets=" + mint(1).String()
	first := r.events(query)
	first.next() // the acknowledgement
	fail <- errors.New("Redis is away")
	second := r.events(query, "Last-Event-ID", first.lastID)
	e, err := second.read()
	if err != nil || e.name != "error" || !strings.Contains(e.data, `"code":"overloaded"`) || e.id != "" {
		t.Fatalf("the stream ends with %+v, %v", e, err)
	}
	if ms, err := strconv.Atoi(e.retry); err != nil || ms < 1000 || ms >= 5000 {
		t.Errorf("to come back after %q ms", e.retry)
	}
	if e, err := second.read(); !errors.Is(err, io.EOF) {
		t.Errorf("then %+v, %v", e, err)
	}
	// As EventSource does, with the id that it had before.
	third := r.events(query, "Last-Event-ID", first.lastID)
	if m := third.next(); !strings.Contains(m.raw, `"recovered":true`) {
		t.Errorf("it goes on with %s", m.raw)
	}
}

// TestRelayedEvents: a reader of events that loses one server goes on at another one
// of the same epoch, with the id that it has.
func TestRelayedEvents(t *testing.T) {
	here, there := newRig(t, Options{Epoch: "e1"}), newRig(t, Options{Epoch: "e1"})
	there.relayTrade(3, 77) // so that their positions differ
	for seq := uint64(1001); seq <= 1005; seq++ {
		here.relayTrade(1, seq)
		here.relayTrade(2, seq)
		there.relayTrade(1, seq)
		there.relayTrade(2, seq)
	}
	query := "channel=trades&assets=" + mint(1).String() + "," + mint(2).String()
	es := here.events(query)
	es.next()
	begun := es.lastID
	here.relayTrade(1, 1006)
	es.expectBrief("trade #1006 1006")
	here.relayTrade(2, 1006)
	es.expectBrief("trade #1006 1006")
	if !strings.HasPrefix(begun, "e1.") || es.lastID == begun {
		t.Fatalf("ids %q, %q", begun, es.lastID)
	}
	// The other server is behind on one asset and ahead on the other.
	there.relayTrade(1, 1006)
	there.relayTrade(1, 1007)
	on := there.events(query, "Last-Event-ID", es.lastID)
	if m := on.next(); !m.Recovered || on.lastID != es.lastID || m.Seqs[mint(2).String()] != 1006 {
		t.Errorf("%s %s", on.lastID, m.raw)
	}
	on.expectBrief("trade #1007 1007")
	there.relayTrade(2, 1006) // it has had that
	there.relayTrade(2, 1007)
	there.relayTrade(1, 1008)
	on.expectBrief("trade #1007 1007", "trade #1008 1008")

	// From where it began: everything since.
	all := there.events(query, "Last-Event-ID", begun)
	if m := all.next(); !m.Recovered {
		t.Errorf("%s", m.raw)
	}
	all.expectBrief("trade #1006 1006", "trade #1007 1007", "trade #1006 1006", "trade #1007 1007", "trade #1008 1008")

	// What nobody has any more is told; the id of before stays until that has left.
	there.relayTrade(1, 1020)
	late := there.events(query, "Last-Event-ID", es.lastID)
	if m := late.next(); m.Recovered || late.lastID != "" {
		t.Errorf("%q: %s", late.lastID, m.raw)
	}
	late.expectBrief("gap trades 1007-1019 no_history", "trade #1007 1007", "trade #1020 1020")
	if again := there.events(query, "Last-Event-ID", late.lastID); !again.next().Recovered {
		t.Errorf("%s is not known", late.lastID)
	}

	// An id that came with other assets, or of an epoch that is gone, is not read as one of these.
	for query, id := range map[string]string{
		"channel=trades&assets=" + mint(2).String() + "," + mint(1).String():             es.lastID,
		"channel=trades&assets=" + mint(2).String():                                      es.lastID,
		"channel=trades&commitment=confirmed&assets=" + mint(1).String():                 es.lastID,
		"channel=trades&assets=" + mint(1).String() + "," + mint(2).String():             strings.Replace(es.lastID, "e1.", "e0.", 1),
		"channel=trades&window_ms=0&assets=" + mint(1).String() + "," + mint(2).String(): es.lastID + ".x",
	} {
		other := there.events(query, "Last-Event-ID", id)
		if m := other.next(); m.Recovered || m.Epoch != "e1" {
			t.Errorf("%s: %s", query, m.raw)
		}
		if m := other.next(); m.Type != "gap" || m.Reason != wire.GapNewEpoch {
			t.Errorf("%s: %s, want a gap", query, m.raw)
		}
	}
}

// Readers that are cut at random and come back to one of two servers, which are told
// the same at different times, get each trade once, or are told what they do not get.
func TestRelayedEventsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		perAsset := rapid.SampledFrom([]int{16, 5000}).Draw(rt, "history")
		rigs := []*rig{}
		for range 2 {
			r := newRig(t, Options{Epoch: "e1", Shards: 2, Limits: Limits{HistoryTrades: perAsset}, Timing: Timing{PingInterval: 20 * time.Millisecond}})
			defer r.http.Close()
			defer r.stop()
			rigs = append(rigs, r)
		}
		plan := rapid.SliceOfN(rapid.IntRange(0, 2), 50, 300).Draw(rt, "updates")
		visits := rapid.SliceOfN(rapid.IntRange(0, 20_000), 1, 6).Draw(rt, "bytes read")
		tell := func(r *rig, updates []int, last map[int]uint64) {
			for _, n := range updates {
				last[n]++
				r.relayTrade(n, last[n])
			}
		}
		reader := relayedReader{rt: rt, seen: map[string]uint64{}, query: "channel=trades&assets=" + mint(0).String() + "," + mint(1).String() + "," + mint(2).String()}
		numbers := []map[int]uint64{{}, {}}
		done := []int{0, 0}
		advance := func(i, to int) {
			if to > done[i] {
				tell(rigs[i], plan[done[i]:to], numbers[i])
				done[i] = to
			}
		}
		reader.visit(rigs[0], 1, false) // from the beginning on
		for v, most := range visits {
			to := len(plan) * (v + 1) / len(visits)
			at := rapid.IntRange(0, 1).Draw(rt, "server")
			advance(at, to)
			advance(1-at, max(0, to-rapid.IntRange(0, 40).Draw(rt, "behind")))
			reader.visit(rigs[at], most, false)
		}
		advance(0, len(plan))
		advance(1, len(plan))
		reader.want = numbers[0]
		reader.visit(rigs[rapid.IntRange(0, 1).Draw(rt, "server")], 0, true)
		if perAsset == 5000 && reader.gaps > 0 {
			rt.Errorf("%d gaps though all was kept", reader.gaps)
		}
	})
}

// relayedReader reads streams of events one after the other, and holds what it is
// told against what it has seen.
type relayedReader struct {
	rt     *rapid.T
	query  string
	lastID string
	seen   map[string]uint64 // by asset
	gaps   int
	want   map[int]uint64 // what there is, when all of it is waited for
}

func (r *relayedReader) complete() bool {
	for n, seq := range r.want {
		if r.seen[mint(n).String()] < seq {
			return false
		}
	}
	return true
}

// visit reads some bytes, or until nothing more is on its way; all: until it has seen
// all there is.
func (r *relayedReader) visit(at *rig, most int, all bool) {
	resp, err := at.get(r.query, "Last-Event-ID", r.lastID)
	if err != nil {
		r.rt.Fatal(err)
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if !all && r.lastID != "" {
		body = io.LimitReader(body, int64(most))
	}
	es := &eventSource{lines: bufio.NewReader(body), lastID: r.lastID}
	for !all || !r.complete() {
		e, err := es.read()
		if err != nil || e.data == "" && !all {
			break
		}
		if e.data != "" {
			r.take(e.data)
		}
	}
	r.lastID = es.lastID
}

func (r *relayedReader) take(data string) {
	var m message
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		r.rt.Fatalf("%s: %v", data, err)
	}
	switch {
	case m.Type == "subscribed":
	case m.Type == "gap" && m.FromSeq <= r.seen[m.AssetID]+1 && m.ToSeq >= r.seen[m.AssetID]: // it has no id: told again if the next message was not read
		r.gaps++
		r.seen[m.AssetID] = m.ToSeq
	case m.Type == "trade" && m.Seq == r.seen[m.AssetID]+1:
		r.seen[m.AssetID]++
	default:
		r.rt.Fatalf("after %v: %s", r.seen, data)
	}
}

// What does not leave at once is gathered again, with the ids that it had: who is cut
// before it has not seen it.
func TestEventIDsAreOfWhatHasLeft(t *testing.T) {
	r := newRig(t, Options{Epoch: "e1"})
	a, b := r.registry.touch(mint(1), swapcast.Processed), r.registry.touch(mint(2), swapcast.Processed)
	ids := newEventIDs("e1", []*topic{a, b})
	var m mailbox
	for _, f := range []*frame{{position: 1, topic: a, seq: 7}, {position: 2, topic: b, seq: 8}, {}, {position: 3, topic: a, seq: 9}} {
		f.bytes, f.kind = []byte("{}"), kindTrade
		m.push(f)
	}
	text := func() string {
		got, marks := m.fillEvents(nil, nil, "run", ids)
		if len(marks) != m.len() {
			t.Errorf("%d marks", len(marks))
		}
		return strings.ReplaceAll(string(got), ids.prefix, "P")
	}
	const rest = "id: P.7.8\ndata: {}\n\ndata: {}\n\nid: P.9.8\ndata: {}\n\n"
	for range 2 {
		if got := text(); got != "id: P.7.0\ndata: {}\n\n"+rest {
			t.Errorf("%q", got)
		}
	}
	ids.left(m.queue[0].frame)
	m.pop(1)
	if got := text(); got != rest {
		t.Errorf("%q", got)
	}
	if s := ids.parse(ids.prefix + ".9.8"); s.positioned || s.epoch != "e1" || s.seqs[mint(1).String()] != 9 || s.seqs[mint(2).String()] != 8 {
		t.Errorf("%+v", s)
	}
	if first, second := newEventIDs("e1", []*topic{a}).prefix, newEventIDs("e1", []*topic{b}).prefix; first == second {
		t.Errorf("%s for both", first)
	}
}

// Last-Event-ID is whatever a client sends.
func FuzzEventID(f *testing.F) {
	s, err := New(Options{Epoch: "e1"})
	if err != nil {
		f.Fatal(err)
	}
	topics := []*topic{s.registry.touch(mint(1), swapcast.Processed), s.registry.touch(mint(2), swapcast.Processed)}
	ids := newEventIDs("e1", topics)
	for _, tail := range []string{"", ".9.8", ".1y2p0ij32e8e7.0", ".9", ".9.8.7", ".!.8", ".-1.8"} {
		f.Add(ids.prefix + tail)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got := ids.parse(id)
		if got.positioned {
			if got.epoch != "" || got.position != 0 || got.seqs != nil {
				t.Errorf("%q: %+v", id, got)
			}
			return
		}
		ids.seen = []uint64{got.seqs[mint(1).String()], got.seqs[mint(2).String()]}
		ids.filling = append(ids.filling[:0], ids.seen...)
		if again := ids.parse(string(ids.append(nil, new(frame)))); !maps.Equal(again.seqs, got.seqs) || again.epoch != "e1" {
			t.Errorf("%q: %+v, then %+v", id, got, again)
		}
	})
}
