package geyser

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func ptr[T any](v T) *T { return &v }

// sample is a v0 transaction with everything in it: two own keys and two
// loaded ones, two outer instructions, the second with two inner ones.
func sample() *pb.SubscribeUpdateTransaction {
	tokens := func(amount string) []*pb.TokenBalance {
		return []*pb.TokenBalance{{
			AccountIndex: 2, Mint: swapcast.USDCAddress, Owner: solana.PublicKey(key(1)).String(),
			ProgramId:     solana.TokenProgramID.String(),
			UiTokenAmount: &pb.UiTokenAmount{Amount: amount, Decimals: 6},
		}}
	}
	return &pb.SubscribeUpdateTransaction{
		Slot: 77,
		Transaction: &pb.SubscribeUpdateTransactionInfo{
			Signature: bytes.Repeat([]byte{9}, 64),
			Index:     5,
			Transaction: &pb.Transaction{
				Signatures: [][]byte{bytes.Repeat([]byte{9}, 64)},
				Message: &pb.Message{
					Header:      &pb.MessageHeader{NumRequiredSignatures: 1},
					AccountKeys: [][]byte{key(1), key(2)},
					Versioned:   true,
					Instructions: []*pb.CompiledInstruction{
						{ProgramIdIndex: 1, Accounts: []byte{0}, Data: []byte{1, 2}},
						{ProgramIdIndex: 3, Accounts: []byte{0, 1, 2, 3}, Data: []byte{3}},
					},
				},
			},
			Meta: &pb.TransactionStatusMeta{
				Fee:          5000,
				PreBalances:  []uint64{10, 20, 30, 40},
				PostBalances: []uint64{11, 21, 31, 41},
				InnerInstructions: []*pb.InnerInstructions{{Index: 1, Instructions: []*pb.InnerInstruction{
					{ProgramIdIndex: 1, Accounts: []byte{2}, Data: []byte{4}, StackHeight: ptr(uint32(2))},
					{ProgramIdIndex: 2, Accounts: []byte{3}, StackHeight: ptr(uint32(3))},
				}}},
				LogMessages:             []string{"a", "b"},
				PreTokenBalances:        tokens("0"),
				PostTokenBalances:       tokens("18446744073709551615"),
				LoadedWritableAddresses: [][]byte{key(3)},
				LoadedReadonlyAddresses: [][]byte{key(4)},
			},
		},
	}
}

func TestDecodeOrderAndDepth(t *testing.T) {
	var tx swapcast.Transaction
	d := NewDecoder()
	for range 2 { // a second time into the same view gives the same
		if err := d.Transaction(sample(), &tx); err != nil {
			t.Fatal(err)
		}
		if tx.Slot != 77 || tx.Index != 5 || tx.Version != swapcast.TxV0 || tx.Fee != 5000 || tx.Failed || tx.Vote || !tx.InnerKnown {
			t.Errorf("head: %+v", tx)
		}
		if len(tx.Keys) != 4 || tx.Keys[2] != solana.PublicKey(key(3)) || tx.Keys[3] != solana.PublicKey(key(4)) || tx.NumStatic != 2 || tx.NumSigners != 1 {
			t.Errorf("keys: %v static %d signers %d", tx.Keys, tx.NumStatic, tx.NumSigners)
		}
		want := []swapcast.Instruction{
			{Program: 1, Depth: 1, Outer: 0, Inner: -1, Accounts: []byte{0}, Data: []byte{1, 2}},
			{Program: 3, Depth: 1, Outer: 1, Inner: -1, Accounts: []byte{0, 1, 2, 3}, Data: []byte{3}},
			{Program: 1, Depth: 2, Outer: 1, Inner: 0, Accounts: []byte{2}, Data: []byte{4}},
			{Program: 2, Depth: 3, Outer: 1, Inner: 1, Accounts: []byte{3}},
		}
		if len(tx.Instructions) != len(want) {
			t.Fatalf("%d instructions, want %d", len(tx.Instructions), len(want))
		}
		for i, w := range want {
			g := tx.Instructions[i]
			if g.Program != w.Program || g.Depth != w.Depth || g.Outer != w.Outer || g.Inner != w.Inner ||
				!bytes.Equal(g.Accounts, w.Accounts) || !bytes.Equal(g.Data, w.Data) {
				t.Errorf("instruction %d: %+v, want %+v", i, g, w)
			}
		}
		if len(tx.PostTokens) != 1 || tx.PostTokens[0].Amount != 1<<64-1 || tx.PostTokens[0].Mint != swapcast.USDC() ||
			tx.PostTokens[0].Decimals != 6 || tx.PostTokens[0].Program != solana.TokenProgramID {
			t.Errorf("post tokens: %+v", tx.PostTokens)
		}
	}
}

func TestDecodeUnknownDepthAndInner(t *testing.T) {
	u := sample()
	u.Transaction.Meta.InnerInstructions[0].Instructions[0].StackHeight = nil
	u.Transaction.Meta.InnerInstructions[0].Instructions[1].StackHeight = ptr(uint32(1))
	u.Transaction.Meta.InnerInstructionsNone = true
	u.Transaction.Meta.LogMessagesNone = true
	var tx swapcast.Transaction
	if err := NewDecoder().Transaction(u, &tx); err != nil {
		t.Fatal(err)
	}
	if tx.Instructions[2].Depth != 0 || tx.Instructions[3].Depth != 0 {
		t.Error("a stack height that is absent or impossible must give depth 0")
	}
	if tx.InnerKnown || tx.Logs != nil {
		t.Error("none flags are not honoured")
	}
}

func TestDecodeRefusesBadMessages(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*pb.SubscribeUpdateTransaction)
		want  DecodeError
	}{
		"empty":            {func(u *pb.SubscribeUpdateTransaction) { u.Transaction = nil }, ErrNoTransaction},
		"no message":       {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Transaction.Message = nil }, ErrNoTransaction},
		"no meta":          {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta = nil }, ErrNoMeta},
		"short signature":  {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Signature = []byte{1} }, ErrBadSignature},
		"short key":        {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Transaction.Message.AccountKeys[1] = []byte{1} }, ErrBadKey},
		"short loaded key": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.LoadedWritableAddresses[0] = nil }, ErrBadKey},
		"257 keys": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.LoadedReadonlyAddresses = make([][]byte, 254)
		}, ErrTooManyKeys},
		"too many signers": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Transaction.Message.Header.NumRequiredSignatures = 3
		}, ErrBadHeader},
		"no signer": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Transaction.Message.Header = nil }, ErrBadHeader},
		"program range": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Transaction.Message.Instructions[0].ProgramIdIndex = 4
		}, ErrIndexRange},
		"program wraps": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Transaction.Message.Instructions[0].ProgramIdIndex = 1 << 31
		}, ErrIndexRange},
		"account range": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Transaction.Message.Instructions[0].Accounts[0] = 4
		}, ErrIndexRange},
		"inner account range": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.InnerInstructions[0].Instructions[1].Accounts[0] = 9
		}, ErrIndexRange},
		"inner program range": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.InnerInstructions[0].Instructions[1].ProgramIdIndex = 9
		}, ErrIndexRange},
		"inner of nothing": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.InnerInstructions[0].Index = 2 }, ErrIndexRange},
		"inner twice": {func(u *pb.SubscribeUpdateTransaction) {
			m := u.Transaction.Meta
			m.InnerInstructions = append(m.InnerInstructions, m.InnerInstructions[0])
		}, ErrDuplicateInner},
		"lamports missing":    {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.PostBalances = []uint64{1} }, ErrBalanceCount},
		"token account range": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.PreTokenBalances[0].AccountIndex = 4 }, ErrIndexRange},
		"amount no number": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.PreTokenBalances[0].UiTokenAmount.Amount = "1.5"
		}, ErrBadTokenBalance},
		"amount too large": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.PreTokenBalances[0].UiTokenAmount.Amount = "18446744073709551616"
		}, ErrBadTokenBalance},
		"no amount": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.PreTokenBalances[0].UiTokenAmount = nil }, ErrBadTokenBalance},
		"decimals": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.PreTokenBalances[0].UiTokenAmount.Decimals = 256
		}, ErrBadTokenBalance},
		"mint":  {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.PreTokenBalances[0].Mint = "So1" }, ErrBadMint},
		"owner": {func(u *pb.SubscribeUpdateTransaction) { u.Transaction.Meta.PreTokenBalances[0].Owner = "0OIl" }, ErrBadMint},
		"nil rows": {func(u *pb.SubscribeUpdateTransaction) {
			u.Transaction.Meta.PreTokenBalances[0] = nil
		}, ErrBadTokenBalance},
	} {
		t.Run(name, func(t *testing.T) {
			u := sample()
			c.spoil(u)
			var tx swapcast.Transaction
			err := NewDecoder().Transaction(u, &tx)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestDecodeOldRows: very old transactions name neither owner nor program.
func TestDecodeOldRows(t *testing.T) {
	u := sample()
	u.Transaction.Meta.PreTokenBalances[0].Owner = ""
	u.Transaction.Meta.PreTokenBalances[0].ProgramId = ""
	var tx swapcast.Transaction
	if err := NewDecoder().Transaction(u, &tx); err != nil {
		t.Fatal(err)
	}
	if !tx.PreTokens[0].Owner.IsZero() || !tx.PreTokens[0].Program.IsZero() {
		t.Errorf("row: %+v", tx.PreTokens[0])
	}
}

func TestMessageVersion(t *testing.T) {
	v1 := func(cfg solana.TransactionConfig) *pb.Message {
		m := &pb.Message{}
		MarkV1(m, &cfg)
		return m
	}
	withUnknown := func(b ...byte) *pb.Message {
		m := &pb.Message{Versioned: true}
		m.ProtoReflect().SetUnknown(b)
		return m
	}
	for name, c := range map[string]struct {
		msg  *pb.Message
		want swapcast.TxVersion
	}{
		"legacy":                {&pb.Message{}, swapcast.TxLegacy},
		"v0":                    {&pb.Message{Versioned: true}, swapcast.TxV0},
		"v0 with a new field":   {withUnknown(0x42, 1, 7), swapcast.TxV0}, // field 8, whose body looks like a tag
		"v1 without any budget": {v1(solana.TransactionConfig{}), swapcast.TxV1},
		"v1 with a budget":      {v1(solana.TransactionConfig{}.WithPriorityFee(1).WithHeapSize(1 << 15)), swapcast.TxV1},
		"v1 behind a new field": {withUnknown(0x42, 1, 7, 0x3a, 0), swapcast.TxV1},
	} {
		// Over the wire and back, as a server would send it.
		b, err := proto.Marshal(c.msg)
		if err != nil {
			t.Fatal(err)
		}
		var back pb.Message
		if err := proto.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if got := messageVersion(&back); got != c.want {
			t.Errorf("%s: version %d, want %d", name, got, c.want)
		}
	}
}

// TestDecodeAllocates holds the decoder to its promise.
func TestDecodeAllocates(t *testing.T) {
	u := sample()
	d := NewDecoder()
	var tx swapcast.Transaction
	if n := testing.AllocsPerRun(100, func() {
		if err := d.Transaction(u, &tx); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a transaction, want 0", n)
	}
}

// FuzzDecoder feeds arbitrary protobuf: no panic, and every index that comes
// out is in range.
func FuzzDecoder(f *testing.F) {
	b, err := proto.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{})
	d := NewDecoder()
	var tx swapcast.Transaction
	f.Fuzz(func(t *testing.T, b []byte) {
		var u pb.SubscribeUpdateTransaction
		if proto.Unmarshal(b, &u) != nil {
			return
		}
		if d.Transaction(&u, &tx) != nil {
			return
		}
		n := len(tx.Keys)
		if tx.NumStatic > n || tx.NumSigners > tx.NumStatic || len(tx.PreBalances) != n || len(tx.PostBalances) != n {
			t.Fatalf("lists do not fit: %+v", tx)
		}
		for _, ins := range tx.Instructions {
			if int(ins.Program) >= n {
				t.Fatal("program out of range")
			}
			for _, a := range ins.Accounts {
				if int(a) >= n {
					t.Fatal("account out of range")
				}
			}
		}
		for _, r := range slices.Concat(tx.PreTokens, tx.PostTokens) {
			if int(r.Account) >= n {
				t.Fatal("token account out of range")
			}
		}
	})
}
