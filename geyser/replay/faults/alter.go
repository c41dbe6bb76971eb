package faults

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"
)

// The instructions of the Token programs that move tokens: their first data
// byte, then the amount as 8 bytes, little-endian (spl-token interface).
const (
	tokenTransfer        = 3  // accounts: source, destination, owner
	tokenTransferChecked = 12 // accounts: source, mint, destination, owner
)

// altered returns a copy of a transaction in which one token transfer moves a
// sixteenth less: in the instruction, in whatever other instruction or event
// names that amount, and in the balances that follow from it. false where the
// transaction has no transfer that this can be done to. salt picks the transfer.
func altered(info *pb.SubscribeUpdateTransactionInfo, salt uint64) (*pb.SubscribeUpdateTransactionInfo, bool) {
	m, ok := pickMove(info, salt)
	if !ok {
		return nil, false
	}
	out := proto.CloneOf(info)
	m.apply(out)
	return out, true
}

// pickMove finds a transfer of a transaction that can be altered.
func pickMove(info *pb.SubscribeUpdateTransactionInfo, salt uint64) (move, bool) {
	if info.GetIsVote() || info.GetMeta().GetErr() != nil {
		return move{}, false
	}
	moves := movesOf(info)
	for i := range moves {
		m := moves[(uint64(i)+salt%uint64(len(moves)))%uint64(len(moves))]
		if m.possible(info.GetMeta()) {
			return m, true
		}
	}
	return move{}, false
}

// resigned gives a transaction that is the caller's own a made-up signature.
func resigned(info *pb.SubscribeUpdateTransactionInfo, salt uint64) {
	sig := make([]byte, solana.SignatureLength)
	copy(sig, info.GetSignature())
	first := binary.LittleEndian.Uint64(sig)
	for i := 0; i < len(sig); i += 8 {
		salt = mix(salt + golden)
		binary.LittleEndian.PutUint64(sig[i:], mix(salt^mix(first)))
	}
	info.Signature = sig
	if list := info.GetTransaction().GetSignatures(); len(list) > 0 {
		list[0] = sig
	}
}

// move is one transfer of tokens.
type move struct {
	from, to uint32 // positions among the transaction's keys
	amount   uint64
}

// smallest is the smallest amount that is altered: bytes of smaller ones stand
// in instructions for other reasons.
const smallest = 1 << 16

func (m move) less() uint64 { return m.amount / 16 }

// movesOf lists the transfers among the inner instructions.
func movesOf(info *pb.SubscribeUpdateTransactionInfo) []move {
	meta, msg := info.GetMeta(), info.GetTransaction().GetMessage()
	var out []move
	for _, list := range meta.GetInnerInstructions() {
		for _, ix := range list.GetInstructions() {
			if !isToken(keyAt(msg, meta, ix.GetProgramIdIndex())) || len(ix.GetData()) < 9 {
				continue
			}
			acc, m := ix.GetAccounts(), move{amount: binary.LittleEndian.Uint64(ix.GetData()[1:])}
			switch {
			case ix.GetData()[0] == tokenTransfer && len(acc) >= 3:
				m.from, m.to = uint32(acc[0]), uint32(acc[1])
			case ix.GetData()[0] == tokenTransferChecked && len(acc) >= 4:
				m.from, m.to = uint32(acc[0]), uint32(acc[2])
			default:
				continue
			}
			if m.amount >= smallest && m.from != m.to {
				out = append(out, m)
			}
		}
	}
	return out
}

func isToken(key []byte) bool {
	return bytes.Equal(key, solana.TokenProgramID[:]) || bytes.Equal(key, solana.Token2022ProgramID[:])
}

// keyAt is the key at a position of static, loaded writable, loaded readonly.
func keyAt(msg *pb.Message, meta *pb.TransactionStatusMeta, i uint32) []byte {
	n := int(i)
	for _, list := range [...][][]byte{msg.GetAccountKeys(), meta.GetLoadedWritableAddresses(), meta.GetLoadedReadonlyAddresses()} {
		if n < len(list) {
			return list[n]
		}
		n -= len(list)
	}
	return nil
}

// possible reports whether the balances after the transaction can follow: both
// accounts are still there, and the destination has still what it would lack.
func (m move) possible(meta *pb.TransactionStatusMeta) bool {
	from, to := tokenRow(meta, m.from), tokenRow(meta, m.to)
	return from != nil && to != nil && rawAmount(to) >= m.less()
}

func tokenRow(meta *pb.TransactionStatusMeta, account uint32) *pb.TokenBalance {
	for _, row := range meta.GetPostTokenBalances() {
		if row.GetAccountIndex() == account {
			return row
		}
	}
	return nil
}

func rawAmount(row *pb.TokenBalance) uint64 {
	n, _ := strconv.ParseUint(row.GetUiTokenAmount().GetAmount(), 10, 64) // 0 where it is none: then it is not altered
	return n
}

// apply writes the smaller amount into a transaction that is nobody else's.
func (m move) apply(info *pb.SubscribeUpdateTransactionInfo) {
	was := binary.LittleEndian.AppendUint64(nil, m.amount)
	now := binary.LittleEndian.AppendUint64(nil, m.amount-m.less())
	meta := info.GetMeta()
	for _, ix := range info.GetTransaction().GetMessage().GetInstructions() {
		ix.Data = bytes.ReplaceAll(ix.GetData(), was, now)
	}
	for _, list := range meta.GetInnerInstructions() {
		for _, ix := range list.GetInstructions() {
			ix.Data = bytes.ReplaceAll(ix.GetData(), was, now)
		}
	}
	for i, line := range meta.GetLogMessages() {
		// Events stand in the log as base64: "Program data: ...", "ray_log: ...".
		at := strings.LastIndexByte(line, ' ') + 1
		if raw, err := base64.StdEncoding.DecodeString(line[at:]); err == nil && bytes.Contains(raw, was) {
			meta.LogMessages[i] = line[:at] + base64.StdEncoding.EncodeToString(bytes.ReplaceAll(raw, was, now))
		}
	}
	m.balance(meta, m.from, m.less(), true)
	m.balance(meta, m.to, m.less(), false)
}

// balance moves the balance after the transaction, and the lamports with it
// where the token is wrapped SOL.
func (m move) balance(meta *pb.TransactionStatusMeta, account uint32, by uint64, up bool) {
	row := tokenRow(meta, account)
	step := func(n uint64) uint64 {
		if up {
			return n + by
		}
		return n - by
	}
	n := step(rawAmount(row))
	a := row.GetUiTokenAmount()
	a.Amount = strconv.FormatUint(n, 10)
	a.UiAmountString = decimal(n, int(a.GetDecimals()))
	a.UiAmount, _ = strconv.ParseFloat(a.GetUiAmountString(), 64)
	if post := meta.GetPostBalances(); row.GetMint() == solana.WrappedSol.String() && int(account) < len(post) {
		post[account] = step(post[account])
	}
}

// decimal writes raw units as whole tokens, without trailing zeros.
func decimal(n uint64, decimals int) string {
	text := strconv.FormatUint(n, 10)
	if decimals <= 0 {
		return text
	}
	if pad := decimals + 1 - len(text); pad > 0 {
		text = strings.Repeat("0", pad) + text
	}
	whole, rest := text[:len(text)-decimals], strings.TrimRight(text[len(text)-decimals:], "0")
	if rest == "" {
		return whole
	}
	return whole + "." + rest
}
