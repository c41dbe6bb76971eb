package capture

import (
	"encoding/binary"
	"encoding/json"
	"slices"
)

// Geyser carries a transaction's error as bincode of Solana's
// TransactionError, RPC as its JSON form. The names stand in the order of the
// enums in solana-sdk (transaction-error and instruction-error crates), so a
// name's position is its bincode variant.
func transactionErrors() []string {
	return []string{
		"AccountInUse", "AccountLoadedTwice", "AccountNotFound", "ProgramAccountNotFound",
		"InsufficientFundsForFee", "InvalidAccountForFee", "AlreadyProcessed", "BlockhashNotFound",
		"InstructionError", "CallChainTooDeep", "MissingSignatureForFee", "InvalidAccountIndex",
		"SignatureFailure", "InvalidProgramForExecution", "SanitizeFailure", "ClusterMaintenance",
		"AccountBorrowOutstanding", "WouldExceedMaxBlockCostLimit", "UnsupportedVersion",
		"InvalidWritableAccount", "WouldExceedMaxAccountCostLimit", "WouldExceedAccountDataBlockLimit",
		"TooManyAccountLocks", "AddressLookupTableNotFound", "InvalidAddressLookupTableOwner",
		"InvalidAddressLookupTableData", "InvalidAddressLookupTableIndex", "InvalidRentPayingAccount",
		"WouldExceedMaxVoteCostLimit", "WouldExceedAccountDataTotalLimit", "DuplicateInstruction",
		"InsufficientFundsForRent", "MaxLoadedAccountsDataSizeExceeded", "InvalidLoadedAccountsDataSizeLimit",
		"ResanitizationNeeded", "ProgramExecutionTemporarilyRestricted", "UnbalancedTransaction",
		"ProgramCacheHitMaxLimit", "CommitCancelled",
	}
}

func instructionErrors() []string {
	return []string{
		"GenericError", "InvalidArgument", "InvalidInstructionData", "InvalidAccountData",
		"AccountDataTooSmall", "InsufficientFunds", "IncorrectProgramId", "MissingRequiredSignature",
		"AccountAlreadyInitialized", "UninitializedAccount", "UnbalancedInstruction", "ModifiedProgramId",
		"ExternalAccountLamportSpend", "ExternalAccountDataModified", "ReadonlyLamportChange",
		"ReadonlyDataModified", "DuplicateAccountIndex", "ExecutableModified", "RentEpochModified",
		"NotEnoughAccountKeys", "AccountDataSizeChanged", "AccountNotExecutable", "AccountBorrowFailed",
		"AccountBorrowOutstanding", "DuplicateAccountOutOfSync", "Custom", "InvalidError",
		"ExecutableDataModified", "ExecutableLamportChange", "ExecutableAccountNotRentExempt",
		"UnsupportedProgramId", "CallDepth", "MissingAccount", "ReentrancyNotAllowed",
		"MaxSeedLengthExceeded", "InvalidSeeds", "InvalidRealloc", "ComputationalBudgetExceeded",
		"PrivilegeEscalation", "ProgramEnvironmentSetupFailure", "ProgramFailedToComplete",
		"ProgramFailedToCompile", "Immutable", "IncorrectAuthority", "BorshIoError", "AccountNotRentExempt",
		"InvalidAccountOwner", "ArithmeticOverflow", "UnsupportedSysvar", "IllegalOwner",
		"MaxAccountsDataAllocationsExceeded", "MaxAccountsExceeded", "MaxInstructionTraceLengthExceeded",
		"BuiltinProgramsMustConsumeComputeUnits",
	}
}

// bincodeError encodes the JSON form of a transaction error. An error that
// these lists do not know gives nil: the transaction still counts as failed,
// only the cause is not told.
func bincodeError(raw json.RawMessage) []byte {
	name, body := variant(raw)
	at := slices.Index(transactionErrors(), name)
	if at < 0 {
		return nil
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(at))
	switch name {
	case "InstructionError":
		return appendInstructionError(out, body)
	case "DuplicateInstruction":
		var n uint8
		if json.Unmarshal(body, &n) != nil {
			return nil
		}
		return append(out, n)
	case "InsufficientFundsForRent", "ProgramExecutionTemporarilyRestricted":
		var at struct {
			AccountIndex *uint8 `json:"account_index"`
		}
		if json.Unmarshal(body, &at) != nil || at.AccountIndex == nil {
			return nil
		}
		return append(out, *at.AccountIndex)
	default:
		return out
	}
}

// appendInstructionError takes the pair [instruction index, error].
func appendInstructionError(out []byte, body json.RawMessage) []byte {
	var pair []json.RawMessage
	if json.Unmarshal(body, &pair) != nil || len(pair) != 2 {
		return nil
	}
	var index uint8
	if json.Unmarshal(pair[0], &index) != nil {
		return nil
	}
	name, body := variant(pair[1])
	at := slices.Index(instructionErrors(), name)
	if at < 0 {
		return nil
	}
	out = binary.LittleEndian.AppendUint32(append(out, index), uint32(at))
	switch name {
	case "Custom":
		var code uint32
		if json.Unmarshal(body, &code) != nil {
			return nil
		}
		return binary.LittleEndian.AppendUint32(out, code)
	case "BorshIoError": // a text until Agave 2, nothing since
		var text string
		if body == nil || json.Unmarshal(body, &text) != nil {
			return out
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(len(text)))
		return append(out, text...)
	default:
		return out
	}
}

// variant splits the JSON form of a Rust enum: "Name" or {"Name": body}.
func variant(raw json.RawMessage) (name string, body json.RawMessage) {
	if json.Unmarshal(raw, &name) == nil {
		return name, nil
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil || len(m) != 1 {
		return "", nil
	}
	for name, body = range m {
	}
	return name, body
}
