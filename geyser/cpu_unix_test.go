//go:build unix

package geyser_test

import (
	"syscall"
	"time"
)

// cpuTime is what the process has computed so far; on a shared machine it says
// more than the time that passed.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
