package parser

import "github.com/swapcast/swapcast"

// Meteora DLMM, liquidity in bins.
//
// Layouts from the program's IDL as @meteora-ag/dlmm 1.9.14 ships it, read
// 2026-11, and the accounts seen in mainnet transactions. Data after the
// discriminator: two u64; the price impact ones: amount u64, option of i32, u16.
//
//	swap, swap_exact_out, swap_with_price_impact: 15 accounts
//	swap2, swap_exact_out2, swap_with_price_impact2: 16, with memo
//	    0 pool, 2 reserve x, 3 reserve y, 4 user in, 5 user out, 10 user
//
// Swap, sent to itself: pool 32, from 32, start bin i32, end bin i32, amount in
// u64, amount out u64, swap for y bool, fee u64, protocol fee u64, fee bps u128,
// host fee u64. Newer programs send Swap2Evt: pool 32, from 32, start bin i32,
// end bin i32, swap for y bool, fee bps u128, amount in u64, amount left u64,
// amount out u64, market maker fee u64, protocol fee u64, limit order fee u64,
// host fee u64, fees on input bool, fees on token x bool. Amounts are the pool's,
// after a transfer fee on the way in and before one on the way out. The fee is
// within the amount in; a host's part of it may leave the pool in the same
// instruction.
//
// What moved is the truth; the event must agree (event_mismatch), and gives the
// fee. The price needs the pool's bin step, which no transaction shows: spot is
// unknown.
func meteoraDLMM() dex {
	return dex{
		name:    "meteora-dlmm",
		program: "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo",
		decode:  decodeDLMM,
		// Moving liquidity between bins may add one token and take the other.
		notSwaps: []uint64{dlmmRebalance, dlmmGoToBin},
	}
}

const (
	dlmmSwap      = 0xf8c69e91e17587c8
	dlmmSwap2     = 0x414b3f4ceb5b5b88
	dlmmOut       = 0xfa49652126cf4bb8
	dlmmOut2      = 0x2bd7f784893cf351
	dlmmImpact    = 0x38ade6d0ade49ccd
	dlmmImpact2   = 0x4a62c0d6b1334b33
	dlmmRebalance = 0x5c04b0c177b95309
	dlmmGoToBin   = 0x9248aee028fd54ae
	dlmmEvent     = 0x516ce3becdd00ac4
	dlmmEvent2    = 0x2e7452d7941b544d

	dlmmData       = 8 + 8 + 8
	dlmmImpactData = 8 + 8 + 1 + 2
	dlmmAccounts   = 15
	dlmmEventSize  = 32 + 32 + 4 + 4 + 8 + 8 + 1 + 8 + 8 + 16 + 8
	dlmmEvent2Size = 32 + 32 + 4 + 4 + 1 + 16 + 7*8 + 2
)

func decodeDLMM(c *call) (bool, reason) {
	data, accounts := dlmmData, dlmmAccounts
	switch discriminator(c.ix.Data) {
	case dlmmSwap, dlmmOut:
	case dlmmSwap2, dlmmOut2:
		accounts++
	case dlmmImpact:
		data = dlmmImpactData
	case dlmmImpact2:
		data = dlmmImpactData
		accounts++
	default:
		return false, ""
	}
	if why := c.check(data, accounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(0), vaultA: c.account(2), vaultB: c.account(3), dest: int16(c.account(5)),
	})
	if why != "" {
		return true, why
	}
	if e := c.event(dlmmEvent); len(e) >= dlmmEventSize {
		return true, dlmmAgrees(s, dlmmMoved{
			in: u64(e, 72), out: u64(e, 80), fee: u64(e, 89), host: u64(e, 121), onInput: true,
		})
	}
	if e := c.event(dlmmEvent2); len(e) >= dlmmEvent2Size {
		return true, dlmmAgrees(s, dlmmMoved{
			in: u64(e, 89), left: u64(e, 97), out: u64(e, 105), fee: u64(e, 113) + u64(e, 121) + u64(e, 129),
			host: u64(e, 137), onInput: e[145] != 0,
		})
	}
	return true, ""
}

// dlmmMoved is what either event states.
type dlmmMoved struct {
	in, left, out, fee, host uint64
	onInput                  bool
}

// dlmmAgrees holds a swap against its event and takes the fee from it. A host's
// part leaves the vault of the side that the fee was taken of, and what an
// exact-in swap left unused did not move.
func dlmmAgrees(s *swapcast.Swap, m dlmmMoved) reason {
	used := m.in - min(m.left, m.in)
	inOK := m.in == s.AmountIn || m.in == s.UserAmountIn || used == s.AmountIn || used == s.UserAmountIn ||
		used-min(m.host, used) == s.AmountIn
	outOK := m.out == s.AmountOut || m.out == s.UserAmountOut || (!m.onInput && m.out+m.host == s.AmountOut)
	if !inOK || !outOK {
		return eventMismatch
	}
	of := s.AmountIn + m.host
	if !m.onInput {
		of = s.AmountOut
	}
	setFee(s, float64(m.fee), of)
	return ""
}
