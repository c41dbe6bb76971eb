package swarm

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestLimits(t *testing.T) {
	machine := limits{files: 20_000, firstPort: 32_768, endPort: 61_000} // 25,408 ports, less a tenth
	one := []target{{Addr: netip.MustParseAddrPort("127.0.0.1:80")}}
	for name, c := range map[string]struct {
		connections, processes, sources, targets int
		remote                                   bool
		want                                     []string // in the error; none: it fits
	}{
		"fits":                     {connections: 19_000, processes: 1, targets: 1},
		"one too many for a file":  {connections: 19_951, processes: 1, targets: 1, want: []string{"20001 open files", "limit is 20000", "--processes 2", "ulimit -n 20001"}},
		"several processes":        {connections: 100_000, processes: 6, targets: 6},
		"one source, many":         {connections: 60_000, processes: 4, sources: 1, targets: 1, want: []string{"60000 connections from one address", "--source-addresses 3", "ip_local_port_range"}},
		"as many as that says":     {connections: 60_000, processes: 4, sources: 3, targets: 1},
		"one source, many targets": {connections: 60_000, processes: 4, sources: 1, targets: 3},
		"remote":                   {connections: 60_000, processes: 4, targets: 1, remote: true, want: []string{"widen it with `sysctl"}},
	} {
		p := &plan{Options: Options{Connections: c.connections, Processes: c.processes, Sources: c.sources}, Loopback: !c.remote}
		for range c.targets {
			p.Targets = append(p.Targets, one...)
		}
		err := machine.check(p)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(fmt.Sprint(err), part) {
				t.Errorf("%s: %v; want %q in it", name, err, part)
			}
		}
	}
	if l, err := readLimits(); err != nil || l.files == 0 || l.endPort <= l.firstPort {
		t.Errorf("this machine: %+v, %v", l, err)
	}
}

// Connections come from many loopback addresses, evenly, and never from 127.0.0.1.
func TestSources(t *testing.T) {
	p := &plan{Options: Options{Connections: 100_000}, Loopback: true}
	n := map[netip.Addr]int{}
	for i := range p.Connections {
		a := p.sourceOf(i)
		if !a.IsLoopback() || a == netip.MustParseAddr("127.0.0.1") {
			t.Fatalf("connection %d comes from %v", i, a)
		}
		n[a]++
	}
	for a, count := range n {
		if count != perSource {
			t.Errorf("%d from %v", count, a)
		}
	}
	p.Sources = 60_000
	seen := map[netip.Addr]bool{}
	for i := range p.Sources {
		seen[p.sourceOf(i)] = true
	}
	if len(seen) != p.Sources {
		t.Errorf("%d addresses of %d", len(seen), p.Sources)
	}
}
