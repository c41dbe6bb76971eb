package parser

import (
	"math"

	"github.com/swapcast/swapcast"
)

// transfer is one token transfer. Accounts are positions in the transaction's
// keys, which name each account once.
type transfer struct {
	from, to, by uint8
	mint         int16 // position of the mint, -1 where the instruction names none
	decimals     uint8 // valid where mint is named
	fee          feeKind
	amount       uint64 // what left the source
	withheld     uint64 // of that, the fee kept back, where the instruction states it
}

// feeKind says what is known of a Token-2022 transfer fee.
type feeKind uint8

const (
	feeNone   feeKind = iota // SPL Token: there are none
	feeStated                // TransferCheckedWithFee says it
	feeHidden                // Token-2022 may have withheld one without saying so
)

// Token instructions of SPL Token and Token-2022 alike (spl-token's
// TokenInstruction, read 2026-11): the first byte, then the amount.
const (
	tokenTransfer        = 3  // source, destination, authority
	tokenTransferChecked = 12 // source, mint, destination, authority; amount, decimals
	tokenFeeExtension    = 26 // second byte 1: TransferCheckedWithFee; amount, decimals, fee
	tokenWithFee         = 1
)

// tokenMove reads a token transfer; ok is false for everything else.
func tokenMove(ix *swapcast.Instruction, k kind, keys int) (t transfer, ok bool) {
	d, a := ix.Data, ix.Accounts
	if len(d) < 9 {
		return t, false
	}
	if k == kindToken2022 {
		t.fee = feeHidden
	}
	switch {
	case d[0] == tokenTransfer && len(a) >= 3:
		t.from, t.to, t.by, t.mint = a[0], a[1], a[2], -1
		t.amount = u64(d, 1)
	case d[0] == tokenTransferChecked && len(a) >= 4 && len(d) >= 10:
		t.from, t.mint, t.to, t.by = a[0], int16(a[1]), a[2], a[3]
		t.amount, t.decimals = u64(d, 1), d[9]
	case d[0] == tokenFeeExtension && d[1] == tokenWithFee && k == kindToken2022 && len(a) >= 4 && len(d) >= 19:
		t.from, t.mint, t.to, t.by = a[0], int16(a[1]), a[2], a[3]
		t.amount, t.decimals, t.withheld = u64(d, 2), d[10], u64(d, 11)
		t.fee = feeStated
		if t.withheld > t.amount {
			return t, false // the token program refuses this
		}
	default:
		return t, false
	}
	if int(t.from) >= keys || int(t.to) >= keys || int(t.by) >= keys || int(t.mint) >= keys {
		return t, false
	}
	return t, true
}

// System program instructions (system_instruction.rs, read 2026-11): a 32-bit
// number, then the lamports.
const systemTransfer = 2 // from, to

// lamportMove reads a system transfer as a transfer without a mint.
func lamportMove(ix *swapcast.Instruction, keys int) (t transfer, ok bool) {
	d, a := ix.Data, ix.Accounts
	if len(d) < 12 || len(a) < 2 || d[0] != systemTransfer || d[1]|d[2]|d[3] != 0 {
		return t, false
	}
	t.from, t.to, t.by, t.mint, t.amount = a[0], a[1], a[0], -1, u64(d, 4)
	return t, int(t.from) < keys && int(t.to) < keys
}

// received is what the destination got: the amount less a Token-2022 transfer
// fee. Where the instruction does not state the fee it is what the balances
// lack after all transfers of the transaction; ok is false where several
// transfers share one shortfall and no rate explains it.
func (p *Parser) received(t *transfer) (amount uint64, ok bool) {
	switch t.fee {
	case feeNone:
		return t.amount, true
	case feeStated:
		return t.amount - t.withheld, true
	}
	pre, post, known := p.rows.balance(p.tx, t.to)
	if !known {
		return t.amount, true // made and closed within: no row to hold against
	}
	// Wrapping arithmetic: only the difference counts, and it is checked below.
	var in, short uint64
	inbound := 0
	for i := range p.tx.Instructions {
		ix := &p.tx.Instructions[i]
		if p.kindOf(ix) != kindToken2022 {
			continue
		}
		m, is := tokenMove(ix, kindToken2022, p.keys)
		if !is || m.from == m.to {
			continue
		}
		if m.from == t.to {
			short -= m.amount
		}
		if m.to != t.to {
			continue
		}
		short += m.amount - m.withheld
		if m.fee == feeHidden {
			in += m.amount
			inbound++
		}
	}
	short -= post - pre
	switch {
	case short == 0 || short > in: // exact, or something else filled the account
		return t.amount, true
	case inbound == 1:
		return t.amount - short, true
	}
	return p.shareOfFee(t, in, short, uint64(inbound))
}

// maxRates bounds the search for a rate. More candidates than this exist only
// where amounts are so small that their shares cannot be told apart anyway.
const maxRates = 64

// shareOfFee assigns one shortfall to several transfers by the rate in whole
// basis points, rounded up as Token-2022 does, that explains it exactly. Rates
// that do so and differ in this transfer's share leave it untold.
func (p *Parser) shareOfFee(t *transfer, in, short, inbound uint64) (got uint64, ok bool) {
	// Rounding adds less than one unit a transfer.
	low := uint64(float64(short-min(inbound, short)) / float64(in) * 10_000)
	high := min(uint64(float64(short)/float64(in)*10_000)+1, 10_000)
	if high > low+maxRates {
		return 0, false
	}
	for bps := low; bps <= high; bps++ {
		if p.feesAt(t.to, bps) != short {
			continue
		}
		left := t.amount - feeAt(t.amount, bps)
		if ok && left != got {
			return 0, false
		}
		got, ok = left, true
	}
	return got, ok
}

// feesAt sums the fees of all transfers into an account at one rate.
func (p *Parser) feesAt(account uint8, bps uint64) (sum uint64) {
	for i := range p.tx.Instructions {
		ix := &p.tx.Instructions[i]
		if p.kindOf(ix) != kindToken2022 {
			continue
		}
		if m, is := tokenMove(ix, kindToken2022, p.keys); is && m.to == account && m.from != m.to && m.fee == feeHidden {
			sum += feeAt(m.amount, bps)
		}
	}
	return sum
}

// feeAt is the transfer fee of an amount at a rate, rounded up.
func feeAt(amount, bps uint64) uint64 {
	if amount > math.MaxUint64/10_000 {
		return amount/10_000*bps + (amount%10_000*bps+9_999)/10_000
	}
	return (amount*bps + 9_999) / 10_000
}
