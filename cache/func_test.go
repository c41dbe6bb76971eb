package cache_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/cache"
)

func newCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.New(cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestFunc(t *testing.T) {
	c := newCache(t)
	calls := 0
	value := cache.Func(c, cache.Spec{Name: "portfolio:{0}:value", Tags: []string{"portfolio:{0}"}},
		func(_ context.Context, owner solana.PublicKey) (string, error) { calls++; return owner.String(), nil })
	a, b := solana.PublicKey{1}, solana.PublicKey{2}
	for range 3 {
		for _, owner := range []solana.PublicKey{a, b} {
			if got, err := value(t.Context(), owner); err != nil || got != owner.String() {
				t.Fatalf("got %q and %v", got, err)
			}
		}
	}
	if calls != 2 {
		t.Errorf("%d calls for two wallets", calls)
	}
	if err := c.InvalidateTag(t.Context(), "portfolio:"+a.String()); err != nil {
		t.Fatal(err)
	}
	value(t.Context(), a)
	value(t.Context(), b)
	if calls != 3 {
		t.Errorf("%d calls after the tag of one was invalidated, want 3", calls)
	}
}

func TestFuncOfSeveral(t *testing.T) {
	c := newCache(t)
	type args struct {
		Owner string
		Days  int
		All   bool
	}
	calls := 0
	f := cache.Func(c, cache.Spec{Name: "pnl:{0}:{1}:{2}"}, func(_ context.Context, a args) (args, error) { calls++; return a, nil })
	g := cache.Func3(c, cache.Spec{Name: "other:{0}:{1}:{2}"},
		func(_ context.Context, a string, b int, d bool) (args, error) { return args{a, b, d}, nil })
	h := cache.Func2(c, cache.Spec{Name: "two:{1}:{0}"},
		func(_ context.Context, a string, b []string) (string, error) { return a + strings.Join(b, "+"), nil })
	for _, a := range []args{{"x", 1, true}, {"x", 1, false}, {"x:1", 1, true}, {"x", -1, true}, {"", 0, false}} {
		for range 2 {
			if got, err := f(t.Context(), a); err != nil || got != a {
				t.Errorf("got %v and %v, want %v", got, err, a)
			}
			if got, err := g(t.Context(), a.Owner, a.Days, a.All); err != nil || got != a {
				t.Errorf("got %v and %v, want %v", got, err, a)
			}
		}
	}
	if calls != 5 {
		t.Errorf("%d calls for five lists of arguments", calls)
	}
	for _, list := range [][]string{nil, {"a"}, {"a", "b"}, {"a><b"}, {"ab"}, {""}} {
		if got, err := h(t.Context(), "x", list); err != nil || got != "x"+strings.Join(list, "+") {
			t.Errorf("got %q and %v for %q", got, err, list)
		}
	}
}

func TestSpecsThatDoNotFit(t *testing.T) {
	one := func(context.Context, string) (int, error) { return 0, nil }
	for name, spec := range map[string]cache.Spec{
		"no place for the argument": {Name: "portfolio"},
		"no such argument":          {Name: "portfolio:{0}:{1}"},
		"tag of no argument":        {Name: "portfolio:{0}", Tags: []string{"{3}"}},
		"open place":                {Name: "portfolio:{0"},
		"named place":               {Name: "portfolio:{owner}"},
		"place with a zero":         {Name: "portfolio:{00}"},
		"brackets":                  {Name: "portfolio<{0}>"},
		"nothing":                   {},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			cache.Func(newCache(t), spec, one)
		})
	}
	t.Run("argument without a text", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		cache.Func(newCache(t), cache.Spec{Name: "a:{0}"}, func(context.Context, map[string]int) (int, error) { return 0, nil })
	})
}
