package main

import (
	"strconv"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/swapcast/swapcast"
)

// The lines of `swapcast parse`, in the order of fields that the contract
// shows. Every text in them is a key, a signature, a name or a code of ours, so
// none needs escaping. Amounts are texts: JSON numbers lose digits above 2^53.

func appendSwapLine(b []byte, s *swapcast.Swap) []byte {
	b = append(b, `{"kind":"swap","signature":"`...)
	b = base58.AppendEncode64(b, (*[64]byte)(&s.Signature))
	b = appendUint(append(b, `","slot":`...), s.Slot)
	b = strconv.AppendInt(append(b, `,"index":`...), int64(s.Index), 10)
	b = appendPath(b, s.Path)
	b = append(append(b, `,"dex":"`...), s.DEX...)
	b = appendKey(b, `","program":"`, &s.Program)
	b = appendKey(b, `","pool":"`, &s.Pool)
	b = appendKey(b, `","trader":"`, &s.Trader)
	b = appendKey(b, `","mintIn":"`, &s.MintIn)
	b = appendUint(append(b, `","amountIn":"`...), s.AmountIn)
	b = appendUint(append(b, `","decimalsIn":`...), uint64(s.DecimalsIn))
	b = appendKey(b, `,"mintOut":"`, &s.MintOut)
	b = appendUint(append(b, `","amountOut":"`...), s.AmountOut)
	b = appendUint(append(b, `","decimalsOut":`...), uint64(s.DecimalsOut))
	if s.UserAmountIn != s.AmountIn {
		b = append(appendUint(append(b, `,"userAmountIn":"`...), s.UserAmountIn), '"')
	}
	if s.UserAmountOut != s.AmountOut {
		b = append(appendUint(append(b, `,"userAmountOut":"`...), s.UserAmountOut), '"')
	}
	if s.ReservesKnown {
		b = appendUint(append(b, `,"reserveIn":"`...), s.ReserveIn)
		b = appendUint(append(b, `","reserveOut":"`...), s.ReserveOut)
		b = append(b, '"')
	}
	return append(b, "}\n"...)
}

func appendBalanceLine(b []byte, c *swapcast.BalanceChange) []byte {
	b = append(b, `{"kind":"balance","signature":"`...)
	b = base58.AppendEncode64(b, (*[64]byte)(&c.Signature))
	b = appendUint(append(b, `","slot":`...), c.Slot)
	b = strconv.AppendInt(append(b, `,"index":`...), int64(c.Index), 10)
	b = appendKey(b, `,"owner":"`, &c.Owner)
	b = appendKey(b, `","mint":"`, &c.Mint)
	b = appendUint(append(b, `","pre":"`...), c.Pre)
	b = appendUint(append(b, `","post":"`...), c.Post)
	b = appendUint(append(b, `","decimals":`...), uint64(c.Decimals))
	if c.Native { // lamports of an account, not wrapped SOL of an owner
		b = append(b, `,"native":true`...)
	}
	return append(b, "}\n"...)
}

func appendUnparsedLine(b []byte, u *swapcast.Unparsed) []byte {
	b = append(b, `{"kind":"unparsed","signature":"`...)
	b = base58.AppendEncode64(b, (*[64]byte)(&u.Signature))
	b = appendUint(append(b, `","slot":`...), u.Slot)
	b = append(append(b, `,"dex":"`...), u.DEX...)
	b = append(b, '"')
	b = appendPath(b, u.Path)
	b = append(append(b, `,"reason":"`...), u.Reason...)
	return append(b, "\"}\n"...)
}

// appendPath writes [outer] or [outer,inner].
func appendPath(b []byte, p swapcast.Path) []byte {
	b = strconv.AppendInt(append(b, `,"path":[`...), int64(p.Outer), 10)
	if p.Inner >= 0 {
		b = strconv.AppendInt(append(b, ','), int64(p.Inner), 10)
	}
	return append(b, ']')
}

func appendKey(b []byte, name string, k *solana.PublicKey) []byte {
	return base58.AppendEncode32(append(b, name...), (*[32]byte)(k))
}

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }
