// Package parsertest holds what tests of the parser need: transactions that we
// made ourselves, built instruction by instruction for every DEX, and the
// loader of the corpus of real ones, which is not part of the repository.
//
// It is for tests only.
package parsertest
