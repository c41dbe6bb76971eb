package onchain

import (
	"context"
	"errors"
	"slices"

	"github.com/gagliardetto/solana-go"
	"golang.org/x/sync/errgroup"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/wallet"
)

// fetchers is how many transactions of a page are asked for at a time.
const fetchers = 4

// page reads the newest part of a span. Of transactions that are known already,
// only that they were there is told.
func (k *Keeper) page(ctx context.Context, owner solana.PublicKey, s wallet.Span) (*wallet.Page, error) {
	rows, err := k.reader.List(ctx, s, k.o.Page)
	if err != nil {
		return nil, err
	}
	done := len(rows) < k.o.Page
	if i := slices.IndexFunc(rows, func(r Listed) bool { return r.Slot < s.From }); i >= 0 {
		rows, done = rows[:i], true
	}
	page := &wallet.Page{Span: s, Read: len(rows), Done: done}
	if len(rows) > 0 {
		page.First = rows[0].Signature
	}
	events := make([]*wallet.Event, len(rows))
	missing := make([]bool, len(rows))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for i := range rows {
		row := &rows[i]
		page.Last, page.Slot = row.Signature, row.Slot
		if row.BlockTime != nil {
			page.At = *row.BlockTime
		}
		if k.o.Positions.Find(owner, swapcast.TxRef{Slot: row.Slot, Signature: row.Signature}) != nil {
			continue
		}
		group.Go(func() error {
			tx, err := k.reader.Transaction(asking, row.Signature)
			if errors.Is(err, errMissing) {
				k.o.Logger.Warn("a transaction of a watched wallet is missing from its history", "signature", row.Signature, "error", err)
				missing[i] = true
				return nil
			}
			if err != nil {
				return err
			}
			loose := tx.Index == 0
			if loose {
				tx.Index = uint64(len(rows) - i) // as the list has them
			}
			if events[i] = k.event(owner, tx); events[i] != nil {
				events[i].Loose = loose
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for i, e := range events {
		if e != nil {
			page.Events = append(page.Events, e)
		}
		if missing[i] {
			page.Missing++
		}
	}
	k.o.Metrics.lost(page.Missing)
	return page, k.place(ctx, owner, page)
}

// place finds out the order of transactions in one slot, which getTransaction does
// not tell: from the block's list of signatures, where the wallet has several. Where
// no node has the block any more they stay in the order of the lists.
func (k *Keeper) place(ctx context.Context, owner solana.PublicKey, page *wallet.Page) error {
	slots := make(map[uint64][]*wallet.Event)
	for _, e := range page.Events {
		slots[e.Slot] = append(slots[e.Slot], e)
	}
	for slot, fresh := range slots {
		known := k.o.Positions.Slot(owner, slot)
		loose := func(e *wallet.Event) bool { return e.Loose }
		if len(fresh)+len(known) < 2 || !slices.ContainsFunc(fresh, loose) && !slices.ContainsFunc(known, loose) {
			continue
		}
		order, err := k.reader.Signatures(ctx, slot)
		if errors.Is(err, errMissing) {
			k.o.Logger.Warn("the order of a wallet's transactions in a slot cannot be had", "slot", slot, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		at := make(map[solana.Signature]uint64, len(order))
		for i, s := range order {
			at[s] = uint64(i)
		}
		for _, e := range fresh {
			e.Index, e.Loose = at[e.Signature], false
		}
		for _, e := range known {
			if e.Loose {
				placed := *e
				placed.Index, placed.Loose = at[e.Signature], false
				page.Events = append(page.Events, &placed)
			}
		}
	}
	return nil
}

// event is what a transaction of long ago did to a wallet.
func (k *Keeper) event(owner solana.PublicKey, tx *swapcast.Transaction) *wallet.Event {
	var parsed parser.Result
	parser.New().Parse(tx, &parsed)
	t := &wallet.Tx{
		TxRef: swapcast.TxRef{Slot: tx.Slot, Signature: tx.Signature}, Index: tx.Index, BlockTime: tx.BlockTime, Swaps: parsed.Swaps,
		Changes: parser.AccountBalances(tx, func(o solana.PublicKey) bool { return o == owner }, nil),
	}
	return wallet.NewEvent(owner, t, func(mint solana.PublicKey) (float64, bool) { return k.o.Price(mint, tx.BlockTime) })
}
