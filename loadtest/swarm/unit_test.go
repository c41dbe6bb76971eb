package swarm

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/stream/wire"
)

// serverFrame makes a frame as a server sends it, by the letter of RFC 6455.
func serverFrame(opcode byte, payload []byte) []byte {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = append(b, 126, byte(n>>8), byte(n))
	default:
		b = append(b, 127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, payload...)
}

// Frames come out as they went in, wherever the stream is cut.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 300), rapid.SampledFrom([]int{125, 126, 65535, 65536, 70000})), 1, 5).Draw(t, "sizes")
		var all []byte
		for i, n := range sizes {
			all = append(all, serverFrame(opText, bytes.Repeat([]byte{byte(i)}, n))...)
		}
		var pending []byte
		next := 0
		for len(all) > 0 {
			n := rapid.IntRange(1, len(all)).Draw(t, "read")
			pending = append(pending, all[:n]...)
			all = all[n:]
			for {
				opcode, payload, rest, whole, err := cut(pending)
				if err != nil {
					t.Fatal(err)
				}
				if !whole {
					break
				}
				if opcode != opText || len(payload) != sizes[next] || bytes.ContainsFunc(payload, func(r rune) bool { return r != rune(next) }) {
					t.Fatalf("frame %d: opcode %d, %d bytes", next, opcode, len(payload))
				}
				pending = rest
				next++
			}
		}
		if next != len(sizes) || len(pending) > 0 {
			t.Fatalf("%d of %d frames, %d bytes left", next, len(sizes), len(pending))
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add(serverFrame(opText, []byte("hello")))
	f.Add([]byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x81, 0x85, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			_, payload, rest, whole, err := cut(b)
			if err != nil || !whole {
				return
			}
			if len(payload)+len(rest) >= len(b) {
				t.Fatalf("%d and %d bytes out of %d", len(payload), len(rest), len(b))
			}
			eachMessage(payload, func(one []byte) { readMessage(one) })
			closeCode(payload)
			hint(payload)
			b = rest
		}
	})
}

// A client's frame, read by the letter: masked, and whole.
func TestAppendFrame(t *testing.T) {
	for _, n := range []int{0, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), n)
		b := appendFrame(nil, opText, payload)
		if b[1]&0x80 == 0 {
			t.Fatal("not masked")
		}
		head := 2
		switch {
		case n >= 1<<16:
			head = 10
		case n >= 126:
			head = 4
		}
		mask, masked := b[head:head+4], b[head+4:]
		for i := range masked {
			masked[i] ^= mask[i&3]
		}
		if !bytes.Equal(masked, payload) {
			t.Errorf("%d bytes come back as %d", n, len(masked))
		}
	}
}

// What readMessage takes of a message is what encoding/json finds in it, whatever its
// texts hold, alone and in a batch.
func TestReadMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nasty := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`","seq":1,"ts":2`, `},{"type":"price"`, `"snapshot":true`, `\`, `"`}))
		var batch [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			m := wire.Meta{Seq: rapid.Uint64Range(0, 1<<53).Draw(t, "seq"), TS: rapid.Int64Range(0, 1<<53).Draw(t, "ts"), Snapshot: rapid.Bool().Draw(t, "snapshot"), Feed: swapcast.Feed(nasty.Draw(t, "feed"))}
			key := solana.PublicKey{0: rapid.Byte().Draw(t, "key"), 31: 1}
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				batch = append(batch, wire.AppendPrice(nil, &swapcast.Price{Mint: key, DEX: nasty.Draw(t, "dex"), Corrects: rapid.Uint64Range(0, 9).Draw(t, "corrects")}, m))
			case 1:
				batch = append(batch, wire.AppendTrade(nil, &swapcast.Trade{Mint: key, DEX: nasty.Draw(t, "dex")}, m))
			case 2:
				batch = append(batch, wire.AppendCandle(nil, &swapcast.Candle{Mint: key}, m))
			default:
				batch = append(batch, wire.AppendBalance(nil, &swapcast.Balance{Owner: key, Mint: solana.PublicKey{5: 5}}, m))
			}
		}
		frame := slices.Concat([]byte{'['}, bytes.Join(batch, []byte{','}), []byte{']'})
		var got [][]byte
		if !eachMessage(frame, func(one []byte) { got = append(got, slices.Clone(one)) }) || len(got) != len(batch) {
			t.Fatalf("%d messages of %d in %s", len(got), len(batch), frame)
		}
		for i, one := range got {
			if !bytes.Equal(one, batch[i]) {
				t.Fatalf("%s came back as %s", batch[i], one)
			}
			sameAsJSON(t, one)
		}
	})
}

func sameAsJSON(t *rapid.T, b []byte) {
	var want struct {
		AssetID  string `json:"assetId"`
		Wallet   string `json:"wallet"`
		Seq, TS  int64
		Snapshot bool
	}
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	key := want.AssetID
	if want.Wallet != "" {
		key = want.Wallet
	}
	m, ok := readMessage(b)
	if !ok || m.kind != kindUpdate || string(m.key) != key || m.seq != want.Seq || m.ts != want.TS || m.snapshot != want.Snapshot {
		t.Fatalf("%s is read as %+v, %v", b, m, ok)
	}
	if !checkWhole(b) {
		t.Fatalf("%s is said to be no JSON", b)
	}
}

func TestOtherMessages(t *testing.T) {
	for text, want := range map[string]struct {
		kind kind
		ok   bool
	}{
		`{"type":"subscribed","id":"7","channel":"prices","assets":[],"epoch":"e","recovered":false,"errors":[]}`: {kindOther, true},
		`{"type":"status","feed":"healthy"}`:                                                             {kindOther, true},
		`{"type":"error","code":"invalid_asset","message":"m"}`:                                          {kindError, true},
		`{"type":"gap","channel":"trades","assetId":"A","fromSeq":3,"toSeq":9,"reason":"slow_consumer"}`: {kindGap, true},
		`{"type":"retract","channel":"trades","assetId":"A","slot":1,"signatures":["s"],"seq":4,"ts":5}`: {kindUpdate, true},
		`{"type":"gap","channel":"trades","assetId":"A"}`:                                                {kindGap, false},
		`{"type":"price","assetId":"A"}`:                                                                 {kindUpdate, false},
		`{"type":"price","assetId":"A","seq":x,"ts":5}`:                                                  {kindUpdate, false},
		`{"type":"price","assetId":"A","price":1,"seq":99999999999999999999,"ts":5}`:                     {kindUpdate, false},
		`{"type":"price`: {kindOther, false},
		`[]`:             {kindOther, false},
		``:               {kindOther, false},
	} {
		if m, ok := readMessage([]byte(text)); ok != want.ok || (ok && m.kind != want.kind) {
			t.Errorf("%s: kind %d, %v; want %d, %v", text, m.kind, ok, want.kind, want.ok)
		}
	}
	for text, want := range map[string]bool{
		`{"type":"price","assetId":"A","price":null}`: true,
		`{"type":"price","assetId":"A"}`:              false,
		`{"type":"price","price":1}`:                  false,
		`{"type":"price"`:                             false,
		`{"type":"pong"}`:                             true,
	} {
		if checkWhole([]byte(text)) != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

func TestFollow(t *testing.T) {
	type step struct {
		kind     kind
		seq      int64
		snapshot bool
		want     verdict
		missing  int64
	}
	for name, steps := range map[string][]step{
		"in order":                  {{kindUpdate, 4, true, fine, 0}, {kindUpdate, 5, false, fine, 0}, {kindUpdate, 6, false, fine, 0}},
		"nothing published yet":     {{kindUpdate, 0, true, fine, 0}, {kindUpdate, 1, false, fine, 0}},
		"trades begin anywhere":     {{kindUpdate, 90, false, fine, 0}, {kindUpdate, 91, false, fine, 0}},
		"a jump":                    {{kindUpdate, 4, true, fine, 0}, {kindUpdate, 8, false, jumped, 3}, {kindUpdate, 9, false, fine, 0}},
		"twice":                     {{kindUpdate, 4, false, fine, 0}, {kindUpdate, 4, false, disorder, 0}, {kindUpdate, 5, false, fine, 0}},
		"back":                      {{kindUpdate, 4, false, fine, 0}, {kindUpdate, 2, false, disorder, 0}, {kindUpdate, 5, false, fine, 0}},
		"told as a gap":             {{kindUpdate, 4, false, fine, 0}, {kindGap, 9, false, fine, 0}, {kindUpdate, 10, false, fine, 0}},
		"an old gap":                {{kindUpdate, 9, false, fine, 0}, {kindGap, 5, false, fine, 0}, {kindUpdate, 10, false, fine, 0}},
		"a wallet's snapshots":      {{kindUpdate, 7, true, fine, 0}, {kindUpdate, 7, true, fine, 0}, {kindUpdate, 8, false, fine, 0}},
		"a snapshot from long ago":  {{kindUpdate, 7, true, fine, 0}, {kindUpdate, 3, true, disorder, 0}},
		"a snapshot ahead of prior": {{kindUpdate, 7, false, fine, 0}, {kindUpdate, 9, true, fine, 0}, {kindUpdate, 10, false, fine, 0}},
	} {
		c := conn{subs: []sub{{key: 1}, {key: 2}}}
		for i, s := range steps {
			v, missing := c.follow(2, &message{kind: s.kind, seq: s.seq, toSeq: s.seq, snapshot: s.snapshot})
			if v != s.want || missing != s.missing {
				t.Errorf("%s, step %d: %d and %d missing; want %d and %d", name, i, v, missing, s.want, s.missing)
			}
		}
		if v, _ := c.follow(3, &message{kind: kindUpdate, seq: 1}); v != unasked {
			t.Errorf("%s: what nobody asked for is %d", name, v)
		}
	}
}

func TestReadResponse(t *testing.T) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: abc\r\n\r\n"
	for name, c := range map[string]struct {
		text, rest, problem string
		done                bool
	}{
		"agreed":           {good + "more", "more", "", true},
		"not whole":        {good[:40], good[:40], "", false},
		"wrong key":        {strings.Replace(good, "abc", "abd", 1), "", "wrong Sec-WebSocket-Accept", true},
		"refused":          {"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"code\":\"overloaded\",\"x\":1}", "", "status 503 overloaded", true},
		"refused, no body": {"HTTP/1.1 404 Not Found\r\n\r\n", "", "status 404", true},
		"no HTTP":          {"SSH-2.0\r\n\r\n", "", "no HTTP answer", true},
		"without end":      {strings.Repeat("x", responseLimit+1), "", "answer too long", true},
	} {
		rest, problem, done := readResponse([]byte(c.text), "abc")
		if string(rest) != c.rest || problem != c.problem || done != c.done {
			t.Errorf("%s: %q, %q, %v", name, rest, problem, done)
		}
	}
}

func TestMix(t *testing.T) {
	m, err := ParseMix("streams=70, multi=20,churn=5,slow=5")
	if err != nil {
		t.Fatal(err)
	}
	// Shares hold for any run of connections: those of one process, or of a moment.
	for _, from := range []int{0, 313, 99_000} {
		var n [scenarios]int
		for i := range 1000 {
			n[m.pick(from+i)]++
		}
		for s, w := range m {
			if want := w * 10; math.Abs(float64(n[s])-want) > 8 {
				t.Errorf("from %d: %d of %v, want %.0f", from, n[s], Scenario(s), want)
			}
		}
	}
	again, err := ParseMix(m.String())
	if err != nil || again != m {
		t.Errorf("%s is read as %v, %v", m, again, err)
	}
	for _, text := range []string{"", "stream", "streams=x", "streams=-1", "streams=0", "streams=NaN", "multi=1,nothing=2"} {
		if _, err := ParseMix(text); err == nil {
			t.Errorf("%q is no error", text)
		}
	}
}

func TestKeysOf(t *testing.T) {
	p := &plan{Options: Options{Assets: mints(100), Wallets: wallets(3), TokensEach: 10, Zipf: 1.1}}
	popular := make([]int, 100)
	for i := range 2000 {
		keys := p.keysOf(i, Multi, 0)
		seen := map[int32]bool{}
		for _, k := range keys {
			seen[k] = true
			popular[k]++
		}
		if len(keys) != 10 || len(seen) != 10 {
			t.Fatalf("connection %d has %v", i, keys)
		}
		if again := p.keysOf(i, Multi, 0); !slices.Equal(again, keys) {
			t.Fatalf("connection %d has %v, then %v", i, keys, again)
		}
	}
	if popular[0] < popular[10] || popular[10] < popular[60] {
		t.Errorf("not as Zipf has it: %v", popular)
	}
	p.TokensEach = 500
	if n := len(p.keysOf(1, Slow, 0)); n != 100 {
		t.Errorf("%d of 100 tokens", n)
	}
	if k := p.keysOf(4, Balances, 0); p.key(k[0]) != p.Wallets[1] {
		t.Errorf("connection 4 has wallet %s", p.key(k[0]))
	}
	if a, b := p.keysOf(1, Churn, 0), p.keysOf(1, Churn, 1); slices.Equal(a, b) && slices.Equal(a, p.keysOf(1, Churn, 2)) {
		t.Error("churn never changes its token")
	}
}

// Whatever the order in which sources tell their seconds, each comes out once, in order,
// complete.
func TestGatherer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const seconds = 5
		sources := rapid.IntRange(1, 4).Draw(t, "sources")
		g := newGatherer(sources)
		told := make([]int, sources)
		var got []*tally
		for left := sources * (seconds + 1); left > 0; left-- {
			s := rapid.SampledFrom(slices.Collect(func(yield func(int) bool) {
				for i, n := range told {
					if n <= seconds && !yield(i) {
						return
					}
				}
			})).Draw(t, "source")
			if told[s] == seconds {
				g.end(s)
			} else {
				one := newTally(int64(100 + told[s]))
				one.of(Streams).Messages, one.of(Streams).Open = uint64(s+1), 1
				one.because("r", 1)
				record(one.of(Streams).latency, int64(1000*(s+1)))
				g.add(s, one)
			}
			told[s]++
			got = append(got, g.over()...)
		}
		if len(got) != seconds {
			t.Fatalf("%d seconds of %d", len(got), seconds)
		}
		for i, one := range got {
			s := one.of(Streams)
			if one.second != int64(100+i) || s.Messages != uint64(sources*(sources+1)/2) || s.Open != sources || s.latency.TotalCount() != int64(sources) || one.reasons["r"] != uint64(sources) {
				t.Fatalf("second %d: %+v", i, s.counts)
			}
		}
	})
}

func TestTallyTravels(t *testing.T) {
	one := newTally(42)
	s := one.of(Multi)
	s.counts = counts{Opened: 1, Failed: 2, Left: 3, Lost: 4, Messages: 5, Snapshot: 6, Bytes: 7, Jumps: 8, Missing: 9, Disorder: 10, Told: 11, Invalid: 12, Refused: 13}
	s.Open = 14
	for us := int64(1); us < 200_000_000; us *= 3 {
		record(s.latency, us)
	}
	record(s.first, -5)
	one.because("why", 3)
	w, err := one.encode(usage{CPU: 1.5, RSS: 2, Heap: 3})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var back wireTally
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	two, err := back.decode()
	if err != nil {
		t.Fatal(err)
	}
	b := two.of(Multi)
	if two.second != 42 || b.counts != s.counts || b.Open != 14 || !maps.Equal(two.reasons, one.reasons) || back.Usage != w.Usage {
		t.Errorf("%s", text)
	}
	if !b.latency.Equals(s.latency) || !b.first.Equals(s.first) || b.connect.TotalCount() != 0 || two.shares[Streams] != nil {
		t.Error("the histograms are others")
	}
	b.counts.add(&s.counts)
	if b.counts != (counts{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26}) {
		t.Errorf("a field is not added: %+v", b.counts)
	}
	for i := range 2 * maxReasons {
		two.because(strings.Repeat("x", i), 1)
	}
	if len(two.reasons) > maxReasons+1 {
		t.Errorf("%d reasons", len(two.reasons))
	}
}

// Trades are not conflated: what is missing of them is not explained by the prices that
// the server left out for others.
func TestMissingTradesAreNotExplained(t *testing.T) {
	r := &Runner{plan: &plan{}, scraper: &scraper{}, all: newTally(0)}
	r.server.last.conflated = 100
	r.all.of(Slow).Missing, r.all.of(Trades).Missing = 80, 3
	var rep report.Report
	if r.addGaps(&rep); rep.Gaps.Unexplained != 3 || rep.Gaps.Skipped != 80 || rep.Gaps.Missed != 3 {
		t.Errorf("%+v", rep.Gaps)
	}
	r.all.of(Streams).Missing = 30
	rep = report.Report{}
	if r.addGaps(&rep); rep.Gaps.Unexplained != 3+10 {
		t.Errorf("%+v", rep.Gaps)
	}
}

func TestReadMetrics(t *testing.T) {
	const text = `# HELP go_goroutines Number.
# TYPE go_goroutines gauge
go_goroutines 39
process_cpu_seconds_total 44.7
process_max_fds 20000
process_open_fds 13
process_resident_memory_bytes 1.82849536e+08
go_memstats_heap_inuse_bytes 1e6
go_gc_duration_seconds{quantile="0"} 2.2183e-05
go_gc_duration_seconds_sum 0.037
go_gc_duration_seconds_count 84
swapcast_ws_connections 7
swapcast_ws_messages_sent_total{channel="prices"} 100
swapcast_ws_messages_sent_total{channel="trades"} 11
swapcast_ws_writes_total 50
swapcast_ws_conflated_total 3
swapcast_ws_closed_total{code="1000"} 4
`
	all := sample{closed: map[string]float64{}}
	for range 2 { // two servers
		if err := readMetrics(strings.NewReader(text), &all); err != nil {
			t.Fatal(err)
		}
	}
	want := sample{
		goroutines: 78, cpu: 89.4, maxFDs: 20000, fds: 26, rss: 2 * 1.82849536e+08, heap: 2e6, gcs: 168, gcPause: 0.074,
		connections: 14, sent: 222, writes: 100, conflated: 6,
	}
	if closed := closes(map[string]float64{"1000": 2}, all.closed); closed != "1000: 6" {
		t.Errorf("closed: %q", closed)
	}
	all.closed = nil
	if !sameSample(all, want) {
		t.Errorf("got %+v", all)
	}
	if readMetrics(strings.NewReader("<html>"), &all) == nil {
		t.Error("a page without metrics is no error")
	}
}

func sameSample(a, b sample) bool {
	return a.goroutines == b.goroutines && math.Abs(a.cpu-b.cpu) < 1e-9 && a.maxFDs == b.maxFDs && a.fds == b.fds && a.rss == b.rss && a.heap == b.heap &&
		a.gcs == b.gcs && math.Abs(a.gcPause-b.gcPause) < 1e-9 && a.connections == b.connections && a.sent == b.sent && a.writes == b.writes && a.conflated == b.conflated
}
