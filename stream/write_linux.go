package stream

import (
	"syscall"
	"unsafe"
)

// write is write(2) of what is not empty, to a descriptor that does not block. The
// scheduler is not told of it: it would make ready to hand the goroutine's place to
// another one, which for a call of some microseconds is more than it is worth.
func write(fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
