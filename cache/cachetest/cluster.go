package cachetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// clusterSize is how many masters a cluster has.
const clusterSize = 3

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
	c := &Cluster{}
	for range clusterSize {
		c.Servers = append(c.Servers, start(t, setup{cluster: true}))
	}
	first := c.Servers[0]
	for i, s := range c.Servers {
		s.do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		s.do("CLUSTER", "ADDSLOTSRANGE", i*clusterSlots/clusterSize, (i+1)*clusterSlots/clusterSize-1)
		if i > 0 {
			s.do("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
		}
	}
	c.WaitUntilWell(t)
	return c
}

// WaitUntilWell waits until all of the cluster says that it is well.
func (c *Cluster) WaitUntilWell(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for _, s := range c.Servers {
		if err := s.waitForCluster(ctx); err != nil {
			t.Fatalf("cluster: %v", err)
		}
	}
}

// waitForCluster waits until the server knows all masters and all slots.
func (s *Server) waitForCluster(ctx context.Context) error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close()
	for {
		info, err := client.ClusterInfo(ctx).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d\r", clusterSize)) {
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
