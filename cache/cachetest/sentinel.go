package cachetest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// masterName is what the sentinels call the master.
const masterName = "cache"

// Guarded is a master and a replica, guarded by three sentinels, of which two
// must agree that the master is gone.
type Guarded struct {
	Master, Replica *Server // as they begin
	Sentinels       []*Server
}

// StartGuarded starts them and waits until every sentinel knows the replica and
// the other sentinels.
func StartGuarded(t testing.TB) *Guarded {
	t.Helper()
	const n, quorum = 3, 2
	g := &Guarded{Master: start(t, setup{})}
	g.Replica = start(t, setup{args: []string{"--replicaof", fmt.Sprint("127.0.0.1 ", g.Master.port), "--repl-diskless-sync-delay", "0"}})
	monitor := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d %[3]d\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 3000\n",
		masterName, g.Master.port, quorum)
	for range n {
		g.Sentinels = append(g.Sentinels, start(t, setup{monitor: monitor}))
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for _, s := range g.Sentinels {
		if err := s.waitForSentinel(ctx, n-1); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// waitForSentinel waits until the sentinel knows that many others and a replica
// that could take over.
func (s *Server) waitForSentinel(ctx context.Context, others int) error {
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: s.Addr})
	defer sentinel.Close()
	for {
		master, err := sentinel.Master(ctx, masterName).Result()
		if err == nil && master["num-other-sentinels"] == strconv.Itoa(others) && master["num-slaves"] == "1" {
			replicas, err := sentinel.Replicas(ctx, masterName).Result()
			if err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok" {
				return nil
			}
		}
		if !pause(ctx, clusterPoll) {
			return fmt.Errorf("the sentinel at %s does not know the others: %w %v", s.Addr, err, master)
		}
	}
}

// FailOver kills the master and waits until the sentinels name the replica.
func (g *Guarded) FailOver(ctx context.Context) (took time.Duration, err error) {
	g.Master.Stop()
	start := time.Now()
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: g.Sentinels[0].Addr})
	defer sentinel.Close()
	for {
		at, err := sentinel.GetMasterAddrByName(ctx, masterName).Result()
		if err == nil && len(at) == 2 && net.JoinHostPort(at[0], at[1]) == g.Replica.Addr {
			return time.Since(start), nil
		}
		if !pause(ctx, clusterPoll) {
			return 0, fmt.Errorf("no new master: %w %v", err, at)
		}
	}
}

// Client returns a client as the cache wants it, of whichever is the master. It
// is closed with the test.
func (g *Guarded) Client(t testing.TB) *redis.Client {
	addrs := make([]string, 0, len(g.Sentinels))
	for _, s := range g.Sentinels {
		addrs = append(addrs, s.Addr)
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: masterName, SentinelAddrs: addrs, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
