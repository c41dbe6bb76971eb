package main

import (
	"fmt"
	"strings"
	"sync"
)

// problems are differences: all are counted, the first few kept for people.
type problems struct {
	mu sync.Mutex
	// guarded by mu
	counts map[string]int
	byName map[string]int // by kind and the text before the first colon: a client
	list   []string
}

// kept is how many of a kind are written out.
const kept = 12

// add notes one of a kind.
func (p *problems) add(kind, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts == nil {
		p.counts, p.byName = make(map[string]int), make(map[string]int)
	}
	text := fmt.Sprintf(format, args...)
	name, _, _ := strings.Cut(text, ":")
	p.counts[kind]++
	p.byName[kind+"\x00"+name]++
	if p.counts[kind] <= kept {
		p.list = append(p.list, kind+": "+text)
	}
}

// count is how many there are of a kind.
func (p *problems) count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[kind]
}

// total is how many there are.
func (p *problems) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.counts {
		n += c
	}
	return n
}

// examples are those that are kept.
func (p *problems) examples() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.list...)
}

// by is how many of a kind there are that begin with a name.
func (p *problems) by(kind, name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byName[kind+"\x00"+name]
}
