package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// kind is what a message holds. Its byte is the message's first.
type kind byte

const (
	kindPrice   kind = 'p' // JSON as clients see it
	kindTrade   kind = 't' // the same; a trade or a retract
	kindCandle  kind = 'c' // a swapcast.Candle as JSON: each edge numbers it itself
	kindBalance kind = 'b' // a swapcast.Balance as JSON, likewise
	kindClock   kind = 'k' // the chain's time, Unix seconds
	kindGap     kind = 'g' // a swapcast.Gap as JSON
)

// message is what goes over Redis: one line of text, so that redis-cli shows it,
//
//	KIND COMMITMENT SEQ RECEIVED_AT BODY
//
// with the numbers in decimal, and the body up to the end.
type message struct {
	kind       kind
	commitment swapcast.Commitment
	seq        uint64 // of prices, trades and gaps
	receivedAt int64  // Unix nanoseconds, of the transaction; 0 unknown
	body       []byte
}

func (m *message) append(dst []byte) []byte {
	dst = append(dst, byte(m.kind), ' ', '0'+byte(m.commitment), ' ')
	dst = strconv.AppendUint(dst, m.seq, 10)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, m.receivedAt, 10)
	dst = append(dst, ' ')
	return append(dst, m.body...)
}

var errMessage = errors.New("not a message of the relay")

// parseMessage reads what append wrote. Body points into data. A kind that it does
// not know is no error: a newer ingest may send more.
func parseMessage(data []byte) (message, error) {
	if len(data) < 8 || data[1] != ' ' || data[3] != ' ' {
		return message{}, errMessage
	}
	m := message{kind: kind(data[0]), commitment: swapcast.Commitment(data[2] - '0')}
	if m.commitment > swapcast.Confirmed {
		return message{}, fmt.Errorf("%w: commitment %q", errMessage, data[2])
	}
	seq, rest, ok := bytes.Cut(data[4:], []byte{' '})
	received, body, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok || !ok2 {
		return message{}, errMessage
	}
	var err error
	if m.seq, err = strconv.ParseUint(string(seq), 10, 64); err != nil {
		return message{}, fmt.Errorf("%w: seq: %w", errMessage, err)
	}
	if m.receivedAt, err = strconv.ParseInt(string(received), 10, 64); err != nil {
		return message{}, fmt.Errorf("%w: time: %w", errMessage, err)
	}
	m.body = body
	if (m.kind == kindPrice || m.kind == kindTrade) && !json.Valid(body) { // it goes to clients as it is
		return message{}, fmt.Errorf("%w: the body is no JSON", errMessage)
	}
	return m, nil
}

// Buckets is into how many parts mints and wallets are split: those of one share a
// hash slot, so that a part is one connection, one order and one Redis node.
const Buckets = 32

// names makes the keys and channels of one fleet.
type names struct{ prefix string }

// id is what the channel, state and log of something are named by, mints and
// wallets of a commitment each: "m0:" and base58.
type id string

func mintID(mint solana.PublicKey, c swapcast.Commitment) id {
	return id("m" + strconv.Itoa(int(c)) + ":" + mint.String())
}

func walletID(owner solana.PublicKey, c swapcast.Commitment) id {
	return id("w" + strconv.Itoa(int(c)) + ":" + owner.String())
}

// bucket is that of a mint or wallet, whatever the commitment.
func bucket(key solana.PublicKey) int {
	h := fnv.New32a()
	_, _ = h.Write(key[:])
	return int(h.Sum32() % Buckets)
}

// channel is where updates are published. State and log are keys: the newest
// price and the numbers, and the last trades.
func (n names) channel(bucket int, x id) string {
	return "{" + n.prefix + ":" + strconv.Itoa(bucket) + "}:" + string(x)
}

func stateKey(channel string) string { return channel + ":state" }
func logKey(channel string) string   { return channel + ":trades" }

// Of the whole fleet, all in one hash slot.
func (n names) fleet(what string) string { return "{" + n.prefix + "}:" + what }
