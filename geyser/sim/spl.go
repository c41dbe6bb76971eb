package sim

// Instructions of the programs that every trade needs: System, SPL Token,
// Token-2022, Associated Token Account and Compute Budget. Layouts, account
// orders, log lines and compute units are those of the real transactions that
// the pool files name.

// programs are the real addresses of what is not a DEX.
type programs struct {
	system, token, token22, ata, budget, vote, memo, rent, clock *acct
	jup, jupEvent                                                *acct
}

func (m *Market) makePrograms() {
	m.prog = programs{
		system:   m.real("11111111111111111111111111111111", 1),
		token:    m.real("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", 5_065_007_155),
		token22:  m.real("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb", 70_128_637),
		ata:      m.real("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL", 789_146_954),
		budget:   m.real("ComputeBudget111111111111111111111111111111", 1),
		vote:     m.real("Vote111111111111111111111111111111111111111", 1),
		memo:     m.real("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr", 521_498_895),
		rent:     m.real("SysvarRent111111111111111111111111111111111", 1_009_200),
		clock:    m.real("SysvarC1ock11111111111111111111111111111111", 1_169_280),
		jup:      m.real("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4", 2_719_670_880),
		jupEvent: m.real("D8cy77BBepLMngZx6ZukaTff5hCt1HrWyKk3Hnd9oitf", 3_595_993),
	}
}

// computeBudget writes SetComputeUnitLimit and SetComputeUnitPrice.
func (b *builder) computeBudget(limit uint32, microLamports uint64) {
	sys := b.m.prog.budget
	b.budget = uint64(limit)
	b.call(sys, 1)
	b.data(2)
	b.u32(limit)
	b.ret(150)
	b.call(sys, 1)
	b.data(3)
	b.u64(microLamports)
	b.ret(150)
}

// priorityFee is what a unit price and a limit cost together, lamports.
func priorityFee(limit uint32, microLamports uint64) uint64 {
	return (uint64(limit)*microLamports + 999_999) / 1_000_000
}

// systemTransfer sends lamports. At height 1 the sender signs.
func (b *builder) systemTransfer(from, to *acct, lamports uint64, height int) {
	b.call(b.m.prog.system, height)
	f := wr
	if height == 1 {
		f |= signer
	}
	b.acc(f, from)
	b.acc(wr, to)
	b.u32(2)
	b.u64(lamports)
	b.pay(from, to, lamports)
	b.ret(150)
}

// createAccount makes an account with space bytes for a program, inner.
func (b *builder) createAccount(payer, a *acct, lamports, space uint64, program *acct, height int) {
	b.call(b.m.prog.system, height)
	b.acc(wr, payer, a)
	b.u32(0)
	b.u64(lamports)
	b.u64(space)
	b.bytes(program.key[:])
	b.pay(payer, a, lamports)
	b.ret(150)
}

// transfer is SPL Token's Transfer (3): source, destination, authority.
func (b *builder) transfer(from, to, authority *acct, amount uint64, height int) {
	b.call(b.m.prog.token, height)
	b.log("Instruction: Transfer")
	b.acc(wr, from, to)
	b.acc(ro, authority)
	b.data(3)
	b.u64(amount)
	b.move(from, to, amount)
	b.ret(4645)
}

// transferChecked is Token's or Token-2022's TransferChecked (12): source,
// mint, destination, authority.
func (b *builder) transferChecked(from, to, authority *acct, amount uint64, height int) {
	mn := from.mint
	b.call(mn.program, height)
	b.log("Instruction: TransferChecked")
	b.acc(wr, from)
	b.acc(ro, mn.acct)
	b.acc(wr, to)
	b.acc(ro, authority)
	b.data(12)
	b.u64(amount)
	b.data(mn.decimals)
	b.move(from, to, amount)
	cu := uint64(6200)
	if mn.program == b.m.prog.token22 {
		cu = 2562
	}
	b.ret(cu)
}

// createATA is CreateIdempotent (1) or, with strict, Create (0): it makes the
// token account if it is not there yet. Outer at height 1.
func (b *builder) createATA(payer, a *acct, strict bool, height int) {
	mn := a.mint
	p := &b.m.prog
	b.call(p.ata, height)
	f := wr
	if height == 1 {
		f |= signer
	}
	b.acc(f, payer)
	b.acc(wr, a)
	b.acc(ro, a.owner, mn.acct, p.system, mn.program)
	if strict {
		b.log("Create")
		b.data(0)
	} else {
		b.log("CreateIdempotent")
		b.data(1)
	}
	if a.live {
		b.touch(a)
		b.ret(4437)
		return
	}
	b.call(mn.program, height+1)
	b.log("Instruction: GetAccountDataSize")
	b.acc(ro, mn.acct)
	b.data(21, 7, 0)
	b.ret(1569)
	space := uint64(165)
	if mn.program == p.token22 {
		space = 170
	}
	b.createAccount(payer, a, mn.rent, space, mn.program, height+1)
	b.log("Initialize the associated token account")
	b.call(mn.program, height+1)
	b.log("Instruction: InitializeImmutableOwner")
	b.acc(wr, a)
	b.data(22)
	b.ret(1405)
	b.call(mn.program, height+1)
	b.log("Instruction: InitializeAccount3")
	b.acc(wr, a)
	b.acc(ro, mn.acct)
	b.data(18)
	b.bytes(a.owner.key[:])
	b.ret(3158)
	a.live = true
	b.ret(14_000)
}

// wrap funds a wrapped SOL account and makes the token program notice
// (SyncNative, 17).
func (b *builder) wrap(from, a *acct, lamports uint64) {
	b.systemTransfer(from, a, lamports, 1)
	b.call(b.m.prog.token, 1)
	b.log("Instruction: SyncNative")
	b.acc(wr, a)
	b.data(17)
	a.amount = a.lamports - a.mint.rent
	b.ret(3045)
}

// closeAccount is CloseAccount (9): all lamports go to the owner. Its tokens
// must be wrapped SOL or none.
func (b *builder) closeAccount(a *acct) {
	b.call(a.mint.program, 1)
	b.log("Instruction: CloseAccount")
	b.acc(wr, a)
	b.acc(wr, a.owner)
	b.acc(ro, a.owner)
	b.data(9)
	b.pay(a, a.owner, a.lamports)
	a.amount, a.live = 0, false
	b.ret(2915)
}

// mintTo is MintTo (7); the supply grows.
func (b *builder) mintTo(mn *mint, to, authority *acct, amount uint64, height int) {
	b.call(mn.program, height)
	b.log("Instruction: MintTo")
	b.acc(wr, mn.acct, to)
	b.acc(ro, authority)
	b.data(7)
	b.u64(amount)
	b.touch(to)
	to.amount += amount
	mn.supply += amount
	b.ret(1714)
}
