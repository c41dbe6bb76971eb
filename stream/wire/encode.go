package wire

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Meta is what the server knows of an update beside its content.
type Meta struct {
	Seq      uint64 // of the asset in its channel, from 1; 0 before the first update
	TS       int64  // Unix milliseconds when the server published it
	Feed     swapcast.Feed
	Snapshot bool // prices, candles and balances: the last known one, not a new one
}

// AppendPrice appends a price message. What is not known is null (numbers) or
// empty (text), never 0 or a guess.
func AppendPrice(dst []byte, p *swapcast.Price, m Meta) []byte {
	dst = append(dst, `{"type":"price","assetId":"`...)
	dst = AppendBase58(dst, p.Mint[:])
	dst = append(dst, `","price":`...)
	dst = appendKnown(dst, p.USD, p.Known && p.USD > 0)
	dst = append(dst, `,"priceSol":`...)
	dst = appendKnown(dst, p.SOL, p.SOLKnown && p.SOL > 0)
	dst = append(dst, `,"confidence":`...)
	dst = appendFloat(dst, p.Confidence)
	dst = append(dst, `,"liquidityUsd":`...)
	dst = appendFloat(dst, p.LiquidityUSD)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, p.DEX)
	dst = append(dst, `,"pool":`...)
	dst = appendKey(dst, p.Pool)
	dst = append(dst, `,"slot":`...)
	dst = strconv.AppendUint(dst, p.Slot, 10)
	dst = append(dst, `,"commitment":`...)
	dst = appendString(dst, p.Commitment.String())
	dst = append(dst, `,"signature":`...)
	dst = appendSignature(dst, p.Signature)
	dst = append(dst, `,"blockTime":`...)
	dst = strconv.AppendInt(dst, p.BlockTime, 10)
	dst = appendMeta(dst, m)
	if m.Snapshot {
		dst = append(dst, snapshotField...)
	}
	if p.Corrects != 0 {
		dst = append(dst, `,"corrects":`...)
		dst = strconv.AppendUint(dst, p.Corrects, 10)
	}
	return append(dst, '}')
}

// AppendCandle appends a candle message.
func AppendCandle(dst []byte, c *swapcast.Candle, m Meta) []byte {
	dst = append(dst, `{"type":"candle","assetId":"`...)
	dst = AppendBase58(dst, c.Mint[:])
	dst = append(dst, `","interval":`...)
	dst = appendString(dst, c.Interval.String())
	dst = append(dst, `,"t":`...)
	dst = strconv.AppendInt(dst, c.Start, 10)
	dst = append(dst, `,"o":`...)
	dst = appendFloat(dst, c.Open)
	dst = append(dst, `,"h":`...)
	dst = appendFloat(dst, c.High)
	dst = append(dst, `,"l":`...)
	dst = appendFloat(dst, c.Low)
	dst = append(dst, `,"c":`...)
	dst = appendFloat(dst, c.Close)
	dst = append(dst, `,"volumeUsd":`...)
	dst = appendFloat(dst, c.VolumeUSD)
	dst = append(dst, `,"trades":`...)
	dst = strconv.AppendUint(dst, c.Trades, 10)
	dst = append(dst, `,"final":`...)
	dst = strconv.AppendBool(dst, c.Final)
	dst = appendCommitment(dst, c.Commitment)
	dst = appendMeta(dst, m)
	if m.Snapshot {
		dst = append(dst, snapshotField...)
	}
	return append(dst, '}')
}

// AppendAsSnapshot appends a message that AppendPrice, AppendCandle or AppendStatus
// made, now marked as a snapshot as of seq, which is its own or a later one; a status
// has none.
func AppendAsSnapshot(dst, message []byte, seq uint64) []byte {
	message = bytes.TrimSuffix(message[:len(message)-1], []byte(snapshotField))
	// In a text quotes are escaped, so that none can look like the field.
	before, after, numbered := bytes.Cut(message, []byte(seqField))
	dst = append(dst, before...)
	if numbered {
		dst = append(dst, seqField...)
		dst = strconv.AppendUint(dst, seq, 10)
		dst = append(dst, bytes.TrimLeft(after, "0123456789")...)
	}
	dst = append(dst, snapshotField...)
	return append(dst, '}')
}

const (
	seqField      = `,"seq":`
	snapshotField = `,"snapshot":true`
)

// AppendTrade appends a trade message. Amount is a decimal string of raw
// units, so that no reader rounds it.
func AppendTrade(dst []byte, t *swapcast.Trade, m Meta) []byte {
	dst = append(dst, `{"type":"trade","assetId":"`...)
	dst = AppendBase58(dst, t.Mint[:])
	dst = append(dst, `","side":`...)
	dst = appendString(dst, t.Side.String())
	dst = append(dst, `,"price":`...)
	dst = appendKnown(dst, t.USD, t.Known && t.USD > 0)
	dst = append(dst, `,"amount":"`...)
	dst = strconv.AppendUint(dst, t.Amount, 10)
	dst = append(dst, `","decimals":`...)
	dst = strconv.AppendUint(dst, uint64(t.Decimals), 10)
	dst = append(dst, `,"amountUsd":`...)
	dst = appendKnown(dst, t.AmountUSD, t.Known)
	dst = append(dst, `,"trader":`...)
	dst = appendKey(dst, t.Trader)
	dst = append(dst, `,"source":`...)
	dst = appendString(dst, t.DEX)
	dst = append(dst, `,"pool":`...)
	dst = appendKey(dst, t.Pool)
	dst = append(dst, `,"slot":`...)
	dst = strconv.AppendUint(dst, t.Slot, 10)
	dst = append(dst, `,"signature":`...)
	dst = appendSignature(dst, t.Signature)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, int64(t.Index), 10)
	dst = append(dst, `,"blockTime":`...)
	dst = strconv.AppendInt(dst, t.BlockTime, 10)
	dst = appendCommitment(dst, t.Commitment)
	dst = appendMeta(dst, m)
	return append(dst, '}')
}

// appendCommitment names a commitment that is not the one meant where none is
// named. (A price names it always.)
func appendCommitment(dst []byte, c swapcast.Commitment) []byte {
	if c == swapcast.Processed {
		return dst
	}
	dst = append(dst, `,"commitment":`...)
	return appendString(dst, c.String())
}

func appendMeta(dst []byte, m Meta) []byte {
	dst = append(dst, seqField...)
	dst = strconv.AppendUint(dst, m.Seq, 10)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, m.TS, 10)
	if m.Feed != swapcast.FeedLive {
		dst = append(dst, `,"feed":`...)
		dst = appendString(dst, string(m.Feed))
	}
	return dst
}

// AppendReconnectHint appends the reason of a GoingAway close frame: how long
// the client should wait before it connects again, in milliseconds, drawn for
// each client so that they do not all return at once.
func AppendReconnectHint(dst []byte, ms int64) []byte {
	dst = append(dst, `{"reconnectMs":`...)
	dst = strconv.AppendInt(dst, ms, 10)
	return append(dst, '}')
}

// AppendRetry appends what tells a reader of server-sent events the same, out of
// the hint that a WebSocket would be given.
func AppendRetry(dst []byte, hint string) []byte {
	dst = append(dst, "retry: "...)
	dst = append(dst, strings.TrimSuffix(strings.TrimPrefix(hint, `{"reconnectMs":`), "}")...)
	return append(dst, "\n\n"...)
}

func appendID(dst []byte, id ID) []byte {
	if id == "" {
		return dst
	}
	dst = append(dst, `,"id":`...)
	return append(dst, id...)
}

func appendInterval(dst []byte, name string) []byte {
	if name == "" {
		return dst
	}
	dst = append(dst, `,"interval":`...)
	return appendString(dst, name)
}

func appendKnown(dst []byte, f float64, known bool) []byte {
	if !known {
		return append(dst, "null"...)
	}
	return appendFloat(dst, f)
}

// appendFloat writes the shortest text that reads back as the same number, in
// the form that encoding/json uses: no exponent between 1e-6 and 1e21.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

func appendKey(dst []byte, k solana.PublicKey) []byte {
	dst = append(dst, '"')
	if !k.IsZero() {
		dst = AppendBase58(dst, k[:])
	}
	return append(dst, '"')
}

func appendSignature(dst []byte, s solana.Signature) []byte {
	dst = append(dst, '"')
	if !s.IsZero() {
		dst = AppendBase58(dst, s[:])
	}
	return append(dst, '"')
}

const hex = "0123456789abcdef"

// appendString quotes text of any content: what is no UTF-8 becomes U+FFFD,
// and line separators are escaped so that the text is safe within a script.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= 0x20 && b != '"' && b != '\\' && b != '<' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || r == '\u2028' || r == '\u2029' {
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}
