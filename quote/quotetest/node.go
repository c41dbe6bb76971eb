package quotetest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// What every wallet of the node owns, and what its accounts cost.
const (
	walletLamports = 10_000_000_000_000 // 10,000 SOL
	walletTokens   = 1 << 60
	tokenRent      = 2_039_280
	signatureFee   = 5_000
)

// Node answers the JSON-RPC calls that a swap needs: getLatestBlockhash,
// getMultipleAccounts, simulateTransaction of a transaction that Jupiter or DFlow of
// this package made, and sendTransaction, which goes nowhere. Every wallet owns 10,000
// SOL and plenty of every token but wrapped SOL.
func Node(m Market) *Service {
	s := newService("rpc", m, Unhealthy, SimulationFails, SimulatesLess, Refuses, OtherSignature)
	s.answer = func(_ *http.Request, body []byte, f Fault) reply {
		var ask struct {
			ID     json.RawMessage   `json:"id"`
			Method string            `json:"method"`
			Params []json.RawMessage `json:"params"`
		}
		if json.Unmarshal(body, &ask) != nil {
			return reply{status: http.StatusOK, body: rpcError(nil, -32700, "Parse error")}
		}
		if f == Unhealthy {
			return reply{status: http.StatusOK, body: rpcError(ask.ID, -32005, "Node is behind by 42 slots")}
		}
		var value any
		switch ask.Method {
		case "getLatestBlockhash":
			value = map[string]any{"blockhash": blockhash(m).String(), "lastValidBlockHeight": m.Slot() + blockhashLife}
		case "getMultipleAccounts":
			value = accountsBefore(ask.Params)
		case "simulateTransaction":
			simulated, ok := simulate(ask.Params, f)
			if !ok {
				return reply{status: http.StatusOK, body: rpcError(ask.ID, -32602, "invalid transaction")}
			}
			value = simulated
		case "sendTransaction":
			return reply{status: http.StatusOK, body: taken(ask.ID, ask.Params, f)}
		default:
			return reply{status: http.StatusOK, body: rpcError(ask.ID, -32601, "Method not found")}
		}
		return reply{status: http.StatusOK, body: rpcResult(ask.ID, map[string]any{
			"context": map[string]any{"slot": m.Slot(), "apiVersion": "3.0.0"}, "value": value,
		})}
	}
	return s
}

func rpcResult(id json.RawMessage, result any) map[string]any {
	return map[string]any{"jsonrpc": "2.0", "id": id, "result": result}
}

func rpcError(id json.RawMessage, code int, message string) map[string]any {
	return map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": message}}
}

func blockhash(m Market) solana.Hash {
	return sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("swapcast quotetest block "), m.Slot()))
}

// taken is the answer to sendTransaction.
func taken(id json.RawMessage, params []json.RawMessage, f Fault) map[string]any {
	tx, ok := readTransaction(params)
	switch {
	case !ok || len(tx.Signatures) == 0:
		return rpcError(id, -32602, "invalid transaction")
	case f == Refuses:
		return rpcError(id, -32002, "Transaction simulation failed: Blockhash not found")
	case f == OtherSignature:
		return rpcResult(id, solana.Signature{1}.String())
	}
	return rpcResult(id, tx.Signatures[0].String())
}

func readTransaction(params []json.RawMessage) (*solana.Transaction, bool) {
	var text string
	if len(params) == 0 || json.Unmarshal(params[0], &text) != nil {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	tx, err := solana.TransactionFromBytes(raw)
	return tx, err == nil
}

// accountsBefore is what a wallet's accounts are: wallets are the first key and those
// on the curve, all others token accounts.
func accountsBefore(params []json.RawMessage) []any {
	var texts []string
	if len(params) > 0 {
		_ = json.Unmarshal(params[0], &texts) // no list: an empty answer
	}
	keys := make([]solana.PublicKey, 0, len(texts))
	for _, text := range texts {
		key, err := swapcast.ParseKey(text)
		if err != nil {
			return nil
		}
		keys = append(keys, key)
	}
	list := make([]any, 0, len(keys))
	for i, key := range keys {
		switch {
		case slices.ContainsFunc(keys, func(user solana.PublicKey) bool { return ata(user, swapcast.NativeMint()) == key }):
			list = append(list, nil)
		case i == 0 || solana.IsOnCurve(key[:]):
			list = append(list, account(solana.SystemProgramID, walletLamports, 0))
		default:
			list = append(list, account(solana.TokenProgramID, tokenRent, walletTokens))
		}
	}
	return list
}

func account(owner solana.PublicKey, lamports, tokens uint64) map[string]any {
	var data []byte
	if owner == solana.TokenProgramID {
		data = make([]byte, 165)
		binary.LittleEndian.PutUint64(data[64:], tokens)
	}
	return map[string]any{
		"lamports": lamports, "owner": owner.String(), "data": []string{base64.StdEncoding.EncodeToString(data), "base64"},
		"executable": false, "rentEpoch": uint64(1<<64 - 1), "space": len(data),
	}
}

// simulate runs a transaction of this package's own services.
func simulate(params []json.RawMessage, f Fault) (map[string]any, bool) {
	tx, ok := readTransaction(params)
	if !ok || len(params) < 2 || len(tx.Message.AccountKeys) == 0 {
		return nil, false
	}
	var options struct {
		Accounts struct {
			Addresses []string `json:"addresses"`
		} `json:"accounts"`
	}
	if json.Unmarshal(params[1], &options) != nil {
		return nil, false
	}
	routed, ok := readRouted(tx)
	if !ok {
		return nil, false
	}
	result := map[string]any{
		"err": nil, "logs": []string{}, "unitsConsumed": 118_000, "accounts": nil, "returnData": nil, "innerInstructions": nil,
	}
	switch f {
	case SimulationFails:
		result["err"] = map[string]any{"InstructionError": []any{routed.index, map[string]any{"Custom": 6001}}}
		return result, true
	case SimulatesLess:
		routed.out -= routed.out / 10
	}
	user := tx.Message.AccountKeys[0]
	wrapped := ata(user, swapcast.NativeMint())
	lamports := uint64(walletLamports - signatureFee - priorityFee)
	if routed.source == wrapped {
		lamports -= routed.in
	}
	if routed.destination == wrapped {
		lamports += routed.out
	}
	list := make([]any, 0, len(options.Accounts.Addresses))
	for _, text := range options.Accounts.Addresses {
		key, err := swapcast.ParseKey(text)
		switch {
		case err != nil:
			return nil, false
		case key == user:
			list = append(list, account(solana.SystemProgramID, lamports, 0))
		case key == wrapped:
			list = append(list, nil)
		case key == routed.source:
			list = append(list, account(solana.TokenProgramID, tokenRent, walletTokens-routed.in))
		case key == routed.destination:
			list = append(list, account(solana.TokenProgramID, tokenRent, walletTokens+routed.out))
		default:
			list = append(list, account(solana.TokenProgramID, tokenRent, walletTokens))
		}
	}
	result["accounts"] = list
	return result, true
}

// routedCall is what the one call of a router does.
type routedCall struct {
	index               int
	in, out             uint64
	source, destination solana.PublicKey
}

// readRouted finds it. What stands where is this package's own doing.
func readRouted(tx *solana.Transaction) (c routedCall, ok bool) {
	keys := tx.Message.AccountKeys
	at := func(in *solana.CompiledInstruction, place int) solana.PublicKey {
		if place < len(in.Accounts) && int(in.Accounts[place]) < len(keys) {
			return keys[in.Accounts[place]]
		}
		return solana.PublicKey{}
	}
	for i := range tx.Message.Instructions {
		in := &tx.Message.Instructions[i]
		if int(in.ProgramIDIndex) >= len(keys) || len(in.Data) < 8 {
			continue
		}
		d := in.Data[8:]
		u64 := func(place int) uint64 { return binary.LittleEndian.Uint64(d[place:]) }
		c.index = i
		switch [8]byte(in.Data[:8]) {
		case routeV2.discriminator:
			if len(d) < 16 {
				return c, false
			}
			c.in, c.out, c.source, c.destination = u64(0), u64(8), at(in, 1), at(in, 2)
			return c, true
		case route.discriminator:
			if len(d) < legBytes+16 {
				return c, false
			}
			c.in, c.out, c.source, c.destination = u64(legBytes), u64(legBytes+8), at(in, 2), at(in, 3)
			return c, true
		case dflowSwap2.discriminator:
			if len(d) < legBytes+8 {
				return c, false
			}
			c.in, c.out, c.source, c.destination = u64(5), u64(legBytes), at(in, 6), at(in, 7)
			return c, true
		}
	}
	return c, false
}

// legBytes is the length of the one made-up leg.
const legBytes = 4 + 1 + 8 + 1
