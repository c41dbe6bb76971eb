package swarm

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// spareFiles are those that a process needs beside its connections: epoll, standard
// streams, the scraper's.
const spareFiles = 50

// limits are the machine's, as far as they bound connections.
type limits struct {
	files              uint64 // hard limit of open files of a process
	firstPort, endPort int    // ephemeral ports
}

// readLimits raises this process's soft limit of open files to the hard one, which its
// children inherit, and reads what there is.
func readLimits() (limits, error) {
	var l limits
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return l, fmt.Errorf("limit of open files: %w", err)
	}
	r.Cur = r.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return l, fmt.Errorf("limit of open files: %w", err)
	}
	l.files = r.Max
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return l, fmt.Errorf("range of ports: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return l, fmt.Errorf("range of ports: %q", text)
	}
	if l.firstPort, err = strconv.Atoi(fields[0]); err != nil {
		return l, fmt.Errorf("range of ports: %w", err)
	}
	last, err := strconv.Atoi(fields[1])
	if err != nil {
		return l, fmt.Errorf("range of ports: %w", err)
	}
	l.endPort = last + 1
	return l, nil
}

// checkLimits refuses a plan that the machine cannot hold, and says what to do.
func checkLimits(p *plan) error {
	l, err := readLimits()
	if err != nil {
		return err
	}
	return l.check(p)
}

func (l limits) check(p *plan) error {
	each := (p.Connections + p.Processes - 1) / p.Processes
	if need := uint64(each + spareFiles); need > l.files {
		processes := "no number of processes helps"
		if room := int(l.files) - spareFiles; room > 0 {
			processes = fmt.Sprintf("use --processes %d", (p.Connections+room-1)/room)
		}
		return fmt.Errorf("%d connections in one process need %d open files, and the limit is %d: %s, or raise it before the start with `ulimit -Hn %d && ulimit -n %d` (as root)",
			each, need, l.files, processes, need, need)
	}
	// A tenth stays free: for other programs, and for connections that have just ended.
	ports := (l.endPort - l.firstPort) * 9 / 10
	perPair := (p.Connections + p.sources()*len(p.Targets) - 1) / (p.sources() * len(p.Targets))
	if perPair > ports {
		more := fmt.Sprintf("use --source-addresses %d, or widen it", (p.Connections+ports*len(p.Targets)-1)/(ports*len(p.Targets)))
		if !p.Loopback {
			more = "widen it"
		}
		return fmt.Errorf("%d connections from one address to one server need as many ports, and %d to %d leaves %d: %s with `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"` (as root)",
			perPair, l.firstPort, l.endPort-1, ports, more)
	}
	return nil
}

// readUsage is what this process has taken so far.
func readUsage() usage {
	var u usage
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.CPU = float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseUint(fields[1], 10, 64) // 0 where it is no number
			u.RSS = pages * uint64(os.Getpagesize())
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u.Heap = m.HeapAlloc + m.StackInuse
	return u
}
