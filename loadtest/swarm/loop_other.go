//go:build !linux

package swarm

import (
	"context"
	"errors"
)

// loop waits in epoll, which Linux alone has.
type loop struct{}

func newLoop(*plan, int, int, chan<- *tally) (*loop, error) {
	return nil, errors.New("the load generator needs Linux")
}

func (*loop) run(context.Context) error { return nil }

func readUsage() usage { return usage{} }

func checkLimits(*plan) error { return nil }
