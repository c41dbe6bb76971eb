package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast/wallet"
)

// walletStore keeps what is settled of wallets for the next run.
type walletStore interface {
	load(ctx context.Context, owner solana.PublicKey) (*wallet.Saved, error) // nil: nothing is stored
	save(ctx context.Context, owner solana.PublicKey, d *wallet.Delta) error
}

// redisWallets keeps each wallet in a hash of its own: a field for each transaction,
// so that several instances which follow one wallet add to it rather than write over
// each other, one for what folded ones left, and one for how far its history was
// read. Its name has the version of the fields.
type redisWallets struct{ client redis.UniversalClient }

const (
	walletKeyPrefix = "swapcast:wallet:1:"
	walletKeptFor   = 90 * 24 * time.Hour // since it was last written
	fieldEvent      = "e:"                // and the signature
	fieldBase       = "base"
	fieldThrough    = "through" // the newest transaction that base has, in an order that text has too
	fieldPast       = "past"
	eventsAtOnce    = 500 // in one command
	asidePrefix     = "swapcast:wallet:aside:"
)

// errWalletUnreadable is of a wallet that another program, or another version, has
// written over: reading it again does not help.
var errWalletUnreadable = errors.New("not a wallet as this version stores it")

func walletKey(owner solana.PublicKey) string { return walletKeyPrefix + owner.String() }

// asideKey is where a wallet goes that cannot be read. The braces keep it where a
// cluster has the wallet itself.
func asideKey(owner solana.PublicKey) string { return asidePrefix + "{" + walletKey(owner) + "}" }

func eventField(e *wallet.Event) string { return fieldEvent + e.Signature.String() }

func (r redisWallets) load(ctx context.Context, owner solana.PublicKey) (*wallet.Saved, error) {
	fields, err := r.client.HGetAll(ctx, walletKey(owner)).Result()
	if err != nil || len(fields) == 0 {
		return nil, err
	}
	s := &wallet.Saved{}
	for name, text := range fields {
		var err error
		switch {
		case name == fieldThrough:
		case name == fieldBase:
			s.Base = new(wallet.Base)
			err = json.Unmarshal([]byte(text), s.Base)
		case name == fieldPast:
			err = json.Unmarshal([]byte(text), &s.Past)
		default:
			e := new(wallet.Event)
			err = json.Unmarshal([]byte(text), e)
			s.Events = append(s.Events, e)
		}
		if err != nil {
			return nil, r.setAside(ctx, owner, name, text, err)
		}
	}
	return s, nil
}

// setAside moves a wallet out of the way, unless another instance has done so and
// has begun it anew.
const setAside = `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
	redis.call('RENAME', KEYS[1], KEYS[2])
	redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return 1`

// setAside keeps a wallet that cannot be read for who wants to know why: what is
// stored of it from now on begins anew, and the next run can read it.
func (r redisWallets) setAside(ctx context.Context, owner solana.PublicKey, field, text string, why error) error {
	keys := []string{walletKey(owner), asideKey(owner)}
	if err := r.client.Eval(ctx, setAside, keys, field, text, int(walletKeptFor.Seconds())).Err(); err != nil {
		return fmt.Errorf("set an unreadable wallet aside: %w", err)
	}
	return fmt.Errorf("%w: field %.100s: %w; it is now at %s", errWalletUnreadable, field, why, keys[1])
}

// setBase takes a base where it is newer than the one that is there.
const setBase = `
local at = redis.call('HGET', KEYS[1], 'through')
if not at or at < ARGV[1] then
	redis.call('HSET', KEYS[1], 'through', ARGV[1], 'base', ARGV[2])
end
return 1`

func (r redisWallets) save(ctx context.Context, owner solana.PublicKey, d *wallet.Delta) error {
	key := walletKey(owner)
	_, err := r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if d.Reset {
			p.Del(ctx, key)
		}
		var fields []any
		flush := func() {
			if len(fields) > 0 {
				p.HSet(ctx, key, fields...)
				fields = nil
			}
		}
		for _, e := range d.Events {
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if fields = append(fields, eventField(e), text); len(fields) >= 2*eventsAtOnce {
				flush()
			}
		}
		if d.Past != nil {
			text, err := json.Marshal(d.Past)
			if err != nil {
				return err
			}
			fields = append(fields, fieldPast, text)
		}
		flush()
		if d.Base != nil {
			text, err := json.Marshal(d.Base)
			if err != nil {
				return err
			}
			p.Eval(ctx, setBase, []string{key}, fmt.Sprintf("%020d.%020d", d.Base.Last.Slot, d.Base.Last.Index), text)
		}
		for _, e := range d.Folded {
			p.HDel(ctx, key, eventField(e))
		}
		p.Expire(ctx, key, walletKeptFor)
		return nil
	})
	return err
}

const (
	walletSaveEvery   = 2 * time.Second
	walletSaveTimeout = 5 * time.Second
)

// keepStored brings wallets from the store and takes them there, until ctx ends, and
// then once more.
func (w *wallets) keepStored(ctx context.Context) error {
	tick := time.NewTicker(walletSaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), walletSaveTimeout)
			defer cancel()
			w.saveAll(last)
			return nil
		case <-w.restore:
			w.restoreAll(ctx)
		case <-tick.C:
			w.restoreAll(ctx) // those that failed
			w.saveAll(ctx)
		}
	}
}

// restoreAll brings what is stored of new wallets. Where Redis fails their history is
// read from the chain meanwhile.
func (w *wallets) restoreAll(ctx context.Context) {
	w.mu.Lock()
	var owners []solana.PublicKey
	for owner, f := range w.followed {
		if !f.restored {
			owners = append(owners, owner)
		}
	}
	w.mu.Unlock()
	for _, owner := range owners {
		one, cancel := context.WithTimeout(ctx, walletSaveTimeout)
		saved, err := w.store.load(one, owner)
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.take(owner, saved, err)
		if err != nil && !errors.Is(err, errWalletUnreadable) {
			break // it is Redis rather than the wallet; tried again soon
		}
	}
}

// take takes what was found of a wallet.
func (w *wallets) take(owner solana.PublicKey, saved *wallet.Saved, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.followed[owner]
	if f == nil || f.restored {
		return
	}
	switch {
	case errors.Is(err, errWalletUnreadable):
		w.metrics.stored.WithLabelValues("load", "unreadable").Inc()
		w.log.Warn("what is stored of a wallet is left aside", "wallet", owner, "error", err)
		f.restored = true
	case err != nil:
		w.metrics.stored.WithLabelValues("load", "failed").Inc()
		w.log.Warn("what is stored of a wallet could not be read; it is tried again", "wallet", owner, "error", err)
	case saved == nil:
		w.metrics.stored.WithLabelValues("load", "none").Inc()
		f.restored = true
	default:
		w.metrics.stored.WithLabelValues("load", "ok").Inc()
		w.positions.Restore(owner, saved)
		f.restored = true
	}
	if w.keeper != nil {
		if saved == nil && !f.reading {
			f.reading = true
			w.positions.Missed(owner, 0, 0)
		}
		w.keeper.Want(owner)
	}
	w.dirty[owner] = struct{}{}
	w.nudge()
}

// saveAll takes what is new to the store. What fails is tried again.
func (w *wallets) saveAll(ctx context.Context) {
	w.mu.Lock()
	leaving := w.leaving
	w.leaving = nil
	w.mu.Unlock()
	for i, l := range leaving {
		if !w.save(ctx, l.owner, l.delta) {
			w.mu.Lock()
			w.leaving = append(w.leaving, leaving[i:]...)
			w.mu.Unlock()
			return
		}
	}
	for _, owner := range w.positions.Watching() {
		d := w.positions.Unsaved(owner)
		if d == nil {
			continue
		}
		if !w.save(ctx, owner, d) {
			return
		}
		w.positions.Saved(owner, d)
	}
}

func (w *wallets) save(ctx context.Context, owner solana.PublicKey, d *wallet.Delta) bool {
	one, cancel := context.WithTimeout(ctx, walletSaveTimeout)
	defer cancel()
	if err := w.store.save(one, owner, d); err != nil {
		w.metrics.stored.WithLabelValues("save", "failed").Inc()
		w.log.Warn("a wallet could not be stored; it is tried again", "wallet", owner, "error", err)
		return false
	}
	w.metrics.stored.WithLabelValues("save", "ok").Inc()
	return true
}
