package cache

import (
	"context"
	"hash/maphash"
	"strconv"
)

// Spec says how a function is cached.
type Spec struct {
	// Name makes the keys: "portfolio:{0}:value", where {0} is the first
	// argument. Each argument needs a place, and each function a name of its own. What comes before the first colon is
	// the label of swapcast_cache_computes_total.
	Name string

	// Tags are those of each result, with the same places: "portfolio:{0}" for
	// the wallet 7xK is the tag "portfolio:7xK". Not every argument needs a place.
	Tags []string

	// Options for every call; Tags among them are added as they are.
	Options []Option
}

// Func wraps a function of one argument, so that its results are cached by it.
// A is a string, an integer, a boolean, an array of bytes, an
// encoding.TextMarshaler (whose texts must differ where its values do), a list
// of such, or a struct whose exported fields are the arguments in order.
//
// Func panics where spec and A do not fit, as regexp.MustCompile does: both are
// fixed when the program is written.
func Func[A, T any](c *Cache, spec Spec, fn func(ctx context.Context, a A) (T, error)) func(ctx context.Context, a A) (T, error) {
	f := newFunction(c, spec, fn)
	if c == nil {
		return fn
	}
	return f.call
}

// Func2 is Func for a function of two arguments.
func Func2[A, B, T any](c *Cache, spec Spec, fn func(ctx context.Context, a A, b B) (T, error)) func(ctx context.Context, a A, b B) (T, error) {
	type args struct {
		A A
		B B
	}
	one := Func(c, spec, func(ctx context.Context, x args) (T, error) { return fn(ctx, x.A, x.B) })
	return func(ctx context.Context, a A, b B) (T, error) { return one(ctx, args{a, b}) }
}

// Func3 is Func for a function of three arguments.
func Func3[A, B, C, T any](c *Cache, spec Spec, fn func(ctx context.Context, a A, b B, d C) (T, error)) func(ctx context.Context, a A, b B, d C) (T, error) {
	type args struct {
		A A
		B B
		C C
	}
	one := Func(c, spec, func(ctx context.Context, x args) (T, error) { return fn(ctx, x.A, x.B, x.C) })
	return func(ctx context.Context, a A, b B, d C) (T, error) { return one(ctx, args{a, b, d}) }
}

// function is a wrapped function.
type function[A, T any] struct {
	// static after construction
	c        *Cache
	fn       func(ctx context.Context, a A) (T, error)
	prefix   string
	name     template
	tags     []template
	args     []argument[A]
	settings settings
}

func newFunction[A, T any](c *Cache, spec Spec, fn func(ctx context.Context, a A) (T, error)) *function[A, T] {
	f := &function[A, T]{c: c, fn: fn}
	var err error
	if f.args, err = argumentsOf[A](); err != nil {
		panic(err)
	}
	if f.name, err = parseTemplate(spec.Name); err == nil {
		err = f.name.check(len(f.args), true)
	}
	if err != nil {
		panic(err)
	}
	for _, text := range spec.Tags {
		t, err := parseTemplate(text)
		if err == nil {
			err = t.check(len(f.args), false)
		}
		if err != nil {
			panic(err)
		}
		f.tags = append(f.tags, t)
	}
	if c == nil {
		return f
	}
	label := f.name.label()
	if label == "" {
		label = c.o.Namespace
	}
	f.settings = c.settings(append([]Option{Label(label)}, spec.Options...))
	f.prefix = "f" + strconv.Itoa(f.settings.version) + ":"
	return f
}

// call makes the key; that of a string, which most are, without allocating.
func (f *function[A, T]) call(ctx context.Context, a A) (T, error) {
	if text, ok := any(a).(string); ok {
		var room [192]byte
		return f.find(ctx, a, appendKeyOfString(append(room[:0], f.prefix...), f.name, text))
	}
	key, err := appendKey([]byte(f.prefix), f.name, f.args, a)
	if err != nil {
		return f.fn(ctx, a) // an argument without a text: nothing to cache it by
	}
	return f.find(ctx, a, key)
}

// find answers from memory, or takes the long way.
func (f *function[A, T]) find(ctx context.Context, a A, key []byte) (T, error) {
	hash := maphash.Bytes(f.c.seed, key)
	e := f.c.memory.at(hash)
	due, ok := f.c.hit(e, e != nil && e.key == string(key))
	if ok && !due {
		if v, err, ok := valueOf[T](e); ok {
			return v, err
		}
	}
	if !due {
		e = nil
	}
	return f.slow(ctx, a, string(key), hash, e)
}

// slow is a function of its own so that the fast path needs no closure.
func (f *function[A, T]) slow(ctx context.Context, a A, key string, hash uint64, due *entry) (T, error) {
	s := f.settings
	s.tags = append(make([]string, 0, len(f.tags)+len(f.settings.tags)), f.settings.tags...)
	for _, t := range f.tags {
		text, err := tag(t, f.args, a)
		if err != nil {
			return f.fn(ctx, a)
		}
		s.tags = append(s.tags, text)
	}
	r := newRequest(s, key, hash, func(ctx context.Context) (T, error) { return f.fn(ctx, a) })
	if due != nil {
		return getDue[T](ctx, f.c, r, due)
	}
	return getSlow[T](ctx, f.c, r)
}
