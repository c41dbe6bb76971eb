// Command bare is no server that anybody would want: one thread writes each frame
// to each socket with write(2), and drops what a full socket does not take. It
// shows what of a message's cost is the kernel's.
package main

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/compare/yardstick"
)

func main() {
	yardstick.Main(map[string]yardstick.Start{"bare": start})
}

func start(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := yardstick.NewHub[int](tokens)
	yardstick.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, fd, err := upgrade(w, r)
		if err != nil {
			return
		}
		h.Add(fd, h.Tokens(r))
		go func() {
			_, _ = io.Copy(io.Discard, c) // to its end
			h.Remove(fd)                  // before the descriptor can be another's
			_ = c.Close()
		}()
	}))
	return func(token int, p *swapcast.Price) {
		msg := h.Next(p)
		frame := append([]byte{0x81, 126, byte(len(msg) >> 8), byte(len(msg))}, msg...) // all are of 126 bytes to 64 KiB
		h.Followers(token, func(fd int) {
			if n, err := syscall.Write(fd, frame); err == nil && n < len(frame) {
				finish(fd, frame[n:])
			}
		})
	}, nil
}

// finish writes the rest of a frame that was begun, waiting for room: the stream
// would be broken otherwise.
func finish(fd int, rest []byte) {
	for len(rest) > 0 {
		n, err := syscall.Write(fd, rest)
		if err != nil && !errors.Is(err, syscall.EAGAIN) {
			return
		}
		rest = rest[max(n, 0):]
	}
}

// upgrade answers a handshake and returns the connection and its descriptor.
func upgrade(w http.ResponseWriter, r *http.Request) (net.Conn, int, error) {
	hijack, ok := w.(http.Hijacker)
	if !ok {
		return nil, 0, errors.ErrUnsupported
	}
	c, _, err := hijack.Hijack()
	if err != nil {
		return nil, 0, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, 0, errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, 0, err
	}
	fd := 0
	if err := raw.Control(func(n uintptr) { fd = int(n) }); err != nil {
		return nil, 0, err
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
		base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	return c, fd, err
}
