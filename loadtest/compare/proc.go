package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// cpuTime is the user and system time that a process has used. The kernel
// counts in ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	// The name may hold spaces: count fields after its closing bracket.
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("read CPU time: %d fields", len(f))
	}
	var ticks int64
	for _, i := range []int{11, 12} { // utime, stime
		v, err := strconv.ParseInt(string(f[i]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read CPU time: %w", err)
		}
		ticks += v
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// residentKB is a process's resident memory in KiB.
func residentKB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	_, after, ok := bytes.Cut(b, []byte("VmRSS:"))
	if f := bytes.Fields(after); ok && len(f) > 0 {
		return strconv.ParseInt(string(f[0]), 10, 64)
	}
	return 0, fmt.Errorf("read memory: no VmRSS")
}
