package capture

import (
	"encoding/binary"
	"encoding/json"
	"slices"
)

// encodeTokenSetup knows the token instructions that create and configure
// accounts and mints.
func encodeTokenSetup(kind string, f *fields) (raw rawInstruction, known bool) {
	switch kind {
	case "initializeMint":
		return rawInstruction{f.accounts("mint", "rentSysvar"), mintData(0, f)}, true
	case "initializeMint2":
		return rawInstruction{f.accounts("mint"), mintData(20, f)}, true
	case "initializeAccount":
		return rawInstruction{f.accounts("account", "mint", "owner", "rentSysvar"), []byte{1}}, true
	case "initializeAccount2":
		return rawInstruction{f.accounts("account", "mint", "rentSysvar"), append([]byte{16}, f.key("owner")...)}, true
	case "initializeAccount3":
		return rawInstruction{f.accounts("account", "mint"), append([]byte{18}, f.key("owner")...)}, true
	case "initializeImmutableOwner":
		return rawInstruction{f.accounts("account"), []byte{22}}, true
	case "getAccountDataSize":
		return rawInstruction{f.accounts("mint"), append([]byte{21}, extensionTypes(f)...)}, true
	case "setAuthority":
		of := "account"
		if f.has("mint") {
			of = "mint"
		}
		at := slices.Index(authorityTypes(), f.text("authorityType"))
		if at < 0 {
			f.fail("authorityType", "known authority")
		}
		return rawInstruction{
			f.signed("authority", "multisigAuthority", of),
			append([]byte{6, byte(at)}, f.optionalKey("newAuthority")...),
		}, true
	case "initializeMetadataPointer":
		data := append([]byte{39, 0}, keyOrZero(f, "authority")...)
		return rawInstruction{f.accounts("mint"), append(data, keyOrZero(f, "metadataAddress")...)}, true
	case "initializeTokenMetadata":
		// spl-token-metadata-interface: the first 8 bytes of SHA-256 of
		// "spl_token_metadata_interface:initialize_account", then three texts.
		data := []byte{210, 225, 30, 162, 88, 184, 77, 141}
		for _, name := range []string{"name", "symbol", "uri"} {
			s := f.text(name)
			data = append(binary.LittleEndian.AppendUint32(data, uint32(len(s))), s...)
		}
		return rawInstruction{f.accounts("metadata", "updateAuthority", "mint", "mintAuthority"), data}, true
	case "updateTokenMetadataAuthority":
		// Discriminator of "spl_token_metadata_interface:update_the_authority".
		data := append([]byte{215, 228, 166, 228, 84, 100, 86, 123}, keyOrZero(f, "newAuthority")...)
		return rawInstruction{f.accounts("metadata", "updateAuthority"), data}, true
	}
	return raw, false
}

func mintData(op byte, f *fields) []byte {
	decimals := f.u64("decimals")
	if decimals > 255 {
		f.fail("decimals", "number below 256")
	}
	data := append([]byte{op, byte(decimals)}, f.key("mintAuthority")...)
	return append(data, f.optionalKey("freezeAuthority")...)
}

// keyOrZero reads an OptionalNonZeroPubkey: 32 zero bytes where there is none.
func keyOrZero(f *fields, name string) []byte {
	if !f.has(name) {
		return make([]byte, 32)
	}
	return f.key(name)
}

// authorityTypes stand in the order of spl-token-2022's AuthorityType.
func authorityTypes() []string {
	return []string{
		"mintTokens", "freezeAccount", "accountOwner", "closeAccount", "transferFeeConfig",
		"withheldWithdraw", "closeMint", "interestRate", "permanentDelegate", "confidentialTransferMint",
		"transferHookProgramId", "confidentialTransferFeeConfig", "metadataPointer", "groupPointer",
		"groupMemberPointer", "scaledUiAmount", "pause",
	}
}

// extensionTypes reads a list of Token-2022's ExtensionType as its u16 form.
func extensionTypes(f *fields) []byte {
	if !f.has("extensionTypes") {
		return nil
	}
	var names []string
	if json.Unmarshal(f.m["extensionTypes"], &names) != nil {
		f.fail("extensionTypes", "list of names")
	}
	order := []string{
		"uninitialized", "transferFeeConfig", "transferFeeAmount", "mintCloseAuthority",
		"confidentialTransferMint", "confidentialTransferAccount", "defaultAccountState", "immutableOwner",
		"memoTransfer", "nonTransferable", "interestBearingConfig", "cpiGuard", "permanentDelegate",
		"nonTransferableAccount", "transferHook", "transferHookAccount", "confidentialTransferFeeConfig",
		"confidentialTransferFeeAmount", "metadataPointer", "tokenMetadata", "groupPointer", "tokenGroup",
		"groupMemberPointer", "tokenGroupMember",
	}
	var out []byte
	for _, n := range names {
		at := slices.Index(order, n)
		if at < 0 {
			f.fail("extensionTypes", "list of known extensions")
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(at))
	}
	return out
}

// encodeAssociated writes create in its one-byte form; the empty form that
// old programs send means the same.
func encodeAssociated(kind string, f *fields) (raw rawInstruction, known bool) {
	op := slices.Index([]string{"create", "createIdempotent"}, kind)
	if op < 0 {
		return raw, false
	}
	accounts := f.accounts("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
	if f.has("rentSysvar") {
		accounts = append(accounts, f.text("rentSysvar"))
	}
	return rawInstruction{accounts, []byte{byte(op)}}, true
}

// encodeSystem writes bincode: a u32 variant, then the fields.
func encodeSystem(kind string, f *fields) (raw rawInstruction, known bool) {
	u32, u64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	seed := func(dst []byte, name string) []byte {
		s := f.text(name)
		return append(u64(dst, uint64(len(s))), s...)
	}
	switch kind {
	case "createAccount":
		data := u64(u64(u32(nil, 0), f.u64("lamports")), f.u64("space"))
		return rawInstruction{f.accounts("source", "newAccount"), append(data, f.key("owner")...)}, true
	case "assign":
		return rawInstruction{f.accounts("account"), append(u32(nil, 1), f.key("owner")...)}, true
	case "transfer":
		return rawInstruction{f.accounts("source", "destination"), u64(u32(nil, 2), f.u64("lamports"))}, true
	case "createAccountWithSeed":
		data := seed(append(u32(nil, 3), f.key("base")...), "seed")
		data = append(u64(u64(data, f.u64("lamports")), f.u64("space")), f.key("owner")...)
		accounts := f.accounts("source", "newAccount")
		if f.text("base") != f.text("source") { // the base signs too where it is not the payer
			accounts = append(accounts, f.text("base"))
		}
		return rawInstruction{accounts, data}, true
	case "advanceNonce":
		return rawInstruction{f.accounts("nonceAccount", "recentBlockhashesSysvar", "nonceAuthority"), u32(nil, 4)}, true
	case "allocate":
		return rawInstruction{f.accounts("account"), u64(u32(nil, 8), f.u64("space"))}, true
	case "allocateWithSeed":
		data := seed(append(u32(nil, 9), f.key("base")...), "seed")
		data = append(u64(data, f.u64("space")), f.key("owner")...)
		return rawInstruction{f.accounts("account", "base"), data}, true
	case "assignWithSeed":
		data := seed(append(u32(nil, 10), f.key("base")...), "seed")
		return rawInstruction{f.accounts("account", "base"), append(data, f.key("owner")...)}, true
	case "transferWithSeed":
		data := seed(u64(u32(nil, 11), f.u64("lamports")), "sourceSeed")
		data = append(data, f.key("sourceOwner")...)
		return rawInstruction{f.accounts("source", "sourceBase", "destination"), data}, true
	}
	return raw, false
}

// encodeStake knows what stake pools do next to swaps.
func encodeStake(kind string, f *fields) (raw rawInstruction, known bool) {
	u32 := binary.LittleEndian.AppendUint32
	switch kind {
	case "split":
		data := binary.LittleEndian.AppendUint64(u32(nil, 3), f.u64("lamports"))
		return rawInstruction{f.accounts("stakeAccount", "newSplitAccount", "stakeAuthority"), data}, true
	case "authorize":
		role := slices.Index([]string{"Staker", "Withdrawer"}, f.text("authorityType"))
		if role < 0 {
			f.fail("authorityType", "Staker or Withdrawer")
		}
		accounts := f.accounts("stakeAccount", "clockSysvar", "authority")
		if f.has("custodian") {
			accounts = append(accounts, f.text("custodian"))
		}
		return rawInstruction{accounts, u32(append(u32(nil, 1), f.key("newAuthority")...), uint32(role))}, true
	}
	return raw, false
}
