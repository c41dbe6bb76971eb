package capture

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
)

// jsonParsed replaces the bytes of well-known instructions by a description.
// The encoders here turn those descriptions back into bytes and account
// lists; an instruction that they do not know is refused by name, for a guess
// would become a wrong price. Layouts: the instruction enums of the SPL token,
// Token-2022, associated-token-account, system, stake and memo programs;
// field names: Agave's transaction-status crate, parse_*.rs.

// rawInstruction is what a description stood for.
type rawInstruction struct {
	accounts []string
	data     []byte
}

// errUnknownParsed is completed with the instruction's name by encodeParsed.
var errUnknownParsed = errors.New("is given in parsed form only and cannot be turned back into bytes; ask for encoding json or base64")

func encodeParsed(r *rpcInstruction) (rawInstruction, error) {
	if r.ProgramID == solana.MemoProgramID.String() || r.Program == "spl-memo" {
		// The description of a memo is its text. Its accounts, at most the
		// signers over again, are lost.
		var text string
		if err := json.Unmarshal(r.Parsed, &text); err != nil {
			return rawInstruction{}, fmt.Errorf("spl-memo: %w", errUnknownParsed)
		}
		return rawInstruction{data: []byte(text)}, nil
	}
	var p struct {
		Type string                     `json:"type"`
		Info map[string]json.RawMessage `json:"info"`
	}
	if err := json.Unmarshal(r.Parsed, &p); err != nil {
		return rawInstruction{}, fmt.Errorf("%.40s %w", r.Program, errUnknownParsed)
	}
	f := &fields{m: p.Info}
	var raw rawInstruction
	var known bool
	switch r.ProgramID {
	case solana.TokenProgramID.String(), solana.Token2022ProgramID.String():
		raw, known = encodeToken(p.Type, f)
		if !known {
			raw, known = encodeTokenSetup(p.Type, f)
		}
	case solana.SPLAssociatedTokenAccountProgramID.String():
		raw, known = encodeAssociated(p.Type, f)
	case solana.SystemProgramID.String():
		raw, known = encodeSystem(p.Type, f)
	case solana.StakeProgramID.String():
		raw, known = encodeStake(p.Type, f)
	}
	if !known {
		return rawInstruction{}, fmt.Errorf("%.40s %.40s %w", r.Program, p.Type, errUnknownParsed)
	}
	if f.err != nil {
		return rawInstruction{}, fmt.Errorf("%.40s %.40s: %w", r.Program, p.Type, f.err)
	}
	return raw, nil
}

// fields reads a description's info object and keeps the first error.
type fields struct {
	m   map[string]json.RawMessage
	err error
}

func (f *fields) fail(name, want string) {
	if f.err == nil {
		f.err = fmt.Errorf("field %s of its description is no %s", name, want)
	}
}

func (f *fields) has(name string) bool {
	v, ok := f.m[name]
	return ok && string(v) != "null"
}

func (f *fields) text(name string) string {
	var s string
	if json.Unmarshal(f.m[name], &s) != nil {
		f.fail(name, "text")
	}
	return s
}

// u64 reads a number, which older nodes write as text.
func (f *fields) u64(name string) uint64 { return f.number(f.m[name], name) }

func (f *fields) number(raw json.RawMessage, name string) uint64 {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		f.fail(name, "unsigned number")
	}
	return n
}

// amount reads a uiTokenAmount object.
func (f *fields) amount(name string) (amount uint64, decimals byte) {
	var a struct {
		Amount   json.RawMessage `json:"amount"`
		Decimals *uint8          `json:"decimals"`
	}
	if json.Unmarshal(f.m[name], &a) != nil || a.Decimals == nil {
		f.fail(name, "token amount")
		return 0, 0
	}
	return f.number(a.Amount, name), *a.Decimals
}

// key reads a base58 key into its bytes.
func (f *fields) key(name string) []byte {
	var k [32]byte
	if base58.Decode32(f.text(name), &k) != nil {
		f.fail(name, "key")
	}
	return k[:]
}

// optionalKey reads a COption<Pubkey> as spl-token packs it: a byte, then the
// key where there is one.
func (f *fields) optionalKey(name string) []byte {
	if !f.has(name) {
		return []byte{0}
	}
	return append([]byte{1}, f.key(name)...)
}

// accounts lists the accounts that the named fields hold, in order.
func (f *fields) accounts(names ...string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, f.text(n))
	}
	return out
}

// signed lists accounts and then the authority: one account, or a multisig
// account with its signers.
func (f *fields) signed(authority, multisig string, names ...string) []string {
	out := f.accounts(names...)
	if !f.has(multisig) {
		return append(out, f.text(authority))
	}
	var signers []string
	if json.Unmarshal(f.m["signers"], &signers) != nil {
		f.fail("signers", "list of keys")
	}
	return append(append(out, f.text(multisig)), signers...)
}

func u64Data(op byte, amount uint64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{op}, amount)
}

func checkedData(op byte, amount uint64, decimals byte) []byte {
	return append(u64Data(op, amount), decimals)
}

// encodeToken knows the instructions that move, mint and burn tokens.
func encodeToken(kind string, f *fields) (raw rawInstruction, known bool) {
	switch kind {
	case "transfer":
		return rawInstruction{f.signed("authority", "multisigAuthority", "source", "destination"), u64Data(3, f.u64("amount"))}, true
	case "approve":
		return rawInstruction{f.signed("owner", "multisigOwner", "source", "delegate"), u64Data(4, f.u64("amount"))}, true
	case "revoke":
		return rawInstruction{f.signed("owner", "multisigOwner", "source"), []byte{5}}, true
	case "mintTo":
		return rawInstruction{f.signed("mintAuthority", "multisigMintAuthority", "mint", "account"), u64Data(7, f.u64("amount"))}, true
	case "burn":
		return rawInstruction{f.signed("authority", "multisigAuthority", "account", "mint"), u64Data(8, f.u64("amount"))}, true
	case "closeAccount":
		return rawInstruction{f.signed("owner", "multisigOwner", "account", "destination"), []byte{9}}, true
	case "freezeAccount":
		return rawInstruction{f.signed("freezeAuthority", "multisigFreezeAuthority", "account", "mint"), []byte{10}}, true
	case "thawAccount":
		return rawInstruction{f.signed("freezeAuthority", "multisigFreezeAuthority", "account", "mint"), []byte{11}}, true
	case "syncNative":
		return rawInstruction{f.accounts("account"), []byte{17}}, true
	}
	if !f.has("tokenAmount") {
		return raw, false
	}
	amount, decimals := f.amount("tokenAmount")
	switch kind {
	case "transferChecked":
		return rawInstruction{
			f.signed("authority", "multisigAuthority", "source", "mint", "destination"),
			checkedData(12, amount, decimals),
		}, true
	case "transferCheckedWithFee":
		fee, _ := f.amount("feeAmount")
		return rawInstruction{
			f.signed("authority", "multisigAuthority", "source", "mint", "destination"),
			binary.LittleEndian.AppendUint64(append([]byte{26}, checkedData(1, amount, decimals)...), fee),
		}, true
	case "approveChecked":
		return rawInstruction{
			f.signed("owner", "multisigOwner", "source", "mint", "delegate"),
			checkedData(13, amount, decimals),
		}, true
	case "mintToChecked":
		return rawInstruction{
			f.signed("mintAuthority", "multisigMintAuthority", "mint", "account"),
			checkedData(14, amount, decimals),
		}, true
	case "burnChecked":
		return rawInstruction{
			f.signed("authority", "multisigAuthority", "account", "mint"),
			checkedData(15, amount, decimals),
		}, true
	}
	return raw, false
}
