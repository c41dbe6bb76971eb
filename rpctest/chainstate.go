package rpctest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// chainState is what transactions have left behind: lamports, token accounts
// and mints, as far as they were seen.
type chainState struct {
	limit    int
	lamports map[solana.PublicKey]uint64
	tokens   map[solana.PublicKey]tokenState
	owned    map[solana.PublicKey]map[solana.PublicKey]struct{} // owner to its token accounts
	mints    map[solana.PublicKey]*Mint
	given    map[solana.PublicKey]Account // put in as they are
}

type tokenState struct {
	mint, owner, program solana.PublicKey
	amount               uint64
}

func newChainState(limit int) *chainState {
	return &chainState{
		limit:    limit,
		lamports: make(map[solana.PublicKey]uint64),
		tokens:   make(map[solana.PublicKey]tokenState),
		owned:    make(map[solana.PublicKey]map[solana.PublicKey]struct{}),
		mints:    make(map[solana.PublicKey]*Mint),
		given:    make(map[solana.PublicKey]Account),
	}
}

func (s *chainState) put(key solana.PublicKey, a Account) { s.given[key] = a }

// apply takes what a transaction changed. A failed one pays its fee and changes
// nothing else.
func (s *chainState) apply(tx *swapcast.Transaction) {
	for i, key := range tx.Keys {
		if _, known := s.lamports[key]; known || len(s.lamports) < s.limit {
			s.lamports[key] = tx.PostBalances[i]
		}
		if tx.PostBalances[i] == 0 {
			delete(s.lamports, key)
		}
	}
	for i := range tx.PreTokens {
		key := tx.Keys[tx.PreTokens[i].Account]
		if !slices.ContainsFunc(tx.PostTokens, func(b swapcast.TokenBalance) bool { return b.Account == tx.PreTokens[i].Account }) {
			s.closeToken(key)
		}
	}
	for i := range tx.PostTokens {
		s.setToken(tx.Keys[tx.PostTokens[i].Account], &tx.PostTokens[i])
	}
	if tx.Failed {
		return
	}
	for i := range tx.Instructions {
		s.instruction(tx, &tx.Instructions[i])
	}
}

func (s *chainState) closeToken(key solana.PublicKey) {
	if t, ok := s.tokens[key]; ok {
		delete(s.owned[t.owner], key)
		if len(s.owned[t.owner]) == 0 {
			delete(s.owned, t.owner)
		}
		delete(s.tokens, key)
	}
}

func (s *chainState) setToken(key solana.PublicKey, b *swapcast.TokenBalance) {
	s.closeToken(key)
	if len(s.tokens) >= s.limit {
		return
	}
	t := tokenState{mint: b.Mint, owner: b.Owner, program: b.Program, amount: b.Amount}
	if t.program.IsZero() {
		t.program = solana.TokenProgramID
	}
	s.tokens[key] = t
	if s.owned[t.owner] == nil {
		s.owned[t.owner] = make(map[solana.PublicKey]struct{})
	}
	s.owned[t.owner][key] = struct{}{}
}

// Instructions of the token programs that make mints and change their supply,
// and of Token-2022's metadata (interface of spl-token-2022 and
// spl-token-metadata-interface).
const (
	insInitializeMint  = 0
	insMintTo          = 7
	insBurn            = 8
	insMintToChecked   = 14
	insBurnChecked     = 15
	insInitializeMint2 = 20
	// initializeMetadata is the beginning of the hash of
	// "spl_token_metadata_interface:initialize_account".
	initializeMetadata = "\xd2\xe1\x1e\xa2\x58\xb8\x4d\x8d"
)

func (s *chainState) instruction(tx *swapcast.Transaction, ins *swapcast.Instruction) {
	program := tx.Keys[ins.Program]
	if program != solana.TokenProgramID && program != solana.Token2022ProgramID || len(ins.Data) < 2 || len(ins.Accounts) == 0 {
		return
	}
	account := tx.Keys[ins.Accounts[0]]
	switch data := ins.Data; {
	case bytes.HasPrefix(data, []byte(initializeMetadata)):
		s.nameMint(account, data[len(initializeMetadata):])
	case data[0] == insInitializeMint || data[0] == insInitializeMint2:
		if len(s.mints) < s.limit {
			s.mints[account] = &Mint{Key: account, Program: program, Decimals: data[1]}
		}
	case len(data) < 9:
	case data[0] == insMintTo || data[0] == insMintToChecked:
		if m := s.mints[account]; m != nil {
			m.Supply += binary.LittleEndian.Uint64(data[1:])
		}
	case (data[0] == insBurn || data[0] == insBurnChecked) && len(ins.Accounts) > 1:
		if m := s.mints[tx.Keys[ins.Accounts[1]]]; m != nil {
			m.Supply -= min(m.Supply, binary.LittleEndian.Uint64(data[1:]))
		}
	}
}

// nameMint reads name, symbol and uri. The metadata account is the mint itself
// for all that we follow.
func (s *chainState) nameMint(account solana.PublicKey, data []byte) {
	m := s.mints[account]
	if m == nil {
		return
	}
	for _, field := range [...]*string{&m.Name, &m.Symbol, &m.URI} {
		if len(data) < 4 {
			return
		}
		n := binary.LittleEndian.Uint32(data)
		if uint64(n) > uint64(len(data)-4) {
			return
		}
		*field, data = string(data[4:4+n]), data[4+n:]
	}
	m.Form = Extension
}

func (s *chainState) account(key solana.PublicKey) (Account, bool) {
	if a, ok := s.given[key]; ok {
		return a, true
	}
	lamports, ok := s.lamports[key]
	if m := s.mints[key]; m != nil {
		if !ok {
			lamports = mintRent
		}
		return Account{Lamports: lamports, Owner: m.Program, Data: MintData(m)}, true
	}
	if t, ok := s.tokens[key]; ok {
		return Account{Lamports: lamports, Owner: t.program, Data: t.data()}, true
	}
	return Account{Lamports: lamports, Owner: solana.SystemProgramID}, ok
}

// data is a token account's: SPL Token's Account, initialized, without delegate.
func (t *tokenState) data() []byte {
	data := make([]byte, tokenLen)
	copy(data, t.mint[:])
	copy(data[32:], t.owner[:])
	binary.LittleEndian.PutUint64(data[64:], t.amount)
	data[108] = 1
	return data
}

func (s *chainState) tokenAccounts(owner solana.PublicKey) []KeyedAccount {
	var out []KeyedAccount
	for key := range s.owned[owner] {
		a, _ := s.account(key)
		out = append(out, KeyedAccount{Key: key, Account: a})
	}
	slices.SortFunc(out, func(a, b KeyedAccount) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return out
}
