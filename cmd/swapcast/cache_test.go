package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/swapcast/swapcast/cache/cachetest"
)

// TestServeWithRedis: the server starts and works whether Redis is there or
// not, notices when it comes, and what is invalidated on one instance is on
// the others.
func TestServeWithRedis(t *testing.T) {
	redis := cachetest.StartRedis(t)
	redis.Stop()
	args := []string{"--redis-url", "redis://" + redis.Addr, "--admin-token", "secret"}
	a, b := serveForTest(t, args...), serveForTest(t, args...)
	metrics := func(s *server) string {
		return getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK)
	}
	if status, _, body := adminPost(t, a, "/admin/cache/invalidate?tag=x&tag=y", "secret"); status != http.StatusAccepted || !strings.Contains(body, "Redis cannot be reached") {
		t.Errorf("without Redis: %d %s", status, body)
	}
	if status, code, _ := adminPost(t, a, "/admin/cache/invalidate", "secret"); status != http.StatusBadRequest || code != "missing_tag" {
		t.Errorf("without a tag: %d %s", status, code)
	}
	if status, _, _ := adminPost(t, a, "/admin/cache/flush", "wrong"); status != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d", status)
	}
	redis.Start()
	for _, s := range []*server{a, b} {
		waitUntil(t, "both to see each other on the bus", func() bool {
			body := metrics(s)
			return strings.Contains(body, "\nswapcast_cache_bus_lost 0\n") && strings.Contains(body, `swapcast_cache_instances{state="known"} 1`)
		})
	}
	waitUntil(t, "Redis to be used again", func() bool {
		status, _, _ := adminPost(t, a, "/admin/cache/flush", "secret")
		return status == http.StatusOK
	})
	waitUntil(t, "the other one to hear of it", func() bool {
		return !strings.Contains(metrics(b), "\nswapcast_cache_invalidations_total{origin=\"bus\"} 0\n")
	})
}

func TestRedisURL(t *testing.T) {
	for text, want := range map[string]string{
		"redis://localhost":                         "localhost:6379",
		"redis://127.0.0.1:7000/2?pool_size=5":      "127.0.0.1:7000",
		"rediss://me:p@ss@[::1]:7000":               "[::1]:7000",
		"redis-cluster://a:1,b,c:3":                 "cluster of a:1, b:6379, c:3",
		"rediss-cluster://me:secret@a:1/":           "cluster of a:1",
		"redis-sentinel://a,b:2/prices":             "master prices by sentinels a:26379, b:2",
		"redis-sentinel://u:secret@a:1/prices/3":    "master prices by sentinels a:1",
		"redis-sentinel://a/p?sentinel_password=se": "master p by sentinels a:26379",
	} {
		target, err := parseRedisURL(text)
		if err != nil || target.String() != want {
			t.Errorf("%s: got %q and %v, want %q", text, target, err, want)
			continue
		}
		if err := target.open().Close(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	target, err := parseRedisURL("rediss-sentinel://me:secret@a:1,b:2/prices/3?sentinel_username=s&sentinel_password=word&pool_size=7")
	if err != nil {
		t.Fatal(err)
	}
	o := target.sentinel
	if o.Username != "me" || o.Password != "secret" || o.SentinelUsername != "s" || o.SentinelPassword != "word" ||
		o.DB != 3 || o.MasterName != "prices" || o.PoolSize != 7 || o.TLSConfig == nil {
		t.Errorf("got %+v", o)
	}
	target, err = parseRedisURL("redis-cluster://me:secret@a:1,b:2")
	if err != nil || target.cluster.Username != "me" || target.cluster.Password != "secret" {
		t.Errorf("got %+v and %v", target.cluster, err)
	}
}

func TestRedisURLsThatAreWrong(t *testing.T) {
	for _, text := range []string{
		"localhost:6379",
		"http://localhost",
		"redis-ring://localhost",
		"redis://",
		"redis://me:hunter2@/1",
		"redis://me:hunter2@a,b",
		"redis://me:hunter2@a:port",
		"redis://me:hunter2@a/x",
		"redis://me:hunter2%zz@a",
		"redis://me:hunter2@a?pool=1",
		"redis-cluster://me:hunter2@a/1",
		"redis-cluster://me:hunter2@a,,b",
		"redis-sentinel://me:hunter2@a",
		"redis-sentinel://me:hunter2@a/m/x",
		"redis-sentinel://me:hunter2@a/m?what=1",
	} {
		_, err := parseRedisURL(text)
		switch {
		case err == nil:
			t.Errorf("%s: no error", text)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error shows the password: %v", text, err)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: more than one line: %v", text, err)
		}
	}
}
