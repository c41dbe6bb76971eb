package stream

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/swapcast/swapcast/stream/wire"
)

// rawClient speaks RFC 6455 on its own, by the letter, and is strict: it
// shares no code with the server or with coder/websocket.
type rawClient struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
	// closed is set by a close frame: not one byte may follow it.
	closed bool
}

// rawFrame is one frame from the server.
type rawFrame struct {
	op      byte
	payload []byte
}

// dialRaw connects. receive is the size of the kernel's receive buffer, 0 as
// the kernel likes: a small one lets the server feel soon that nobody reads.
func (r *rig) dialRaw(query string, receive int) *rawClient {
	r.t.Helper()
	c, err := dialRaw(r.http.URL, query, receive)
	if err != nil {
		r.t.Fatal(err)
	}
	c.t = r.t
	r.t.Cleanup(func() { c.Conn.Close() })
	return c
}

func dialRaw(base, query string, receive int) (*rawClient, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: timeLimit}
	if receive > 0 {
		d.Control = receiveBuffer(receive)
	}
	nc, err := d.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	c := &rawClient{Conn: nc, br: bufio.NewReaderSize(nc, 4096)}
	if err := c.handshake(u.Host, query); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (c *rawClient) handshake(host, query string) error {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	if err := c.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.Conn, "GET /ws?%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
		query, host, key); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]) ||
		resp.Header.Get("Sec-WebSocket-Extensions") != "" {
		return fmt.Errorf("handshake: %s %v", resp.Status, resp.Header)
	}
	return c.SetDeadline(time.Time{})
}

func newRawClient(t testing.TB, nc net.Conn) *rawClient {
	return &rawClient{Conn: nc, t: t, br: bufio.NewReaderSize(nc, 4096)}
}

// sendFrame sends one masked frame, whole.
func (c *rawClient) sendFrame(op byte, payload []byte) error {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, p := range payload {
		b = append(b, p^mask[i%4])
	}
	_, err := c.Conn.Write(b)
	return err
}

func (c *rawClient) sendText(format string, args ...any) {
	c.t.Helper()
	if err := c.sendFrame(1, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatal(err)
	}
}

var errNotWhole = errors.New("the stream ends within a frame")

// frame reads one frame and holds it to the letter of the protocol and to what
// the contract says a text frame holds.
func (c *rawClient) frame() (rawFrame, error) {
	var h [2]byte
	if n, err := io.ReadFull(c.br, h[:]); err != nil {
		if n > 0 {
			return rawFrame{}, errNotWhole
		}
		return rawFrame{}, err
	}
	if c.closed {
		return rawFrame{}, errors.New("bytes after a close frame")
	}
	f := rawFrame{op: h[0] & 0x0f}
	n := uint64(h[1] & 0x7f)
	switch {
	case h[0]&0x80 == 0:
		return f, errors.New("a fragment")
	case h[0]&0x70 != 0:
		return f, errors.New("reserved bits")
	case h[1]&0x80 != 0:
		return f, errors.New("a masked frame from the server")
	case f.op != 1 && f.op != 8 && f.op != 9 && f.op != 10:
		return f, fmt.Errorf("opcode %d", f.op)
	case f.op >= 8 && n > 125:
		return f, errors.New("a control frame that is too long")
	}
	if n >= 126 {
		ext := make([]byte, 2+6*(n-126))
		if _, err := io.ReadFull(c.br, ext); err != nil {
			return f, errNotWhole
		}
		least := uint64(126)
		if n == 127 {
			least = 1 << 16
			n = binary.BigEndian.Uint64(ext)
		} else {
			n = uint64(binary.BigEndian.Uint16(ext))
		}
		if n < least {
			return f, errors.New("a length that is not the shortest")
		}
	}
	f.payload = make([]byte, n)
	if _, err := io.ReadFull(c.br, f.payload); err != nil {
		return f, fmt.Errorf("%w: %w", errNotWhole, err)
	}
	switch {
	case f.op == 1 && (!utf8.Valid(f.payload) || !json.Valid(f.payload)):
		return f, fmt.Errorf("not JSON: %q", f.payload)
	case f.op == 8:
		c.closed = true
	}
	return f, nil
}

// closeCode is the code of a close frame.
func (f rawFrame) closeCode() wire.CloseCode {
	if f.op != 8 || len(f.payload) < 2 {
		return 0
	}
	return wire.CloseCode(binary.BigEndian.Uint16(f.payload))
}

// expect reads frames until one of op, within the time limit.
func (c *rawClient) expect(op byte) rawFrame {
	c.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(timeLimit)); err != nil {
		c.t.Fatal(err)
	}
	for {
		f, err := c.frame()
		if err != nil {
			c.t.Fatalf("waiting for a frame of opcode %d: %v", op, err)
		}
		if f.op == op {
			return f
		}
	}
}

// expectEnd reads on to the end of the stream: nothing may follow a close
// frame, and no frame may be cut.
func (c *rawClient) expectEnd() {
	c.t.Helper()
	for {
		if _, err := c.frame(); err != nil {
			if !errors.Is(err, io.EOF) {
				c.t.Errorf("end of the stream: %v", err)
			}
			return
		}
	}
}

// message decodes a text frame.
func (f rawFrame) message(t testing.TB) message {
	t.Helper()
	var m message
	if err := json.Unmarshal(f.payload, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// messages decodes a text frame that may be a batch.
func (f rawFrame) messages(t testing.TB) []message {
	t.Helper()
	if f.payload[0] != '[' {
		return []message{f.message(t)}
	}
	var batch []message
	if err := json.Unmarshal(f.payload, &batch); err != nil {
		t.Fatal(err)
	}
	return batch
}
