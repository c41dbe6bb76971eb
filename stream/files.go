package stream

import (
	"context"
	"net"
	"net/http"
	"syscall"
)

// OpenFiles is how many files the process may have open, sockets among them.
// known is false where the system does not say.
func OpenFiles() (soft, hard int, known bool) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0, 0, false
	}
	return clampFiles(uint64(l.Cur)), clampFiles(uint64(l.Max)), true
}

// RaiseOpenFiles raises the soft limit to the hard one, as far as the system
// allows. Go does the same when it starts, but leaves it where something else has
// lowered it.
func RaiseOpenFiles() error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur >= l.Max {
		return nil
	}
	l.Cur = l.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}

// unlimitedFiles stands for no limit: more than any machine holds.
const unlimitedFiles = 1 << 30

func clampFiles(n uint64) int { return int(min(n, unlimitedFiles)) }

// SpareFiles is how many of the files that may be open are kept from clients, for
// all else that the process opens: a fortieth, at most 1,000. That leaves 19,500 of 20,000,
// the 19,000 connections of the default limit among them.
func SpareFiles(most int) int { return min(max(most/40, 8), 1000) }

// newcomersFiles is the default of Limits.OpenFiles.
func newcomersFiles() int {
	soft, _, known := OpenFiles()
	if !known {
		return unlimited
	}
	return soft - SpareFiles(soft)
}

// descriptorKey finds the number of a connection's descriptor in the context of
// its requests.
type descriptorKey struct{}

// noteDescriptor puts it there. It is an http.Server's ConnContext.
func noteDescriptor(ctx context.Context, c net.Conn) context.Context {
	if tls, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = tls.NetConn()
	}
	if sc, ok := c.(syscall.Conn); ok {
		if n, ok := descriptor(sc); ok {
			return context.WithValue(ctx, descriptorKey{}, n)
		}
	}
	return ctx
}

// descriptor is the number that the system knows a connection by.
func descriptor(c syscall.Conn) (n int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err == nil
}

// fewFiles reports whether the process has nearly as many files open as it may.
// The system gives a new connection the lowest number that is free, so that its
// number tells, at no cost, how many are open at least.
func (s *Server) fewFiles(r *http.Request) bool {
	n, ok := r.Context().Value(descriptorKey{}).(int)
	return ok && n >= s.opts.Limits.OpenFiles
}
