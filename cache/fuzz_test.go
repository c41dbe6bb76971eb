package cache

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// fuzzCache is one for all: it is large, and nothing is put into it.
var fuzzCache, _ = New(Options{})

// keysOf makes the keys of two strings by functions of several shapes. Shapes
// that take one string get the first.
func keysOf(t testing.TB, a, b string) map[string]string {
	t.Helper()
	c := fuzzCache
	keys := make(map[string]string)
	add := func(shape string, key []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		keys[shape] = string(key)
	}
	type two struct{ A, B string }
	for _, name := range []string{"{0}{1}", "{1}{0}", "x:{0}:{1}", "x:{0}{1}", "x:{0}:y:{1}"} {
		f := newFunction(c, Spec{Name: name}, func(context.Context, two) (int, error) { return 0, nil })
		key, err := appendKey([]byte(f.prefix), f.name, f.args, two{a, b})
		add(name, key, err)
	}
	for _, name := range []string{"{0}", "x:{0}", "x:{0}:y", "x:{0}:{0}"} {
		f := newFunction(c, Spec{Name: name}, func(context.Context, string) (int, error) { return 0, nil })
		key := appendKeyOfString([]byte(f.prefix), f.name, a)
		add(name, key, nil)
		if slow, err := appendKey([]byte(f.prefix), f.name, f.args, a); err != nil || !bytes.Equal(key, slow) {
			t.Errorf("%q: two ways, two keys: %q %q %v", a, key, slow, err)
		}
	}
	f := newFunction(c, Spec{Name: "l:{0}"}, func(context.Context, []string) (int, error) { return 0, nil })
	key, err := appendKey([]byte(f.prefix), f.name, f.args, []string{a, b})
	add("list of two", key, err)
	key, err = appendKey([]byte(f.prefix), f.name, f.args, []string{a})
	add("list of one", key, err)
	return keys
}

// FuzzKeys: two lists of arguments never make one key, nor do two functions.
func FuzzKeys(f *testing.F) {
	f.Add("a", "bc", "ab", "c")
	f.Add("a>:<b", "", "a", "b")
	f.Add("%3c", "<", "<", "%3c")
	f.Add("", "", "\x00", "%00")
	f.Add("a><b", "c", "a", "b><c")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		first, second := keysOf(t, a, b), keysOf(t, c, d)
		for shape, key := range first {
			for other, key2 := range second {
				same := shape == other && a == c && (b == d || strings.Contains(shape, "one") || !strings.Contains(shape, "1") && !strings.Contains(shape, "two"))
				if same != (key == key2) {
					t.Errorf("%s of %q %q: %q; %s of %q %q: %q", shape, a, b, key, other, c, d, key2)
				}
			}
		}
	})
}

// FuzzRedisKeys: escaping keeps keys apart, and keeps braces, which decide the
// hash slot, out of them.
func FuzzRedisKeys(f *testing.F) {
	f.Add("a{b}", "a%7bb%7d")
	f.Add("{", "}")
	f.Add(" ", "%20")
	f.Fuzz(func(t *testing.T, a, b string) {
		if (plain(a) == plain(b)) != (a == b) {
			t.Errorf("%q and %q: %q and %q", a, b, plain(a), plain(b))
		}
		if strings.ContainsAny(plain(a), "{} \n") {
			t.Errorf("%q: %q", a, plain(a))
		}
	})
}

// FuzzStored: bytes from Redis are read without harm, and what is read is what
// would be written.
func FuzzStored(f *testing.F) {
	for _, s := range storedExamples() {
		f.Add(s.append(nil, 100))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		const most = 1 << 16
		s, err := parseStored(raw, most)
		if err != nil {
			return
		}
		if len(s.value) > most {
			t.Errorf("a value of %d bytes", len(s.value))
		}
		again, err := parseStored(s.append(nil, -1), most)
		if err != nil || !same(again, s) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}

func storedExamples() []stored {
	return []stored{
		{fence: 1, fresh: time.Second, life: time.Minute, versions: []uint64{1, 2}, value: []byte(`{"a":1}`)},
		{fence: 1 << 50, life: time.Millisecond, versions: []uint64{1 << 50}, value: bytes.Repeat([]byte("long "), 100)},
		{negative: true, fence: 7, fresh: time.Hour, life: time.Hour, versions: []uint64{3}},
	}
}

func same(a, b stored) bool {
	return a.negative == b.negative && a.fence == b.fence && a.fresh == b.fresh && a.life == b.life &&
		slices.Equal(a.versions, b.versions) && bytes.Equal(a.value, b.value)
}

func TestStored(t *testing.T) {
	for i, s := range storedExamples() {
		for _, over := range []int{-1, 0, 100, 1 << 20} {
			raw := s.append([]byte("before"), over)[len("before"):]
			got, err := parseStored(raw, 1<<20)
			if err != nil || !same(got, s) {
				t.Errorf("%d over %d: got %+v, %v", i, over, got, err)
			}
			for j := range raw {
				raw[j] ^= 0x10
				if _, err := parseStored(raw, 1<<20); err == nil {
					t.Errorf("%d: a damaged byte %d was not noticed", i, j)
				}
				raw[j] ^= 0x10
			}
			if _, err := parseStored(raw, len(s.value)-1); err == nil && !s.negative {
				t.Errorf("%d: a value that is too long was read", i)
			}
		}
	}
	if small := storedExamples()[1]; len(small.append(nil, 100)) > 200 {
		t.Errorf("500 bytes of the same were not compressed: %d", len(small.append(nil, 100)))
	}
}

// FuzzMessage: the same for messages of the bus.
func FuzzMessage(f *testing.F) {
	for _, m := range messageExamples() {
		f.Add(m.append(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMessage(raw)
		if err != nil {
			return
		}
		again, err := parseMessage(m.append(nil))
		if err != nil || again.kind != m.kind || again.from != m.from || again.beat != m.beat || !slices.Equal(again.tags, m.tags) {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

func messageExamples() []message {
	const id = "0123456789abcdef"
	return []message{
		{kind: messageTags, from: id, tags: []string{"portfolio:7xK", "", strings.Repeat("x", 300)}},
		{kind: messageAll, from: id},
		{kind: messageBeat, from: id, beat: 1 << 60},
		{kind: messageBye, from: id},
	}
}
