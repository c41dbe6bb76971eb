package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/swapcast/swapcast/stream/wire"
)

// The page of these tests is sent compressed messages, and a script that asks for
// MessagePack is sent that, compressed too.
func TestForms(t *testing.T) {
	s := newSite(t, "SOL")
	p := open(t, s, desktop())
	p.live()
	if _, ok := s.forms.Load("json+deflate"); !ok {
		t.Error("the page's messages are not compressed")
	}
	p.do("connect", chromedp.Evaluate[chromedp.Void](`
		window.packed = [];
		const socket = new WebSocket(location.origin.replace('http', 'ws') + '/ws', '`+wire.Subprotocol+`');
		socket.binaryType = 'arraybuffer';
		socket.onopen = () => socket.send(JSON.stringify({action: 'subscribe', assets: '`+s.market.mints["SOL"].String()+`', id: 'x'}));
		socket.onmessage = (e) => packed.push([socket.protocol, socket.extensions, e.data instanceof ArrayBuffer && new Uint8Array(e.data)]);
		void 0`))
	p.until("an acknowledgement and a price", `packed.length >= 2`)
	// A map of 7 or more fields; the first is "type".
	if !eval[bool](p, `packed.every(([protocol, extensions, b]) => protocol === '`+wire.Subprotocol+`' && extensions.startsWith('permessage-deflate') &&
		b && (b[0] >> 4 === 8 || b[0] === 0xde) && new TextDecoder().decode(b.slice(0, 9)).includes('type'))`) {
		t.Error(eval[string](p, `JSON.stringify(packed)`))
	}
	if _, ok := s.forms.Load("msgpack+deflate"); !ok {
		t.Error("the server does not know of MessagePack")
	}
}
