package rpctest

import (
	"encoding/base64"
	"encoding/json"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/swapcast/swapcast"
)

// maxAccounts is how many keys getMultipleAccounts takes.
const maxAccounts = 100

type uiAccount struct {
	Lamports   uint64 `json:"lamports"`
	Owner      string `json:"owner"`
	Data       any    `json:"data"`
	Executable bool   `json:"executable"`
	RentEpoch  uint64 `json:"rentEpoch"`
	Space      int    `json:"space"`
}

// withContext adds the slot that the answer is of.
func (a *arguments) withContext(value any) any {
	return map[string]any{"context": map[string]any{"slot": a.slot, "apiVersion": "0.0.0"}, "value": value}
}

// encode gives an account as the request wants it.
func (a *arguments) encode(account *Account) (*uiAccount, error) {
	data := account.Data
	if s := a.conf.DataSlice; s != nil {
		from := min(s.Offset, uint64(len(data)))
		data = data[from : from+min(s.Length, uint64(len(data))-from)]
	}
	out := &uiAccount{
		Lamports: account.Lamports, Owner: account.Owner.String(), Executable: account.Executable,
		RentEpoch: 1<<64 - 1, Space: len(account.Data),
	}
	switch a.conf.Encoding {
	case encodingBase64, "jsonParsed": // a parser that cannot be found falls back to base64
		out.Data = [2]string{base64.StdEncoding.EncodeToString(data), encodingBase64}
	case "", encodingBase58:
		const longest = 128
		if len(data) > longest {
			return nil, &rpcError{Code: -32600, Message: "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."}
		}
		out.Data = [2]string{base58.Encode(data), encodingBase58}
		if a.conf.Encoding == "" {
			out.Data = base58.Encode(data)
		}
	default:
		return nil, invalid("rpctest knows no encoding %q of accounts", a.conf.Encoding)
	}
	return out, nil
}

func (s *Server) lookUp(a *arguments, key solana.PublicKey) (*uiAccount, error) {
	account, ok := s.o.Store.Account(key)
	if !ok {
		return nil, nil //nolint:nilnil // null is the answer
	}
	return a.encode(&account)
}

func (s *Server) account(a *arguments) (any, error) {
	key, err := a.key(0)
	if err != nil {
		return nil, err
	}
	account, err := s.lookUp(a, key)
	if err != nil {
		return nil, err
	}
	return a.withContext(account), nil
}

func (s *Server) accounts(a *arguments) (any, error) {
	var texts []string
	if len(a.list) == 0 {
		return nil, invalid("parameter 1 is missing")
	}
	if err := json.Unmarshal(a.list[0], &texts); err != nil {
		return nil, invalid("%v", err)
	}
	if len(texts) > maxAccounts {
		return nil, invalid("Too many inputs provided; max %d", maxAccounts)
	}
	out := make([]*uiAccount, 0, len(texts))
	for _, text := range texts {
		key, err := swapcast.ParseKey(text)
		if err != nil {
			return nil, invalid("%v", err)
		}
		account, err := s.lookUp(a, key)
		if err != nil {
			return nil, err
		}
		out = append(out, account)
	}
	return a.withContext(out), nil
}

func (s *Server) balance(a *arguments) (any, error) {
	key, err := a.key(0)
	if err != nil {
		return nil, err
	}
	account, _ := s.o.Store.Account(key)
	return a.withContext(account.Lamports), nil
}

// tokenAccounts is getTokenAccountsByOwner: by mint, or by token program.
func (s *Server) tokenAccounts(a *arguments) (any, error) {
	owner, err := a.key(0)
	if err != nil {
		return nil, err
	}
	var by struct{ Mint, ProgramID string }
	if len(a.list) < 2 {
		return nil, invalid("parameter 2 is missing")
	}
	if err := json.Unmarshal(a.list[1], &by); err != nil || (by.Mint == "") == (by.ProgramID == "") {
		return nil, invalid("either mint or programId")
	}
	type keyed struct {
		Pubkey  string     `json:"pubkey"`
		Account *uiAccount `json:"account"`
	}
	out := []keyed{}
	for _, t := range s.o.Store.TokenAccounts(owner) {
		if by.ProgramID != "" && t.Owner.String() != by.ProgramID ||
			by.Mint != "" && base58.Encode(t.Data[:solana.PublicKeyLength]) != by.Mint {
			continue
		}
		account, err := a.encode(&t.Account)
		if err != nil {
			return nil, err
		}
		out = append(out, keyed{Pubkey: t.Key.String(), Account: account})
	}
	return a.withContext(out), nil
}
