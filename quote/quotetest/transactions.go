package quotetest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// layout is how a router's instruction is made up.
type layout struct {
	program       string
	discriminator [8]byte
	// tail says that the route comes first and the amounts last.
	tail bool
	// wide is a platform fee of 16 bits.
	wide bool
	// more is what follows the platform fee.
	more []byte
	// in says that the input amount stands with the quoted one; DFlow has it in the
	// route's legs.
	in bool
}

// The instructions, from the programs' public IDLs: Jupiter's route_v2 and route,
// DFlow's swap2. A route is opaque bytes here.
//
//nolint:gochecknoglobals // fixed layouts, never written
var (
	routeV2 = layout{
		program: jupiterProgram, discriminator: [8]byte{0xbb, 0x64, 0xfa, 0xcc, 0x31, 0xc4, 0xaf, 0x14}, wide: true, more: []byte{0, 0}, in: true,
	}
	route = layout{
		program: jupiterProgram, discriminator: [8]byte{0xe5, 0x17, 0xcb, 0x97, 0x7a, 0xe3, 0xad, 0x2a}, tail: true, in: true,
	}
	dflowSwap2 = layout{
		program: dflowProgram, discriminator: [8]byte{0x41, 0x4b, 0x3f, 0x4c, 0xeb, 0x5b, 0x5b, 0x88}, tail: true, wide: true, more: []byte{0},
	}
)

const (
	jupiterProgram = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
	dflowProgram   = "DF1ow4tspfHX9JwWJsAb9epbkA8hmpSEAtxXy1V27QBH"
)

// trade is what a transaction is asked to do.
type trade struct {
	user           solana.PublicKey
	in, out        solana.PublicKey
	amount, quoted uint64
	slippage       uint16
}

// swapReply answers a request for a transaction of one's own quote.
func swapReply(m Market, l layout, userField string, body []byte, f Fault, refuse func(why string) reply) reply {
	t, ok := readTrade(body, userField)
	if !ok {
		return refuse("the quote or the wallet cannot be read")
	}
	text := ""
	switch f {
	case NoTransaction:
	case NotBase64:
		text = "%%%"
	default:
		raw, err := l.transaction(m, t, f)
		if err != nil {
			return reply{status: http.StatusInternalServerError, text: err.Error()}
		}
		text = base64.StdEncoding.EncodeToString(raw)
	}
	return reply{status: http.StatusOK, body: map[string]any{
		"swapTransaction": text, "lastValidBlockHeight": m.Slot() + blockhashLife, "prioritizationFeeLamports": priorityFee,
		"computeUnitLimit": computeUnits, "simulationError": nil,
	}}
}

// blockhashLife is for how many blocks a transaction is good.
const blockhashLife = 150

func readTrade(body []byte, userField string) (t trade, ok bool) {
	var ask map[string]json.RawMessage
	var quoted struct {
		InputMint   string `json:"inputMint"`
		OutputMint  string `json:"outputMint"`
		InAmount    string `json:"inAmount"`
		OutAmount   string `json:"outAmount"`
		SlippageBps uint16 `json:"slippageBps"`
	}
	var user string
	if json.Unmarshal(body, &ask) != nil || json.Unmarshal(ask["quoteResponse"], &quoted) != nil || json.Unmarshal(ask[userField], &user) != nil {
		return t, false
	}
	t.slippage = quoted.SlippageBps
	var errs [5]error
	t.user, errs[0] = swapcast.ParseKey(user)
	t.in, errs[1] = swapcast.ParseKey(quoted.InputMint)
	t.out, errs[2] = swapcast.ParseKey(quoted.OutputMint)
	t.amount, errs[3] = strconv.ParseUint(quoted.InAmount, 10, 64)
	t.quoted, errs[4] = strconv.ParseUint(quoted.OutAmount, 10, 64)
	return t, errs == [5]error{}
}

const (
	computeUnits = 250_000
	unitPrice    = 40_000 // micro-lamports
	priorityFee  = computeUnits * unitPrice / 1_000_000
)

// transaction is an unsigned v0 transaction as the services make them: compute
// budget, the user's token accounts, SOL wrapped and unwrapped, one call of the
// router, whose pools are in a lookup table.
func (l layout) transaction(m Market, t trade, f Fault) ([]byte, error) {
	stranger := poolKey("a stranger")
	wrapped, source, destination := ata(t.user, swapcast.NativeMint()), ata(t.user, t.in), ata(t.user, t.out)
	price := uint64(unitPrice)
	payer := t.user
	switch f {
	case OtherPayer:
		payer = stranger
	case DearFee:
		price = 1_000_000_000 * 1_000_000 / computeUnits
	case OtherDestination:
		destination = ata(stranger, t.out)
	}
	list := []solana.Instruction{
		call(solana.ComputeBudget, binary.LittleEndian.AppendUint32([]byte{2}, computeUnits)),
		call(solana.ComputeBudget, binary.LittleEndian.AppendUint64([]byte{3}, price)),
	}
	create := func(mint solana.PublicKey) {
		list = append(list, call(solana.SPLAssociatedTokenAccountProgramID, []byte{1},
			solana.Meta(t.user).WRITE().SIGNER(), solana.Meta(ata(t.user, mint)).WRITE(), solana.Meta(t.user), solana.Meta(mint),
			solana.Meta(solana.SystemProgramID), solana.Meta(solana.TokenProgramID)))
	}
	native := t.in == swapcast.NativeMint()
	if native {
		create(t.in)
		list = append(
			list,
			transferSOL(t.user, wrapped, t.amount),
			call(solana.TokenProgramID, []byte{17}, solana.Meta(wrapped).WRITE()),
		)
	}
	create(t.out)
	list = append(list, l.instruction(t, source, destination, f))
	if native || t.out == swapcast.NativeMint() {
		list = append(list, call(solana.TokenProgramID, []byte{9}, solana.Meta(wrapped).WRITE(), solana.Meta(t.user).WRITE(), solana.Meta(t.user).SIGNER()))
	}
	switch f {
	case Drain:
		list = append(list, transferSOL(t.user, stranger, 1_000_000_000))
	case Approve:
		list = append(list, call(solana.TokenProgramID, binary.LittleEndian.AppendUint64([]byte{4}, 1<<63),
			solana.Meta(source).WRITE(), solana.Meta(stranger), solana.Meta(t.user).SIGNER()))
	case OtherProgram:
		list = append(list, call(stranger, nil, solana.Meta(t.user).SIGNER()))
	}
	hash := blockhash(m)
	tables := map[solana.PublicKey]solana.PublicKeySlice{poolKey("lookup table"): {poolKey("vault a"), poolKey("vault b"), poolKey("oracle")}}
	tx, err := solana.NewTransaction(list, hash, solana.TransactionPayer(payer), solana.TransactionAddressTables(tables))
	if err != nil {
		return nil, err
	}
	tx.Signatures = make([]solana.Signature, tx.Message.Header.NumRequiredSignatures)
	return tx.MarshalBinary()
}

// instruction is the call of the router.
func (l layout) instruction(t trade, source, destination solana.PublicKey, f Fault) solana.Instruction {
	amount, quoted, fee := t.amount, t.quoted, byte(0)
	switch f {
	case MoreIn:
		amount *= 2
	case LowThreshold:
		quoted /= 2
	case PlatformFee:
		fee = 100
	}
	var amounts []byte
	if l.in {
		amounts = binary.LittleEndian.AppendUint64(amounts, amount)
	}
	amounts = binary.LittleEndian.AppendUint64(amounts, quoted)
	amounts = binary.LittleEndian.AppendUint16(amounts, t.slippage)
	amounts = append(amounts, fee)
	if l.wide {
		amounts = append(amounts, 0)
	}
	amounts = append(amounts, l.more...)
	// One made-up leg with the input amount, which a node that runs DFlow's router needs
	// (readRouted).
	leg := append(binary.LittleEndian.AppendUint64([]byte{1, 0, 0, 0, 2}, amount), 0)
	data := append([]byte{}, l.discriminator[:]...)
	if l.tail {
		data = append(append(data, leg...), amounts...)
	} else {
		data = append(append(data, amounts...), leg...)
	}
	program := solana.MPK(l.program)
	list := l.accounts(t, program, source, destination)
	if f == OtherSigner {
		list = append(list, solana.Meta(poolKey("a stranger")).SIGNER())
	}
	for _, label := range []string{"vault a", "vault b"} {
		list = append(list, solana.Meta(poolKey(label)).WRITE())
	}
	return solana.NewInstruction(program, append(list, solana.Meta(poolKey("oracle"))), data)
}

// accounts are the instruction's own, before those of the route.
func (l layout) accounts(t trade, program, source, destination solana.PublicKey) []*solana.AccountMeta {
	user, from, to := solana.Meta(t.user).SIGNER(), solana.Meta(source).WRITE(), solana.Meta(destination).WRITE()
	token, none, events := solana.Meta(solana.TokenProgramID), solana.Meta(program), solana.Meta(poolKey("event authority"))
	switch {
	case l.program == dflowProgram:
		return []*solana.AccountMeta{
			token, solana.Meta(solana.SPLAssociatedTokenAccountProgramID), solana.Meta(solana.SystemProgramID), user, events, none, from, to,
		}
	case l.tail:
		return []*solana.AccountMeta{token, user, from, to, none, solana.Meta(t.out), none, events, none}
	}
	return []*solana.AccountMeta{user, from, to, solana.Meta(t.in), solana.Meta(t.out), token, token, none, events, none}
}

func call(program solana.PublicKey, data []byte, accounts ...*solana.AccountMeta) solana.Instruction {
	return solana.NewInstruction(program, accounts, data)
}

func transferSOL(from, to solana.PublicKey, lamports uint64) solana.Instruction {
	return call(solana.SystemProgramID, binary.LittleEndian.AppendUint64([]byte{2, 0, 0, 0}, lamports),
		solana.Meta(from).WRITE().SIGNER(), solana.Meta(to).WRITE())
}

// ata is a wallet's associated account of a mint of the first token program.
func ata(owner, mint solana.PublicKey) solana.PublicKey {
	key, _, err := solana.FindAssociatedTokenAddress(owner, mint)
	if err != nil {
		panic(err) // no bump in 256: not in this universe
	}
	return key
}
