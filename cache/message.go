package cache

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// A message on the bus:
//
//	0   1   form, 1
//	1   1   kind
//	2   8   id of the instance that sent it
//	10  8   number of the beat, big-endian; 0 for other kinds
//	18      for each tag: its length as a uvarint, its bytes
const (
	messageForm   = 1
	messageHeader = 18
	idLength      = 8
)

// Kinds of messages.
const (
	messageTags = 1 // these tags were invalidated
	messageAll  = 2 // everything was
	messageBeat = 3 // the sender hears itself, and so hears all that came before
	messageBye  = 4 // the sender leaves, with nothing in its hands
)

type message struct {
	kind byte
	from string // hex
	beat uint64
	tags []string
}

// append writes the message.
func (m *message) append(b []byte) []byte {
	b = append(b, messageForm, m.kind)
	var id [idLength]byte
	_, _ = hex.Decode(id[:], []byte(m.from)) // ids are made by us
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, m.beat)
	for _, tag := range m.tags {
		b = binary.AppendUvarint(b, uint64(len(tag)))
		b = append(b, tag...)
	}
	return b
}

// errMessage says that bytes on the bus are no message.
var errMessage = errors.New("not a message of the bus")

// parseMessage reads what append wrote.
func parseMessage(raw []byte) (message, error) {
	var m message
	if len(raw) < messageHeader || raw[0] != messageForm {
		return m, fmt.Errorf("%w: %d bytes", errMessage, len(raw))
	}
	m.kind = raw[1]
	m.from = hex.EncodeToString(raw[2 : 2+idLength])
	m.beat = binary.BigEndian.Uint64(raw[10:])
	if m.kind < messageTags || m.kind > messageBye {
		return m, fmt.Errorf("%w: kind %d", errMessage, m.kind)
	}
	for rest := raw[messageHeader:]; len(rest) > 0; {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used) {
			return m, fmt.Errorf("%w: a tag of %d bytes", errMessage, n)
		}
		m.tags = append(m.tags, string(rest[used:used+int(n)])) //nolint:gosec // bounded in the line before
		rest = rest[used+int(n):]                               //nolint:gosec // the same
	}
	if m.kind != messageTags && len(m.tags) > 0 {
		return m, fmt.Errorf("%w: tags with kind %d", errMessage, m.kind)
	}
	return m, nil
}
