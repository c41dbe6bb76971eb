package stream

import (
	"bytes"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/swapcast/swapcast/stream/wire"
)

// form is how a connection is sent its messages: JSON or MessagePack, each as it
// is or compressed. A message is brought into a form when the first connection
// wants it so, once for all of them.
type form uint8

const (
	formJSON form = iota
	formPacked
	formJSONDeflated
	formPackedDeflated
	forms
)

// formOf is the form that a handshake has led to.
func formOf(subprotocol, extensions string) form {
	f := formJSON
	if strings.EqualFold(subprotocol, wire.Subprotocol) {
		f = formPacked
	}
	if extensions != "" {
		f += formJSONDeflated
	}
	return f
}

func (f form) packed() bool   { return f == formPacked || f == formPackedDeflated }
func (f form) deflated() bool { return f >= formJSONDeflated }

// plain is the form before it is compressed.
func (f form) plain() form {
	if f.deflated() {
		return f - formJSONDeflated
	}
	return f
}

// String is the form's name in metrics and logs.
func (f form) String() string {
	name := "json"
	if f.packed() {
		name = "msgpack"
	}
	if f.deflated() {
		name += "+deflate"
	}
	return name
}

// otherForms are the forms of a frame beside JSON. Each is written once, and read
// by who has gone through its gate.
type otherForms [forms - 1]struct {
	made  sync.Once
	bytes []byte
}

// in is the whole frame in a form. Any shard may call it.
func (f *frame) in(want form) []byte {
	if want == formJSON {
		return f.bytes
	}
	o := f.others.Load()
	if o == nil {
		o = new(otherForms)
		if !f.others.CompareAndSwap(nil, o) {
			o = f.others.Load()
		}
	}
	other := &o[want-1]
	other.made.Do(func() { other.bytes = f.make(want) })
	return other.bytes
}

// make brings a frame into a form.
func (f *frame) make(want form) []byte {
	if want == formPacked {
		b := make([]byte, maxHeader, maxHeader+len(f.bytes))
		b = wire.AppendMsgpack(b, f.payload())
		return b[putHeader(b, maxHeader, finBinary):]
	}
	plain := f.in(want.plain())
	payload := plain[headerLen(plain):]
	b := deflate(make([]byte, maxHeader, maxHeader+len(payload)), payload)
	if len(b)-maxHeader >= len(payload) {
		return plain // a message may go uncompressed: RFC 7692, section 6
	}
	return b[putHeader(b, maxHeader, plain[0]|rsv1):]
}

// headerLen is the length of the header of a frame of ours.
func headerLen(b []byte) int {
	switch b[1] {
	case 126:
		return 4
	case 127:
		return 10
	default:
		return 2
	}
}

// deflateTail is the empty block that ends a flushed message, and that RFC 7692,
// section 7.2.1, has the sender leave away.
const deflateTail = "\x00\x00\xff\xff"

// deflate appends data compressed as one message that needs none before it, which
// is what lets everybody share it.
func deflate(dst, data []byte) []byte {
	w := appender{dst}
	// An appender never fails, and neither does this.
	_ = flate.StatelessDeflate(&w, data, false, nil)
	return bytes.TrimSuffix(w.b, []byte(deflateTail))
}

// appender is an io.Writer that appends.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
