package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
)

// updates makes n messages of different kinds and sizes, the same each time.
func updates(n int) []*pb.SubscribeUpdate {
	rnd := rand.New(rand.NewPCG(1, 2))
	out := make([]*pb.SubscribeUpdate, n)
	for i := range out {
		if i%3 == 0 {
			out[i] = &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: uint64(i) + 1}}}
			continue
		}
		data := make([]byte, 1+rnd.IntN(300))
		for j := range data {
			data[j] = byte(rnd.Uint32())
		}
		out[i] = &pb.SubscribeUpdate{Filters: []string{"f"}, UpdateOneof: &pb.SubscribeUpdate_Account{
			Account: &pb.SubscribeUpdateAccount{Slot: uint64(i), Account: &pb.SubscribeUpdateAccountInfo{Data: data}},
		}}
	}
	return out
}

// written is a capture of the updates, flushed after each of them.
func written(t testing.TB, us []*pb.SubscribeUpdate) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range us {
		if err := w.Write(u); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// framed is the other form.
func framed(t testing.TB, us []*pb.SubscribeUpdate) []byte {
	t.Helper()
	var b []byte
	for _, u := range us {
		m, err := proto.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(m))), m...)
	}
	return b
}

func readAll(t testing.TB, b []byte) (out []*pb.SubscribeUpdate, items []*ItemError, err error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	return drain(t, r.Next)
}

func equal(t *testing.T, got, want []*pb.SubscribeUpdate) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d messages, want %d", len(got), len(want))
	}
	for i := range got {
		if !proto.Equal(got[i], want[i]) {
			t.Fatalf("message %d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestRoundTrip(t *testing.T) {
	want := updates(200)
	for name, b := range map[string][]byte{"capture": written(t, want), "framed": framed(t, want)} {
		got, items, err := readAll(t, b)
		if err != nil || len(items) != 0 {
			t.Fatalf("%s: %v %v", name, err, items)
		}
		equal(t, got, want)
	}
}

func TestEmptyCapture(t *testing.T) {
	got, _, err := readAll(t, written(t, nil))
	if err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
}

// TestConcatenation: cat a b > c is a capture of both.
func TestConcatenation(t *testing.T) {
	want := updates(20)
	got, _, err := readAll(t, append(written(t, want[:7]), written(t, want[7:])...))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
}

// TestPlainZstd: what the documentation says of the format is true.
func TestPlainZstd(t *testing.T) {
	want := updates(5)
	z, err := zstd.NewReader(bytes.NewReader(written(t, want)), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		n, used := binary.Uvarint(plain)
		var u pb.SubscribeUpdate
		if err := proto.Unmarshal(plain[used:used+int(n)], &u); err != nil || !proto.Equal(&u, w) {
			t.Fatalf("message %d: %v", i, err)
		}
		plain = plain[used+int(n):]
	}
	if len(plain) != 1 || plain[0] != 0 {
		t.Errorf("behind the messages: %x, want the end mark", plain)
	}
}

// TestCutEverywhere cuts a capture at each byte. All that was flushed before
// the cut must come, nothing else, and then ErrCaptureCut.
func TestCutEverywhere(t *testing.T) {
	want := updates(6)
	var b bytes.Buffer
	w, err := NewWriter(&b, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	var flushed []int // length of the file once message i is flushed
	for _, u := range want {
		if err := errors.Join(w.Write(u), w.Flush()); err != nil {
			t.Fatal(err)
		}
		flushed = append(flushed, b.Len())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for cut := range whole {
		got, items, err := readAll(t, whole[:cut])
		if cut == 0 {
			if err == nil || errors.Is(err, swapcast.ErrCaptureCut) {
				t.Errorf("an empty file: %v", err)
			}
			continue
		}
		if !errors.Is(err, swapcast.ErrCaptureCut) {
			// The checksum behind the end mark may be missing: all is there.
			if err != nil || len(got) != len(want) {
				t.Fatalf("cut at %d of %d: %v after %d messages", cut, len(whole), err, len(got))
			}
		}
		if len(items) != 0 {
			t.Fatalf("cut at %d: %v", cut, items[0])
		}
		least := 0
		for _, at := range flushed {
			if at <= cut {
				least++
			}
		}
		if len(got) < least {
			t.Fatalf("cut at %d: %d messages, but %d were flushed", cut, len(got), least)
		}
		equal(t, got, want[:len(got)])
	}
}

func TestCutFramed(t *testing.T) {
	want := updates(6)
	whole := framed(t, want)
	ends := map[int]bool{}
	for i := range want {
		ends[len(framed(t, want[:i+1]))] = true
	}
	for cut := 1; cut < len(whole); cut++ {
		got, _, err := readAll(t, whole[:cut])
		if ends[cut] != (err == nil) || err != nil && !errors.Is(err, swapcast.ErrCaptureCut) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		equal(t, got, want[:len(got)])
	}
}

func TestDamage(t *testing.T) {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := func(b []byte) []byte { return append([]byte(captureHeader(swapcast.FeedLive)), z.EncodeAll(b, nil)...) }
	good := written(t, updates(3))
	flipped := bytes.Clone(good)
	flipped[headerSize] ^= 0x10
	for name, c := range map[string]struct {
		input []byte
		want  string
	}{
		"absurd length":        {packed(binary.AppendUvarint(nil, 1<<40)), "absurd"},
		"largest length":       {packed(binary.AppendUvarint(nil, 1<<64-1)), "absurd"},
		"endless length":       {packed(bytes.Repeat([]byte{0xff}, 20)), "overflow"},
		"false length":         {packed(binary.AppendUvarint(nil, maxMessage)), "cut off"},
		"false framed length":  {append(binary.BigEndian.AppendUint32(nil, maxMessage), 0x0a, 1, 2), "cut off"},
		"absurd framed length": {append(framed(t, updates(1)), 0xff, 0xff, 0xff, 0xff, 1), "absurd"},
		"wrong zstd":           {flipped, "damaged"},
		"newer version":        {bytes.Replace(good, []byte("capture/1"), []byte("capture/2"), 1), "version"},
		"nothing":              {nil, "empty"},
		"text":                 {[]byte("hello, this is no capture"), "neither"},
		"zeros":                {make([]byte, 100), "neither"},
		"bare zstd":            {z.EncodeAll([]byte("x"), nil), "header"},
		"json":                 {[]byte(`{"result":null}`), "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := readAll(t, c.input)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
				t.Errorf("%d MB were allocated for %d bytes of input", grown>>20, len(c.input))
			}
		})
	}
}

// TestGarbageMessage: a message that is no protobuf costs itself only.
func TestGarbageMessage(t *testing.T) {
	us := updates(2)
	b := framed(t, us[:1])
	b = append(b, 0, 0, 0, 3, 0xff, 0xff, 0xff)
	b = append(b, framed(t, us[1:])...)
	got, items, err := readAll(t, b)
	if err != nil || len(items) != 1 || !strings.Contains(items[0].Error(), "message 2") {
		t.Errorf("%v %v", items, err)
	}
	equal(t, got, us)
}

func TestReaderErrorStays(t *testing.T) {
	r, err := NewReader(bytes.NewReader(written(t, updates(1))))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := r.Next(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
	}
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// failing fails after n bytes.
type failing struct{ n int }

var errDisk = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestWriterErrors(t *testing.T) {
	if _, err := NewWriter(&failing{}, swapcast.FeedLive); !errors.Is(err, errDisk) {
		t.Errorf("header: %v", err)
	}
	w, err := NewWriter(&failing{n: headerSize}, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	u := updates(2)[1]
	if err := errors.Join(w.Write(u), w.Flush()); !errors.Is(err, errDisk) {
		t.Errorf("flush: %v", err)
	}
	for range 2 {
		if err := w.Write(u); !errors.Is(err, errDisk) {
			t.Errorf("after a failure: %v", err)
		}
	}
	if err := w.Close(); !errors.Is(err, errDisk) {
		t.Errorf("close: %v", err)
	}
	if w, err = NewWriter(io.Discard, swapcast.FeedLive); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&pb.SubscribeUpdate{}); err == nil {
		t.Error("an empty update was taken; it would read as the end")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Write(u); err == nil {
		t.Error("a closed capture took a message")
	}
}

// TestWriterFlushes: a recorder that never calls Flush loses a bounded amount.
func TestWriterFlushes(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	us, sent := []*pb.SubscribeUpdate{}, 0
	for i := range 800 {
		us = append(us, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{
			Account: &pb.SubscribeUpdateAccountInfo{Data: bytes.Repeat([]byte{byte(i)}, 5000)},
		}}})
	}
	for _, u := range us {
		if err := w.Write(u); err != nil {
			t.Fatal(err)
		}
		sent += proto.Size(u)
	}
	got, _, err := readAll(t, b.Bytes()) // as if killed now
	if !errors.Is(err, swapcast.ErrCaptureCut) {
		t.Errorf("error %v", err)
	}
	kept := 0
	for _, u := range got {
		kept += proto.Size(u)
	}
	if sent < 3*flushEvery || sent-kept > flushEvery+flushEvery/4 {
		t.Errorf("of %d bytes %d were lost", sent, sent-kept)
	}
	_ = w.Close()
}

// TestCorpusStream reads a capture that another program made.
func TestCorpusStream(t *testing.T) {
	path := filepath.Join(corpus(t), "blocks", "streams", "yellowstone_vixen_slots_entries_blockmeta_20260205.bin")
	us, items := openPlain(t, path)
	kinds := map[string]int{}
	for _, u := range us {
		kinds[fmt.Sprintf("%T", u.UpdateOneof)]++
	}
	if len(items) != 0 || kinds["*proto.SubscribeUpdate_BlockMeta"] != 50 || kinds["*proto.SubscribeUpdate_Slot"] != 295 || kinds["*proto.SubscribeUpdate_Entry"] != 39840 {
		t.Errorf("%v %v", kinds, items)
	}
	// And through our own form.
	back, _, err := readAll(t, written(t, us[:500]))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, back, us[:500])
}

func FuzzReader(f *testing.F) {
	f.Add(written(f, updates(4)))
	f.Add(framed(f, updates(4)))
	f.Add([]byte(captureHeader(swapcast.FeedLive)))
	f.Add(append([]byte(captureHeader(swapcast.FeedLive)), 0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		defer r.Close()
		for n := 0; ; n++ {
			_, err := r.Next(t.Context())
			var item *ItemError
			if err != nil && !errors.As(err, &item) {
				return
			}
			if n > 1<<22 {
				t.Fatal("does not end")
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	path := filepath.Join(corpus(b), "blocks", "slot_361774429.getBlock.base64.json")
	us, _ := openPlain(b, path)
	file := written(b, us)
	size := 0
	for _, u := range us {
		size += proto.Size(u)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if got, _, err := readAll(b, file); err != nil || len(got) != len(us) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(us)), "ns/update")
	b.ReportMetric(float64(size)/float64(len(file)), "x-packed")
}

func BenchmarkWriter(b *testing.B) {
	path := filepath.Join(corpus(b), "blocks", "slot_361774429.getBlock.base64.json")
	us, _ := openPlain(b, path)
	size := 0
	for _, u := range us {
		size += proto.Size(u)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		w, err := NewWriter(io.Discard, swapcast.FeedLive)
		if err != nil {
			b.Fatal(err)
		}
		for _, u := range us {
			if err := w.Write(u); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(us)), "ns/update")
}

func BenchmarkImportBlock(b *testing.B) {
	blob, err := os.ReadFile(filepath.Join(corpus(b), "blocks", "slot_361774429.getBlock.base64.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(blob)))
	b.ReportAllocs()
	for b.Loop() {
		if us, items, err := drain(b, Import(bytes.NewReader(blob)).Next); err != nil || len(items) != 0 || len(us) != 1791 {
			b.Fatal(len(us), items, err)
		}
	}
}

// A recording of a made-up market says so for ever.
func TestCaptureRemembersItsFeed(t *testing.T) {
	for _, feed := range []swapcast.Feed{swapcast.FeedLive, swapcast.FeedSimulated, swapcast.FeedReplay} {
		path := filepath.Join(t.TempDir(), "some.capture")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(f, feed)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		for _, open := range []string{path, filepath.Dir(path)} {
			file, err := Open(open)
			if err != nil {
				t.Fatal(err)
			}
			if got := file.Feed(); got != feed {
				t.Errorf("%s recorded %q, reads %q", open, feed, got)
			}
			file.Close()
		}
	}
}
