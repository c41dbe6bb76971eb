package parser

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// kind says what a program is to the parser: nothing, one that DEXes call
// (token, system and so on), or, from kindDEX upwards, a DEX by its number.
type kind uint8

const (
	kindOther kind = iota
	kindToken
	kindToken2022
	kindSystem
	kindLeaf // called by DEXes, no DEX itself: memo, associated token, vault programs
	kindDEX  // the first DEX; the n-th is kindDEX+n
)

// programs finds a key's kind. Most keys of a transaction are accounts with
// evenly spread bytes, so the first byte alone settles nearly all of them.
type programs struct {
	first [256]uint8 // first byte -> 1 + position of its first entry, 0 none
	list  []programEntry
}

type programEntry struct {
	key  solana.PublicKey
	kind kind
	next uint8 // 1 + position of the next entry with the same first byte
}

func newPrograms(list []dex) programs {
	var p programs
	p.add(solana.TokenProgramID, kindToken)
	p.add(solana.Token2022ProgramID, kindToken2022)
	p.add(solana.SystemProgramID, kindSystem)
	p.add(solana.MemoProgramID, kindLeaf)
	p.add(solana.SPLAssociatedTokenAccountProgramID, kindLeaf)
	for _, k := range vaultPrograms() {
		p.add(k, kindLeaf)
	}
	for i := range list {
		p.add(solana.MustPublicKeyFromBase58(list[i].program), kindDEX+kind(i))
	}
	return p
}

func (p *programs) add(key solana.PublicKey, k kind) {
	p.list = append(p.list, programEntry{key: key, kind: k, next: p.first[key[0]]})
	p.first[key[0]] = uint8(len(p.list))
}

// kind finds a key. It is on the path of every key of every transaction.
func (p *programs) kind(key *solana.PublicKey) kind {
	for at := p.first[key[0]]; at != 0; {
		e := &p.list[at-1]
		if e.key == *key {
			return e.kind
		}
		at = e.next
	}
	return kindOther
}

// maxKeys is how many accounts a transaction can name: indexes are bytes.
const maxKeys = 256

// classify notes the kind of every key and reports whether one is a DEX. A
// transaction without any is done with here.
func (p *Parser) classify(tx *swapcast.Transaction) bool {
	p.keys = min(len(tx.Keys), maxKeys)
	known := false
	for i := range p.keys {
		k := p.programs.kind(&tx.Keys[i])
		p.kinds[i] = k
		known = known || k >= kindDEX
	}
	return known
}

// kindOf returns the kind of the program that an instruction calls.
func (p *Parser) kindOf(ix *swapcast.Instruction) kind {
	if int(ix.Program) >= p.keys {
		return kindOther
	}
	return p.kinds[ix.Program]
}
