package wire

import (
	"strconv"

	"github.com/swapcast/swapcast"
)

// AssetError says why one asset, or one wallet, of a list was refused.
type AssetError struct {
	AssetID string // as sent
	Code    Code
	Wallet  bool // AssetID was to be a wallet, and is sent back as one
}

// Position is the last seq of an asset, or a wallet, before what follows.
type Position struct {
	ID  string // as the acknowledgement names it
	Seq uint64
}

// Subscribed acknowledges a subscription.
type Subscribed struct {
	ID         ID
	Channel    string
	Interval   string // of candles, else empty
	Commitment swapcast.Commitment
	Assets     []string // those that are subscribed now, in the order asked for
	Wallets    []string // the same, of balances
	Epoch      string
	Recovered  bool
	// Seqs are written where the channel's first message may be long in coming:
	// of trades, candles and balances.
	Seqs   []Position
	Errors []AssetError
}

// AppendSubscribed appends the acknowledgement of a subscription.
func AppendSubscribed(dst []byte, s *Subscribed) []byte {
	dst = append(dst, `{"type":"subscribed","id":`...)
	dst = append(dst, s.ID...)
	dst = append(dst, `,"channel":`...)
	dst = appendString(dst, s.Channel)
	dst = appendInterval(dst, s.Interval)
	dst = appendCommitment(dst, s.Commitment)
	dst = append(dst, `,"assets":`...)
	dst = appendList(dst, s.Assets)
	if len(s.Wallets) > 0 {
		dst = append(dst, `,"wallets":`...)
		dst = appendList(dst, s.Wallets)
	}
	dst = append(dst, `,"epoch":`...)
	dst = appendString(dst, s.Epoch)
	dst = append(dst, `,"recovered":`...)
	dst = strconv.AppendBool(dst, s.Recovered)
	if len(s.Seqs) > 0 {
		dst = append(dst, `,"seqs":{`...)
		for i, p := range s.Seqs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, p.ID)
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, p.Seq, 10)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `,"errors":[`...)
	for i, e := range s.Errors {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendNamed(dst, e.AssetID, e.Wallet)
		dst = append(dst, `,"code":`...)
		dst = appendString(dst, string(e.Code))
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// appendNamed says which asset or wallet something is about.
func appendNamed(dst []byte, id string, wallet bool) []byte {
	if wallet {
		dst = append(dst, `"wallet":`...)
	} else {
		dst = append(dst, `"assetId":`...)
	}
	return appendString(dst, id)
}

func appendList(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, v)
	}
	return append(dst, ']')
}

// AppendUnsubscribed appends the acknowledgement of an unsubscription.
func AppendUnsubscribed(dst []byte, id ID) []byte {
	dst = append(dst, `{"type":"unsubscribed","id":`...)
	dst = append(dst, id...)
	return append(dst, '}')
}

// AppendPong appends the answer to a ping; id may be empty.
func AppendPong(dst []byte, id ID) []byte {
	dst = append(dst, `{"type":"pong"`...)
	dst = appendID(dst, id)
	return append(dst, '}')
}

// Error is the refusal of a request, or of one asset or wallet of it.
type Error struct {
	ID      ID // empty where the request had none, or could not be read
	Code    Code
	Message string
	AssetID string // as sent; empty where the whole request is refused
	Wallet  bool   // AssetID was to be a wallet, and is sent back as one
}

// AppendError appends an error message.
func AppendError(dst []byte, e *Error) []byte {
	dst = append(dst, `{"type":"error"`...)
	dst = appendID(dst, e.ID)
	dst = append(dst, `,"code":`...)
	dst = appendString(dst, string(e.Code))
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Message)
	if e.AssetID != "" {
		dst = append(dst, ',')
		dst = appendNamed(dst, e.AssetID, e.Wallet)
	}
	return append(dst, '}')
}
