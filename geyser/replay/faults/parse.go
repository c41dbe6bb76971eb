package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

// Error is what is wrong in a script, and where.
type Error struct {
	Line int // from 1; 0 not known
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

func errorAt(line int, format string, args ...any) *Error {
	return &Error{line, fmt.Sprintf(format, args...)}
}

// Parse reads a script. Whatever it does not understand is an *Error that names
// the line: a key that no fault has, a value without its unit, two ways of
// timing at once.
func Parse(text []byte) (*Script, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &Error{0, "the script is empty"}
		}
		return nil, &Error{0, oneLine(err)}
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errorAt(more.Line, "one document is all that a script has")
	}
	s := &Script{one: make(map[int][]Fault), lines: make(map[int]int)}
	if err := s.read(doc.Content[0]); err != nil {
		return nil, err
	}
	return s, nil
}

// oneLine makes yaml's own errors fit one line; they name the line themselves.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")
}

func (s *Script) read(root *yaml.Node) error {
	return eachKey(root, "the script", func(key string, k, v *yaml.Node) error {
		var err error
		switch key {
		case "seed":
			var problem string
			if s.Seed, problem = wholeOf(v, "seed", 0, 1<<63); problem != "" {
				err = errorAt(v.Line, "%s", problem)
			}
		case "chain":
			s.chain, err = list(v, key, true)
		case "endpoint":
			s.every, err = list(v, key, false)
		case "endpoints":
			err = eachKey(v, key, s.readEndpoint)
		default:
			err = errorAt(k.Line, "unknown key %q: a script has seed, chain, endpoint and endpoints", key)
		}
		return err
	})
}

// maxEndpoints bounds the number of an endpoint.
const maxEndpoints = 64

func (s *Script) readEndpoint(key string, k, v *yaml.Node) error {
	n, err := strconv.Atoi(key)
	if err != nil || n < 0 || n >= maxEndpoints {
		return errorAt(k.Line, "endpoints: %q is no number of an endpoint (0 for the first)", key)
	}
	s.lines[n] = k.Line
	s.one[n], err = list(v, "endpoints: "+key, false)
	return err
}

// eachKey walks over a mapping, which must not name a key twice.
func eachKey(n *yaml.Node, what string, f func(key string, k, v *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return errorAt(n.Line, "%s must be keys with values", what)
	}
	var seen []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			return errorAt(k.Line, "%s: a key must be a word", what)
		}
		if slices.Contains(seen, k.Value) {
			return errorAt(k.Line, "%s: %q comes twice", what, k.Value)
		}
		seen = append(seen, k.Value)
		if v.Kind == yaml.AliasNode {
			return errorAt(v.Line, "%s: aliases are not supported", what)
		}
		if err := f(k.Value, k, v); err != nil {
			return err
		}
	}
	return nil
}

// list reads a list of faults.
func list(n *yaml.Node, where string, chain bool) ([]Fault, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, errorAt(n.Line, "%s must be a list of faults: - NAME: {...}", where)
	}
	var out []Fault
	for _, item := range n.Content {
		f, err := entry(item, where, chain)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// entry reads one fault: a name, or a name with parameters.
func entry(n *yaml.Node, where string, chain bool) (Fault, error) {
	name, params := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		name, params = n.Content[0], n.Content[1]
		if params.Tag == "!!null" {
			params = nil
		}
	}
	if name.Kind != yaml.ScalarNode {
		return Fault{}, errorAt(n.Line, "%s: a fault is one name with its parameters: - NAME: {...}", where)
	}
	s := specOf(Kind(name.Value))
	if s == nil {
		return Fault{}, errorAt(name.Line, "%s: there is no fault %q (see swapcast geyser --help)", where, name.Value)
	}
	if s.side.chain() != chain {
		right := "endpoint: or endpoints:"
		if s.side.chain() {
			right = "chain:"
		}
		return Fault{}, errorAt(name.Line, "%s: %s belongs under %s", where, s.kind, right)
	}
	return readFault(s, name.Line, params)
}

func readFault(s *spec, line int, params *yaml.Node) (Fault, error) {
	f := Fault{Kind: s.kind, Line: line, struck: new(atomic.Int64)}
	r := &reader{spec: s, line: line, values: make(map[string]*yaml.Node)}
	if params != nil {
		err := eachKey(params, string(s.kind), func(key string, k, v *yaml.Node) error {
			if v.Kind != yaml.ScalarNode {
				return errorAt(v.Line, "%s: %s must be one value", s.kind, key)
			}
			r.values[key] = v
			r.keys = append(r.keys, k)
			return nil
		})
		if err != nil {
			return f, err
		}
	}
	r.when(&f)
	if s.read != nil {
		s.read(r, &f)
	}
	if s.side == sideStream {
		f.Server = r.choice("scope", "stream", "server") == "server"
	}
	r.check(&f)
	return f, r.done()
}
