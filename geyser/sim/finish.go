package sim

import (
	"strconv"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// frame holds the fixed parts of one transaction update in one allocation.
type frame struct {
	up     pb.SubscribeUpdate
	oneof  pb.SubscribeUpdate_Transaction
	tx     pb.SubscribeUpdateTransaction
	info   pb.SubscribeUpdateTransactionInfo
	t      pb.Transaction
	msg    pb.Message
	hdr    pb.MessageHeader
	meta   pb.TransactionStatusMeta
	failed pb.TransactionError
	at     timestamppb.Timestamp
	cu     uint64
	sig    [64]byte
	sigs   [2][]byte
	sig2   [64]byte
}

// tokenRow is a row of pre or post token balances before it is a message; the
// ranges point into the string that all rows share.
type tokenRow struct {
	pos          uint8
	a            *acct
	amount       uint64
	amtLo, amtHi int
	uiLo, uiHi   int
}

// Account classes in the order of a message's keys.
const (
	classSignerW = iota
	classSigner
	classW
	classR
	classLoadedW
	classLoadedR
	classes
)

// finish makes the transaction's update, at a place in its block.
func (b *builder) finish(index uint64, at int64) *pb.SubscribeUpdate {
	b.closeIx()
	m := b.m
	f := new(frame)
	n := len(b.accts)
	versioned := n > 22
	counts := b.layout(versioned)

	// Keys.
	keys := make([][]byte, n)
	for i, p := range b.order {
		keys[i] = b.accts[p].key[:]
	}
	static := counts[classSignerW] + counts[classSigner] + counts[classW] + counts[classR]
	f.hdr.NumRequiredSignatures = uint32(counts[classSignerW] + counts[classSigner])
	f.hdr.NumReadonlySignedAccounts = uint32(counts[classSigner])
	f.hdr.NumReadonlyUnsignedAccounts = uint32(counts[classR])
	f.msg.Header = &f.hdr
	f.msg.AccountKeys = keys[:static:static]
	f.msg.RecentBlockhash = m.recent
	f.msg.Versioned = versioned
	loadedW := counts[classLoadedW]
	if versioned && static < n {
		f.meta.LoadedWritableAddresses = keys[static : static+loadedW : static+loadedW]
		f.meta.LoadedReadonlyAddresses = keys[static+loadedW:]
		f.msg.AddressTableLookups = b.lookups(static, loadedW)
	}

	b.instructions(f)
	b.balances(f)
	b.tokenRows(f)
	b.logs(f)

	m.sign(f.sig[:])
	f.sigs[0] = f.sig[:]
	ns := 1
	if f.hdr.NumRequiredSignatures > 1 {
		m.sign(f.sig2[:])
		f.sigs[1], ns = f.sig2[:], 2
	}
	f.t.Signatures, f.t.Message = f.sigs[:ns:ns], &f.msg
	f.meta.Fee = b.fee
	f.cu = b.used
	f.meta.ComputeUnitsConsumed = &f.cu
	if b.retProg != nil && !b.failed {
		f.meta.ReturnData = &pb.ReturnData{ProgramId: b.retProg.key[:], Data: append([]byte(nil), b.retData[:]...)}
	} else {
		f.meta.ReturnDataNone = true
	}
	if b.failed {
		f.failed.Err = b.errCode
		f.meta.Err = &f.failed
	}
	f.info.Signature, f.info.IsVote, f.info.Index = f.sigs[0], b.vote, index
	f.info.Transaction, f.info.Meta = &f.t, &f.meta
	f.tx.Transaction, f.tx.Slot = &f.info, m.slot
	f.oneof.Transaction = &f.tx
	f.at.Seconds, f.at.Nanos = at/1e9, int32(at%1e9)
	f.up.UpdateOneof, f.up.CreatedAt = &f.oneof, &f.at
	b.record(&f.sig, index, at)
	return &f.up
}

// layout sorts the accounts into the order of the message: b.order lists
// positions of first use in final order, b.perm is its inverse.
func (b *builder) layout(versioned bool) (counts [classes]int) {
	n := len(b.accts)
	b.perm, b.order = b.perm[:0], b.order[:0]
	var class [256]uint8
	for i, a := range b.accts {
		fl := b.flags[i]
		var c uint8
		switch {
		case fl&signer != 0 && fl&wr != 0:
			c = classSignerW
		case fl&signer != 0:
			c = classSigner
		case versioned && a.alt != 0 && fl&invoked == 0:
			c = classLoadedW
			if fl&wr == 0 {
				c = classLoadedR
			}
		case fl&wr != 0:
			c = classW
		default:
			c = classR
		}
		class[i] = c
		counts[c]++
	}
	var at [classes]int
	for c := 1; c < classes; c++ {
		at[c] = at[c-1] + counts[c-1]
	}
	start := at
	for range n {
		b.order = append(b.order, 0)
		b.perm = append(b.perm, 0)
	}
	for i := range n {
		c := class[i]
		b.order[at[c]] = uint8(i)
		at[c]++
	}
	// Loaded keys come table by table.
	for c := classLoadedW; c < classes; c++ {
		lo, hi := start[c], at[c]
		for i := lo + 1; i < hi; i++ {
			for j := i; j > lo && b.table(j) < b.table(j-1); j-- {
				b.order[j], b.order[j-1] = b.order[j-1], b.order[j]
			}
		}
	}
	for i, p := range b.order {
		b.perm[p] = uint8(i)
	}
	return counts
}

// altSize is how many addresses a lookup table holds.
const altSize = 256

func (b *builder) table(i int) int { return (b.accts[b.order[i]].alt - 1) / altSize }

// lookups lists the tables that the loaded keys come from.
func (b *builder) lookups(static, loadedW int) []*pb.MessageAddressTableLookup {
	var out []*pb.MessageAddressTableLookup
	var tables []int
	for i := static; i < len(b.order); i++ {
		t := b.table(i)
		k := -1
		for j, have := range tables {
			if have == t {
				k = j
			}
		}
		if k < 0 {
			k = len(tables)
			tables = append(tables, t)
			out = append(out, &pb.MessageAddressTableLookup{AccountKey: b.m.tableKey(t)})
		}
		place := byte((b.accts[b.order[i]].alt - 1) % altSize)
		if i < static+loadedW {
			out[k].WritableIndexes = append(out[k].WritableIndexes, place)
		} else {
			out[k].ReadonlyIndexes = append(out[k].ReadonlyIndexes, place)
		}
	}
	return out
}

// instructions writes outer and inner instructions.
func (b *builder) instructions(f *frame) {
	buf := make([]byte, len(b.abuf)+len(b.buf))
	for i, p := range b.abuf {
		buf[i] = b.perm[p]
	}
	copy(buf[len(b.abuf):], b.buf)
	accs, data := buf[:len(b.abuf):len(b.abuf)], buf[len(b.abuf):]

	outer := b.outer + 1
	inner := len(b.ixs) - outer
	ois, optr := make([]pb.CompiledInstruction, outer), make([]*pb.CompiledInstruction, outer)
	iis, iptr := make([]pb.InnerInstruction, inner), make([]*pb.InnerInstruction, inner)
	groups := 0
	for i := range b.ixs {
		if b.ixs[i].inner == 0 {
			groups++
		}
	}
	gs, gptr := make([]pb.InnerInstructions, groups), make([]*pb.InnerInstructions, groups)
	io, ii, ig := 0, 0, -1
	for i := range b.ixs {
		r := &b.ixs[i]
		a, d := accs[r.accLo:r.accHi:r.accHi], data[r.dataLo:r.dataHi:r.dataHi]
		if r.inner < 0 {
			o := &ois[io]
			o.ProgramIdIndex, o.Accounts, o.Data = uint32(b.perm[r.prog]), a, d
			optr[io] = o
			io++
			continue
		}
		x := &iis[ii]
		x.ProgramIdIndex, x.Accounts, x.Data = uint32(b.perm[r.prog]), a, d
		x.StackHeight = &b.m.heights[r.height]
		iptr[ii] = x
		if r.inner == 0 {
			ig++
			gs[ig].Index = uint32(r.outer)
			gs[ig].Instructions = iptr[ii:ii]
			gptr[ig] = &gs[ig]
		}
		g := &gs[ig]
		g.Instructions = g.Instructions[:len(g.Instructions)+1]
		ii++
	}
	f.msg.Instructions = optr
	f.meta.InnerInstructions = gptr
}

// balances writes the lamports before and after.
func (b *builder) balances(f *frame) {
	n := len(b.accts)
	all := make([]uint64, 2*n)
	pre, post := all[:n:n], all[n:]
	for i, p := range b.order {
		pre[i], post[i] = b.snaps[p].lamports, b.accts[p].lamports
	}
	f.meta.PreBalances, f.meta.PostBalances = pre, post
}

// tokenRows writes the token balances before and after, for every token
// account among the keys, changed or not, as the chain does.
func (b *builder) tokenRows(f *frame) {
	b.rows, b.strb = b.rows[:0], b.strb[:0]
	pre := 0
	for pass := range 2 {
		for i, p := range b.order {
			a, s := b.accts[p], &b.snaps[p]
			if a.mint == nil {
				continue
			}
			live, amount := s.live, s.amount
			if pass == 1 {
				live, amount = a.live, a.amount
			}
			if !live {
				continue
			}
			r := tokenRow{pos: uint8(i), a: a, amount: amount, amtLo: len(b.strb)}
			b.strb = strconv.AppendUint(b.strb, amount, 10)
			r.amtHi, r.uiLo = len(b.strb), len(b.strb)
			b.strb = appendDecimal(b.strb, amount, int(a.mint.decimals))
			r.uiHi = len(b.strb)
			b.rows = append(b.rows, r)
		}
		if pass == 0 {
			pre = len(b.rows)
		}
	}
	n := len(b.rows)
	if n == 0 {
		return
	}
	text := string(b.strb)
	tbs, uis, ptr := make([]pb.TokenBalance, n), make([]pb.UiTokenAmount, n), make([]*pb.TokenBalance, n)
	for i := range b.rows {
		r := &b.rows[i]
		mn := r.a.mint
		u := &uis[i]
		u.UiAmount = float64(r.amount) / mn.unit
		u.Decimals = uint32(mn.decimals)
		u.Amount, u.UiAmountString = text[r.amtLo:r.amtHi], text[r.uiLo:r.uiHi]
		t := &tbs[i]
		t.AccountIndex = uint32(r.pos)
		t.Mint, t.Owner, t.ProgramId = mn.text(), r.a.owner.text(), mn.program.text()
		t.UiTokenAmount = u
		ptr[i] = t
	}
	f.meta.PreTokenBalances, f.meta.PostTokenBalances = ptr[:pre:pre], ptr[pre:]
}

// appendDecimal writes raw units as whole tokens without trailing zeros.
func appendDecimal(dst []byte, v uint64, decimals int) []byte {
	var digits [20]byte
	d := strconv.AppendUint(digits[:0], v, 10)
	if len(d) > decimals {
		dst = append(dst, d[:len(d)-decimals]...)
		d = d[len(d)-decimals:]
	} else {
		dst = append(dst, '0')
	}
	end := len(dst)
	dst = append(dst, '.')
	for range decimals - len(d) {
		dst = append(dst, '0')
	}
	for _, c := range d {
		dst = append(dst, c)
		if c != '0' {
			end = len(dst)
		}
	}
	return dst[:end]
}

// logs writes the log lines: one string, cut.
func (b *builder) logs(f *frame) {
	text := string(b.logb)
	lines := make([]string, len(b.logEnd))
	var lo uint32
	for i, hi := range b.logEnd {
		lines[i] = text[lo:hi]
		lo = hi
	}
	f.meta.LogMessages = lines
}
