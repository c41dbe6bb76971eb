package stream

import (
	"syscall"
	"unsafe"
)

// shortWrite is how much write hands to the kernel without telling the scheduler:
// some microseconds' work, of which the telling would be a part worth saving.
const shortWrite = 4 << 10

// write is write(2) of what is not empty, to a descriptor that does not block. Until
// a short one returns nobody else gets the goroutine's place, and the garbage
// collector waits before it stops the world; it does not for a long one.
func write(fd int, b []byte) (int, error) {
	if len(b) > shortWrite {
		return syscall.Write(fd, b)
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
