package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// listenOn takes the TCP address that a flag names, or says in one line why it
// cannot be had and what to do.
func listenOn(ctx context.Context, flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usagef("%s %q is not host:port", flag, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s: the port is in use by another program; stop that one or choose another port with %s (port 0 takes a free one)", flag, address, flag)
	}
	var wrong *net.AddrError
	var unknown *net.DNSError
	if errors.As(err, &wrong) || errors.As(err, &unknown) {
		return nil, usagef("%s %s: %v", flag, address, err)
	}
	if err != nil {
		var call *os.SyscallError
		if errors.As(err, &call) {
			err = call.Err
		}
		return nil, fmt.Errorf("%s %s: %w", flag, address, err)
	}
	return listener, nil
}
