package quote

import (
	"fmt"
	"net/http"
)

// sources makes every source in the order in which answers list them. One that is
// off is there with the reason.
func (o *Options) sources(transport http.RoundTripper) ([]*use, error) {
	var uses []*use
	add := func(name string, as role, off string, p Policy, build func() (Source, error)) error {
		u := &use{name: name, role: as, off: off}
		if off == "" {
			src, err := build()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			u.guard = newGuard(src, p, o)
		}
		uses = append(uses, u)
		return nil
	}
	now := o.Now
	steps := []func() error{
		func() error {
			return add(NameJupiter, primary, o.Jupiter.off(JupiterURL, !o.Jupiter.V1), o.Jupiter.Policy,
				func() (Source, error) { return newJupiter(o.Jupiter, transport, now) })
		},
		func() error {
			return add(NameDFlow, fallback, o.DFlow.off(DFlowURL, true), o.DFlow.Policy,
				func() (Source, error) { return newDFlow(o.DFlow, transport, now) })
		},
		func() error {
			if o.Hashflow.Key != "" && o.Hashflow.Source == "" {
				return errNoSourceName
			}
			off := o.Hashflow.off(HashflowURL, true)
			if off == "" && o.Hashflow.Key == "" {
				off = offNoKey
			}
			return add(NameHashflow, fallback, off, o.Hashflow.Policy,
				func() (Source, error) { return newHashflow(o.Hashflow, transport, now) })
		},
		func() error {
			off := ""
			if o.OnChain.Reserves == nil {
				off = "no_market"
			}
			return add(NameOnChain, fallback, off, o.onChainPolicy(),
				func() (Source, error) { return newOnChain(o.OnChain, o.Limits.MaxSilence, now), nil })
		},
		func() error {
			return add(NamePyth, lastResort, o.Pyth.off(PythURL, true), o.Pyth.Policy,
				func() (Source, error) { return newPyth(o.Pyth, o.Reference, transport, now) })
		},
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return uses, nil
}

// Why a source is off.
const (
	offNoURL = "no_url"
	offNoKey = "no_key"
)

// off says why a service cannot be asked, "" it can. Somebody else's server at
// another address may want no key.
func (r *Remote) off(own string, wantsKey bool) string {
	switch {
	case r.URL == "":
		return offNoURL
	case r.Key == "" && wantsKey && official(r.URL, own):
		return offNoKey
	}
	return ""
}

// onChainPolicy has no limits that matter: it is a computation.
func (o *Options) onChainPolicy() Policy {
	return Policy{MaxTries: 1, PerSecond: 1e9, Burst: 1 << 30, MaxCalls: 1 << 16}.withDefaults(o.Deadline)
}
