package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// ID is a request's id as it is sent back: a JSON string or integer, quotes
// included; empty where the request had none.
type ID string

// Request is what a client asks for. Texts are as sent: ParseRequest checks
// the shape of a request, its reader checks what it means.
type Request struct {
	Action     string
	Channel    string // ChannelPrices when absent
	Assets     []string
	Wallets    []string
	Interval   string // of candles
	Commitment string // "" when absent
	Since      *Since
	ID         ID
}

// Since is the last that a client has seen: the server's run, and by asset the
// seq within it.
type Since struct {
	Epoch string
	Seqs  map[string]uint64
}

// Bounds of a request beside its size, which the connection limits.
const (
	maxDepth = 8   // of arrays and objects; a request needs 3
	maxID    = 128 // bytes, quotes included
)

// errShape is wrapped by all that ParseRequest refuses.
var errShape = errors.New("bad request")

// ParseRequest reads one request. The error's text is fit for the client: it
// says what is wrong and never repeats what was sent. The id is returned
// with an error too where it could be read before it.
//
// Fields that it does not know are checked for form and ignored; a known field
// that comes twice is refused, since readers differ on which one counts. data
// is not kept.
func ParseRequest(data []byte) (Request, error) {
	req := Request{Channel: ChannelPrices}
	if !utf8.Valid(data) {
		return req, fmt.Errorf("%w: not valid UTF-8", errShape)
	}
	s := scanner{data: data}
	if err := s.object(&req); err != nil {
		return req, err
	}
	s.space()
	if s.pos != len(s.data) {
		return req, s.fail("more than one JSON value")
	}
	if req.Action == "" {
		return req, fmt.Errorf("%w: action is missing", errShape)
	}
	return req, nil
}

// scanner walks once over a message. It neither copies nor allocates but for
// the values that are kept.
type scanner struct {
	data []byte
	pos  int
}

func (s *scanner) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", errShape, what, s.pos)
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// object reads the outer object.
func (s *scanner) object(req *Request) error {
	if s.peek() != '{' {
		return s.fail("a JSON object is expected")
	}
	var seen uint16
	return s.fields(func(name string) error {
		if bit := fieldBit(name); bit != 0 {
			if seen&bit != 0 {
				return s.fail(name + " is given twice")
			}
			seen |= bit
		}
		return s.field(req, name)
	})
}

// The fields of a request, to see one that comes twice.
const (
	bitAction uint16 = 1 << iota
	bitChannel
	bitAssets
	bitWallets
	bitInterval
	bitCommitment
	bitSince
	bitID
)

func fieldBit(name string) uint16 {
	switch name {
	case "action":
		return bitAction
	case "channel":
		return bitChannel
	case "assets":
		return bitAssets
	case "wallets":
		return bitWallets
	case "interval":
		return bitInterval
	case "commitment":
		return bitCommitment
	case "since":
		return bitSince
	case "id":
		return bitID
	default:
		return 0
	}
}

// field reads one value. null is as good as absent for every field.
func (s *scanner) field(req *Request, name string) (err error) {
	if s.peek() == 'n' {
		return s.word("null")
	}
	switch name {
	case "action":
		req.Action, err = s.text()
	case "channel":
		req.Channel, err = s.text()
	case "assets":
		req.Assets, err = s.list()
	case "wallets":
		req.Wallets, err = s.list()
	case "interval":
		req.Interval, err = s.text()
	case "commitment":
		req.Commitment, err = s.text()
	case "since":
		req.Since, err = s.since()
	case "id":
		req.ID, err = s.id()
	default:
		err = s.skip(1)
	}
	return err
}

// text reads a string.
func (s *scanner) text() (string, error) {
	raw, plain, err := s.rawString()
	if err != nil {
		return "", err
	}
	if plain {
		return string(raw[1 : len(raw)-1]), nil
	}
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", s.fail("a string has a bad escape")
	}
	return v, nil
}

// rawString steps over a string and returns it with its quotes, and whether it
// is free of escapes.
func (s *scanner) rawString() (raw []byte, plain bool, err error) {
	if s.peek() != '"' {
		return nil, false, s.fail("a string is expected")
	}
	start := s.pos
	plain = true
	for i := start + 1; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return s.data[start:s.pos], plain, nil
		case c == '\\':
			plain = false
			i++ // whatever follows is no end; json.Unmarshal judges it
		case c < 0x20:
			s.pos = i
			return nil, false, s.fail("a control character in a string")
		}
	}
	s.pos = len(s.data)
	return nil, false, s.fail("a string without an end")
}

// list reads a string, or an array of strings. An element of another kind is
// kept as it was sent: it is no address, and is refused as one that is bad
// rather than with the rest of the list.
func (s *scanner) list() ([]string, error) {
	if s.peek() == '"' {
		v, err := s.text()
		if err != nil {
			return nil, err
		}
		return []string{v}, nil
	}
	if !s.take('[') {
		return nil, s.fail("a string or a list of strings is expected")
	}
	if s.take(']') {
		return nil, nil
	}
	var list []string
	for {
		v, err := s.element()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if s.take(']') {
			return list, nil
		}
		if !s.take(',') {
			return nil, s.fail("',' or ']' is expected")
		}
	}
}

func (s *scanner) element() (string, error) {
	if s.peek() == '"' {
		return s.text()
	}
	start := s.pos
	if err := s.skip(1); err != nil {
		return "", err
	}
	return string(s.data[start:s.pos]), nil
}

// id reads a string or an integer, and keeps it as it was written.
func (s *scanner) id() (ID, error) {
	var raw []byte
	if s.peek() == '"' {
		text, plain, err := s.rawString()
		if err != nil {
			return "", err
		}
		raw = text
		if !plain && !json.Valid(raw) {
			return "", s.fail("a string has a bad escape")
		}
	} else {
		start := s.pos
		if err := s.number(); err != nil {
			return "", s.fail("id is a string or an integer")
		}
		raw = s.data[start:s.pos]
		if _, err := strconv.ParseInt(string(raw), 10, 64); err != nil {
			return "", s.fail("id is a string or an integer")
		}
	}
	if len(raw) > maxID {
		return "", s.fail("id is too long")
	}
	return ID(raw), nil
}

// since reads how far a client has come. As in the request itself, fields that
// it does not know are ignored, and what is given twice is refused.
func (s *scanner) since() (*Since, error) {
	if s.peek() != '{' {
		return nil, s.fail("since is an object")
	}
	since := new(Since)
	var epoch, seqs bool
	err := s.fields(func(name string) (err error) {
		switch {
		case name != "epoch" && name != "seqs":
			return s.skip(2)
		case name == "epoch" && epoch, name == "seqs" && seqs:
			return s.fail(name + " is given twice")
		case s.peek() == 'n':
			return s.word("null")
		case name == "epoch":
			epoch = true
			since.Epoch, err = s.text()
		default:
			seqs = true
			since.Seqs, err = s.seqs()
		}
		return err
	})
	return since, err
}

// seqs reads an object of seqs by asset.
func (s *scanner) seqs() (map[string]uint64, error) {
	if s.peek() != '{' {
		return nil, s.fail("since holds an epoch and, by asset, a seq")
	}
	seqs := make(map[string]uint64)
	return seqs, s.fields(func(name string) error {
		if _, twice := seqs[name]; twice {
			return s.fail("the seq of an asset is given twice")
		}
		s.space()
		start := s.pos
		if s.number() != nil {
			return s.fail("a seq is a whole number, 0 or above")
		}
		seq, err := strconv.ParseUint(string(s.data[start:s.pos]), 10, 64)
		if err != nil {
			s.pos = start
			return s.fail("a seq is a whole number, 0 or above")
		}
		seqs[name] = seq
		return nil
	})
}

// fields steps over an object and has each field's value read.
func (s *scanner) fields(value func(name string) error) error {
	s.pos++
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("':' is expected")
		}
		if err := value(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.fail("',' or '}' is expected")
		}
	}
}

// skip steps over any value, depth arrays and objects deep already.
func (s *scanner) skip(depth int) error {
	switch c := s.peek(); c {
	case '"':
		raw, plain, err := s.rawString()
		if err == nil && !plain && !json.Valid(raw) {
			err = s.fail("a string has a bad escape")
		}
		return err
	case '{':
		return s.skipNested(depth, '}')
	case '[':
		return s.skipNested(depth, ']')
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) skipNested(depth int, end byte) error {
	if depth >= maxDepth {
		return s.fail("nested too deeply")
	}
	s.pos++
	if s.take(end) {
		return nil
	}
	for {
		if end == '}' {
			if s.peek() != '"' {
				return s.fail("a field's name is expected")
			}
			if err := s.skip(depth + 1); err != nil {
				return err
			}
			if !s.take(':') {
				return s.fail("':' is expected")
			}
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
		if s.take(end) {
			return nil
		}
		if !s.take(',') {
			return s.fail("',' is expected")
		}
	}
}

func (s *scanner) word(w string) error {
	if len(s.data)-s.pos < len(w) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return s.fail("a JSON value is expected")
	}
	s.pos += len(w)
	return nil
}

// number steps over a number: the letters that one may consist of, then the
// standard library's judgement on them.
func (s *scanner) number() error {
	start := s.pos
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		s.pos++
	}
	if start == s.pos || !json.Valid(s.data[start:s.pos]) {
		s.pos = start
		return s.fail("a JSON value is expected")
	}
	return nil
}
