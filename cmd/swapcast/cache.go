package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast/cache"
)

// redisTarget is a --redis-url, read.
type redisTarget struct {
	single   *redis.Options // one of the three is set
	sentinel *redis.FailoverOptions
	cluster  *redis.ClusterOptions
}

// parseRedisURL reads --redis-url:
//
//	redis://[user:password@]host[:port][/db]                             one server
//	redis-sentinel://[user:password@]host[:port][,host[:port]...]/master[/db]   sentinels, and the name of the master
//	redis-cluster://[user:password@]host[:port][,host[:port]...]         some nodes of a cluster
//
// rediss, rediss-sentinel and rediss-cluster are the same over TLS. User and
// password are Redis's; those of the sentinels are sentinel_username and
// sentinel_password in the query, where go-redis's own options may be too, such
// as ?pool_size=50. Errors do not show the URL: it may hold a password.
func parseRedisURL(text string) (redisTarget, error) {
	var target redisTarget
	scheme, rest, found := strings.Cut(text, "://")
	transport, kind, _ := strings.Cut(scheme, "-")
	if !found || (transport != "redis" && transport != "rediss") || (kind != "" && kind != "sentinel" && kind != "cluster") {
		return target, errors.New("write redis://host:port[/db], redis-sentinel://host:port,host:port/master or redis-cluster://host:port,host:port (rediss... for TLS)")
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	user := ""
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, authority = authority[:i+1], authority[i+1:]
	}
	hosts := strings.Split(authority, ",")
	port := "6379"
	if kind == "sentinel" {
		port = "26379"
	}
	for i, host := range hosts {
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return target, fmt.Errorf("%q is not host or host:port", host)
		}
		if u.Port() == "" {
			hosts[i] = net.JoinHostPort(u.Hostname(), port)
		}
	}
	u, err := url.Parse(transport + "://" + user + hosts[0] + tail)
	if err != nil {
		return target, plainly(err)
	}
	query := u.Query()
	for _, host := range hosts[1:] {
		query.Add("addr", host)
	}
	switch kind {
	case "":
		if len(hosts) > 1 {
			return target, errors.New("several hosts: write redis-sentinel:// or redis-cluster://")
		}
		target.single, err = redis.ParseURL(u.String())
	case "sentinel":
		target.sentinel, err = sentinelOptions(u, query)
	case "cluster":
		if strings.Trim(u.Path, "/") != "" {
			return target, errors.New("a cluster has no databases: nothing may follow its hosts")
		}
		u.RawQuery = query.Encode()
		target.cluster, err = redis.ParseClusterURL(u.String())
	}
	return target, plainly(err)
}

// sentinelOptions reads what is particular to sentinels.
func sentinelOptions(u *url.URL, query url.Values) (*redis.FailoverOptions, error) {
	master, db, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if master == "" {
		return nil, errors.New("the name of the master is missing: redis-sentinel://host:port/master")
	}
	user, password := query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	query.Set("master_name", master)
	own := u.User
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: db, RawQuery: query.Encode()}
	o, err := redis.ParseFailoverURL(plain.String())
	if err != nil {
		return nil, err
	}
	o.SentinelUsername, o.SentinelPassword = user, password
	if own != nil {
		o.Username = own.Username()
		o.Password, _ = own.Password()
	}
	return o, nil
}

// plainly takes the URL out of an error.
func plainly(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// open makes the client. Nothing is connected yet: Redis may come later.
func (t redisTarget) open() redis.UniversalClient {
	switch {
	case t.sentinel != nil:
		t.sentinel.ContextTimeoutEnabled = true
		return redis.NewFailoverClient(t.sentinel)
	case t.cluster != nil:
		t.cluster.ContextTimeoutEnabled = true
		return redis.NewClusterClient(t.cluster)
	}
	t.single.ContextTimeoutEnabled = true
	return redis.NewClient(t.single)
}

// String names the target without its password.
func (t redisTarget) String() string {
	switch {
	case t.sentinel != nil:
		return fmt.Sprintf("master %s by sentinels %s", t.sentinel.MasterName, strings.Join(t.sentinel.SentinelAddrs, ", "))
	case t.cluster != nil:
		return "cluster of " + strings.Join(t.cluster.Addrs, ", ")
	}
	return t.single.Addr
}

// redisLog passes on what go-redis says of its connections, which the cache
// tells in its own words.
type redisLog struct{ log *slog.Logger }

// Printf is go-redis's interface.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, fmt.Sprintf(format, v...))
}

// openCache makes the cache, in memory alone without --redis-url.
func (s *server) openCache() error {
	options := cache.Options{
		Logger:  s.log.With("component", "cache"),
		Metrics: cache.NewMetrics(s.registry),
	}
	if text := s.config.RedisURL; text != "" {
		target, err := parseRedisURL(text)
		if err != nil {
			return usagef("--redis-url: %v", err)
		}
		redis.SetLogger(redisLog{s.log.With("component", "redis")})
		s.redis = target.open()
		options.Redis = s.redis
		s.log.Info("the cache shares its values by Redis", "redis", target.String())
	}
	var err error
	if s.cache, err = cache.New(options); err != nil {
		s.closeRedis()
		return usagef("--redis-url: %v", err)
	}
	return nil
}

// closeRedis closes the client, if there is one.
func (s *server) closeRedis() {
	if s.redis != nil {
		_ = s.redis.Close()
	}
}

// flushCache answers POST /admin/cache/flush.
func (s *server) flushCache(w http.ResponseWriter, r *http.Request) {
	answerInvalidation(w, s.cache.Flush(r.Context()), "everything is invalidated")
}

// invalidateCache answers POST /admin/cache/invalidate?tag=.
func (s *server) invalidateCache(w http.ResponseWriter, r *http.Request) {
	tags := r.URL.Query()["tag"]
	if len(tags) == 0 {
		writeProblem(w, http.StatusBadRequest, "missing_tag", "say which: ?tag=portfolio:<wallet>; several may be given")
		return
	}
	answerInvalidation(w, s.cache.InvalidateTag(r.Context(), tags...), "invalidated: "+strings.Join(tags, ", "))
}

// answerInvalidation says whether it is done, or done here and waits for Redis.
func answerInvalidation(w http.ResponseWriter, err error, done string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s on this instance; Redis cannot be reached, the others follow once it can\n", done)
		return
	}
	fmt.Fprintln(w, done)
}
