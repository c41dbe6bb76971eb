package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser"
)

// parseCmd is `swapcast parse`: transactions in, one JSON line for each swap,
// balance change and unparsed instruction out.
type parseCmd struct {
	Files      []string `arg:"" name:"FILE" help:"JSON of getTransaction or getBlock, JSON lines, a capture, or a folder of those; - is standard input."`
	Kinds      string   `help:"What to print: any of swap, balance and unparsed." default:"swap,balance,unparsed" placeholder:"LIST"`
	NoBalances bool     `help:"Leave balance changes out."`
}

// Run parses every file. One that cannot be read, or holds something that
// cannot, is reported and the rest is parsed all the same; the exit code is 1
// then.
func (c *parseCmd) Run(ctx context.Context, env *environ) error {
	p := &parsing{
		env: env, out: bufio.NewWriterSize(env.Stdout, 256<<10),
		decoder: geyser.NewDecoder(), parser: parser.New(),
	}
	if err := p.choose(c.Kinds); err != nil {
		return err
	}
	if c.NoBalances {
		p.balances = false
	}
	for _, path := range c.Files {
		if err := p.file(ctx, path); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if p.problems > 0 {
		return fmt.Errorf("%d of the inputs' parts could not be read (each is named above)", p.problems)
	}
	return nil
}

// parsing is one run of the command.
type parsing struct {
	env                       *environ
	out                       *bufio.Writer
	decoder                   *geyser.Decoder
	parser                    *parser.Parser
	swaps, balances, unparsed bool
	problems                  int

	// scratch, reused for each transaction
	tx      swapcast.Transaction
	result  parser.Result
	changes []swapcast.BalanceChange
	line    []byte
}

// choose reads --kinds.
func (p *parsing) choose(kinds string) error {
	for kind := range strings.SplitSeq(kinds, ",") {
		switch strings.TrimSpace(kind) {
		case "swap":
			p.swaps = true
		case "balance":
			p.balances = true
		case "unparsed":
			p.unparsed = true
		default:
			return usagef("--kinds: %q is none of swap, balance, unparsed", kind)
		}
	}
	return nil
}

// problem reports one thing that could not be read. What was printed before
// goes out first, so that the two streams of one terminal keep their order.
func (p *parsing) problem(err error) {
	p.problems++
	_ = p.out.Flush() // its error comes back at the end
	fmt.Fprintf(p.env.Stderr, "swapcast: %v\n", err)
}

// file parses one input. Its error is one of the output.
func (p *parsing) file(ctx context.Context, path string) error {
	in, err := capture.OpenPlain(path, p.env.Stdin)
	if err != nil {
		p.problem(err)
		return nil
	}
	defer in.Close()
	name := path
	if path == "-" {
		name = "standard input"
	}
	for n := 1; ; n++ {
		u, err := in.Next(ctx)
		var item *capture.ItemError
		switch {
		case err == nil:
			if err := p.update(name, n, u); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case errors.As(err, &item):
			p.problem(err)
		default:
			p.problem(err)
			return nil
		}
	}
}

// update takes the transactions out of one message. Whole blocks come from
// captures that other programs made.
func (p *parsing) update(name string, n int, u *pb.SubscribeUpdate) error {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		return p.transaction(name, n, v.Transaction)
	case *pb.SubscribeUpdate_Block:
		for _, t := range v.Block.GetTransactions() {
			if err := p.transaction(name, n, &pb.SubscribeUpdateTransaction{Slot: v.Block.GetSlot(), Transaction: t}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parsing) transaction(name string, n int, t *pb.SubscribeUpdateTransaction) error {
	if err := p.decoder.Transaction(t, &p.tx); err != nil {
		p.problem(fmt.Errorf("%s: update %d, slot %d: transaction cannot be decoded: %w", name, n, t.GetSlot(), err))
		return nil
	}
	if p.swaps || p.unparsed {
		p.parser.Parse(&p.tx, &p.result)
		if p.swaps {
			for i := range p.result.Swaps {
				p.line = appendSwapLine(p.line[:0], &p.result.Swaps[i])
				if _, err := p.out.Write(p.line); err != nil {
					return err
				}
			}
		}
		if p.unparsed {
			for i := range p.result.Unparsed {
				p.line = appendUnparsedLine(p.line[:0], &p.result.Unparsed[i])
				if _, err := p.out.Write(p.line); err != nil {
					return err
				}
			}
		}
	}
	if !p.balances {
		return nil
	}
	p.changes = parser.Balances(&p.tx, p.changes[:0])
	for i := range p.changes {
		p.line = appendBalanceLine(p.line[:0], &p.changes[i])
		if _, err := p.out.Write(p.line); err != nil {
			return err
		}
	}
	return nil
}
