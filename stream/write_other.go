//go:build !linux

package stream

import "syscall"

func write(fd int, b []byte) (int, error) { return syscall.Write(fd, b) }
