package capture

import (
	"encoding/base64"
	"fmt"
	"strconv"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// buildMeta builds the result part. parsed is the transaction as it stood in
// JSON, nil where it came as bytes.
func buildMeta(m *rpcMeta, msg *pb.Message, parsed *jsonTransaction) (*pb.TransactionStatusMeta, error) {
	out := &pb.TransactionStatusMeta{
		Fee:                  uint64(m.Fee),
		PreBalances:          m.PreBalances,
		PostBalances:         m.PostBalances,
		ReturnDataNone:       m.ReturnData == nil,
		ComputeUnitsConsumed: m.ComputeUnitsConsumed.pointer(),
		CostUnits:            m.CostUnits.pointer(),
		PreTokenBalances:     tokenBalances(m.PreTokenBalances),
		PostTokenBalances:    tokenBalances(m.PostTokenBalances),
		Rewards:              rewards(m.Rewards),
	}
	if len(m.Err) > 0 && string(m.Err) != "null" {
		out.Err = &pb.TransactionError{Err: bincodeError(m.Err)}
	}
	if m.LogMessages == nil {
		out.LogMessagesNone = true
	} else {
		out.LogMessages = *m.LogMessages
	}
	loaded := m.LoadedAddresses
	if parsed != nil && parsed.keyAt != nil {
		loaded = &parsed.loaded
	}
	if loaded != nil {
		var err error
		if out.LoadedWritableAddresses, err = decodeKeys(loaded.Writable); err != nil {
			return nil, fmt.Errorf("loaded address: %w", err)
		}
		if out.LoadedReadonlyAddresses, err = decodeKeys(loaded.Readonly); err != nil {
			return nil, fmt.Errorf("loaded address: %w", err)
		}
	}
	if r := m.ReturnData; r != nil {
		var err error
		if out.ReturnData, err = returnData(r); err != nil {
			return nil, err
		}
	}
	return out, buildInner(m, out, parsed)
}

func buildInner(m *rpcMeta, out *pb.TransactionStatusMeta, parsed *jsonTransaction) error {
	if m.InnerInstructions == nil {
		out.InnerInstructionsNone = true
		return nil
	}
	for _, g := range *m.InnerInstructions {
		list := &pb.InnerInstructions{Index: g.Index}
		for i := range g.Instructions {
			ins, err := parsed.instruction(&g.Instructions[i])
			if err != nil {
				return fmt.Errorf("instruction %d.%d: %w", g.Index, i, err)
			}
			list.Instructions = append(list.Instructions, ins)
		}
		out.InnerInstructions = append(out.InnerInstructions, list)
	}
	return nil
}

func tokenBalances(rows []rpcTokenBalance) []*pb.TokenBalance {
	out := make([]*pb.TokenBalance, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		ui := &pb.UiTokenAmount{
			Decimals: r.UITokenAmount.Decimals, Amount: r.UITokenAmount.Amount,
			UiAmountString: r.UITokenAmount.UIAmountString,
		}
		if r.UITokenAmount.UIAmount != nil {
			ui.UiAmount = *r.UITokenAmount.UIAmount
		}
		out = append(out, &pb.TokenBalance{
			AccountIndex: r.AccountIndex, Mint: r.Mint, Owner: r.Owner, ProgramId: r.ProgramID, UiTokenAmount: ui,
		})
	}
	return out
}

func returnData(r *rpcReturnData) (*pb.ReturnData, error) {
	program, err := decodeBytes32(r.ProgramID)
	if err != nil {
		return nil, fmt.Errorf("return data: %w", err)
	}
	if len(r.Data) != 2 || r.Data[1] != "base64" {
		return nil, fmt.Errorf("return data is not [text, \"base64\"]")
	}
	data, err := base64.StdEncoding.DecodeString(r.Data[0])
	if err != nil {
		return nil, fmt.Errorf("return data: %w", err)
	}
	return &pb.ReturnData{ProgramId: program, Data: data}, nil
}

func rewards(rows []*rpcReward) []*pb.Reward {
	var out []*pb.Reward
	for _, r := range rows {
		if r == nil {
			continue
		}
		w := &pb.Reward{Pubkey: r.Pubkey, Lamports: r.Lamports, PostBalance: uint64(r.PostBalance)}
		if r.RewardType != nil {
			w.RewardType = pb.RewardType(pb.RewardType_value[*r.RewardType])
		}
		if r.Commission != nil {
			w.Commission = strconv.Itoa(int(*r.Commission))
		}
		out = append(out, w)
	}
	return out
}
