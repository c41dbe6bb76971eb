package cachetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// clusterSlots is how many hash slots a cluster has.
const clusterSlots = 16384

// clusterPoll is how often its state is asked for.
const clusterPoll = 20 * time.Millisecond

// Cluster is three masters without replicas.
type Cluster struct {
	Servers []*Server
}

// StartCluster starts a cluster and waits until all of it says that it is well.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	const n = 3
	c := &Cluster{}
	for range n {
		c.Servers = append(c.Servers, start(t, setup{cluster: true}))
	}
	first := c.Servers[0]
	for i, s := range c.Servers {
		s.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		s.do("CLUSTER", "ADDSLOTSRANGE", i*clusterSlots/n, (i+1)*clusterSlots/n-1)
		if i > 0 {
			s.do("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for _, s := range c.Servers {
		if err := s.waitForCluster(ctx, n); err != nil {
			t.Fatalf("cluster: %v", err)
		}
	}
	return c
}

// waitForCluster waits until the server knows all n masters and all slots.
func (s *Server) waitForCluster(ctx context.Context, n int) error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close()
	for {
		info, err := client.ClusterInfo(ctx).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d\r", n)) {
			return nil
		}
		if !pause(ctx, clusterPoll) {
			return fmt.Errorf("%s is not well: %w %s", s.Addr, err, info)
		}
	}
}

// Addrs are the addresses of the servers.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, 0, len(c.Servers))
	for _, s := range c.Servers {
		addrs = append(addrs, s.Addr)
	}
	return addrs
}

// Client returns a client as the cache wants it. It is closed with the test.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
