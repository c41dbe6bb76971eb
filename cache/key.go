package cache

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Keys of functions are made of their Spec's name with the arguments in its
// places, each with its number between < and >: portfolio:{0}:value and 7xK give
// portfolio:<0:7xK>:value. Names hold neither of the two, and arguments have them
// escaped, so name and arguments can be read back from the key: two names, or
// two lists of arguments, never share one. FuzzKeys tries.

// template is a Spec's name, or one of its tags, in pieces.
type template struct {
	text  string
	parts []part
}

// part is literal text, or the place of an argument.
type part struct {
	literal string
	arg     int // -1: literal
}

// parseTemplate reads a name with places {0}, {1}, ...
func parseTemplate(text string) (template, error) {
	t := template{text: text}
	rest := text
	for rest != "" {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			open = len(rest)
		}
		if literal := rest[:open]; literal != "" {
			if strings.ContainsAny(literal, "}<>") {
				return t, fmt.Errorf("cache: %q: only places such as {0} may have braces, and <> are not allowed", text)
			}
			t.parts = append(t.parts, part{literal: literal, arg: -1})
		}
		if rest = rest[open:]; rest == "" {
			break
		}
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return t, fmt.Errorf("cache: %q: a place is not closed", text)
		}
		n, err := strconv.ParseUint(rest[1:end], 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != rest[1:end] {
			return t, fmt.Errorf("cache: %q: %s is no place: write {0}, {1} and so on", text, rest[:end+1])
		}
		t.parts = append(t.parts, part{arg: int(n)})
		rest = rest[end+1:]
	}
	if len(t.parts) == 0 {
		return t, fmt.Errorf("cache: empty name")
	}
	return t, nil
}

// check reports whether the places are those of n arguments; with all, whether
// each argument has one.
func (t template) check(n int, all bool) error {
	seen := make([]bool, n)
	for _, p := range t.parts {
		if p.arg >= n {
			return fmt.Errorf("cache: %q: there is no argument {%d}, the function has %d", t.text, p.arg, n)
		}
		if p.arg >= 0 {
			seen[p.arg] = true
		}
	}
	for i, ok := range seen {
		if all && !ok {
			return fmt.Errorf("cache: %q: argument {%d} is missing: two calls that differ in it would share a key", t.text, i)
		}
	}
	return nil
}

// label is the part of a name before its first colon or place.
func (t template) label() string {
	if t.parts[0].arg >= 0 {
		return ""
	}
	label, _, _ := strings.Cut(t.parts[0].literal, ":")
	return label
}

// argument appends the text of one argument, escaped for a key or as it is for a tag.
type argument[A any] func(b []byte, a A, escape bool) ([]byte, error)

// appendKey appends the key of a call.
func appendKey[A any](b []byte, t template, args []argument[A], a A) ([]byte, error) {
	var err error
	for _, p := range t.parts {
		if p.arg < 0 {
			b = append(b, p.literal...)
			continue
		}
		b = openArgument(b, p.arg)
		if b, err = args[p.arg](b, a, true); err != nil {
			return nil, err
		}
		b = append(b, '>')
	}
	return b, nil
}

func openArgument(b []byte, arg int) []byte {
	return append(strconv.AppendInt(append(b, '<'), int64(arg), 10), ':')
}

// appendKeyOfString is appendKey for one argument that is a string. It calls
// nothing by a variable, so that b may stay on the caller's stack.
func appendKeyOfString(b []byte, t template, a string) []byte {
	for _, p := range t.parts {
		if p.arg < 0 {
			b = append(b, p.literal...)
			continue
		}
		b = append(appendText(openArgument(b, p.arg), a, true), '>')
	}
	return b
}

// tag is a tag with the arguments in its places as they are. Tags of two calls
// may meet, which invalidates more than need be.
func tag[A any](t template, args []argument[A], a A) (string, error) {
	var b []byte
	var err error
	for _, p := range t.parts {
		if p.arg < 0 {
			b = append(b, p.literal...)
		} else if b, err = args[p.arg](b, a, false); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

// appendText appends text, with what has a meaning in keys escaped if asked for.
func appendText(b []byte, text string, escape bool) []byte {
	plain := 0 // where what is to be appended as it is begins
	for i := 0; escape && i < len(text); i++ {
		if c := text[i]; c == '<' || c == '>' || c == '%' || c < ' ' || c == 0x7f {
			b = append(append(b, text[plain:i]...), '%')
			b = hex.AppendEncode(b, []byte{c})
			plain = i + 1
		}
	}
	return append(b, text[plain:]...)
}

// argumentsOf finds how the arguments in A are written: A itself, or its fields
// in order where it is a struct that does not write itself.
func argumentsOf[A any]() ([]argument[A], error) {
	typ := reflect.TypeFor[A]()
	if typ.Kind() != reflect.Struct || writesItself(typ) {
		write, err := writerOf(typ)
		if err != nil {
			return nil, err
		}
		return []argument[A]{func(b []byte, a A, escape bool) ([]byte, error) {
			return write(b, reflect.ValueOf(&a).Elem(), escape)
		}}, nil
	}
	var args []argument[A]
	for i := range typ.NumField() {
		field := typ.Field(i)
		if !field.IsExported() {
			return nil, fmt.Errorf("cache: argument %v: field %s is not exported", typ, field.Name)
		}
		write, err := writerOf(field.Type)
		if err != nil {
			return nil, err
		}
		args = append(args, func(b []byte, a A, escape bool) ([]byte, error) {
			return write(b, reflect.ValueOf(&a).Elem().Field(i), escape)
		})
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("cache: argument %v has no fields", typ)
	}
	return args, nil
}

// writesItself reports whether values of a type know their text, as a Solana
// public key does.
func writesItself(typ reflect.Type) bool {
	return typ.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// writer appends the text of a value.
type writer func(b []byte, v reflect.Value, escape bool) ([]byte, error)

// writerOf returns how values of a type are written: so that different values
// have different texts, or not at all.
func writerOf(typ reflect.Type) (writer, error) {
	switch kind := typ.Kind(); {
	case kind == reflect.Pointer || kind == reflect.Interface:
	case writesItself(typ):
		return writeMarshaler, nil
	case kind == reflect.String:
		return func(b []byte, v reflect.Value, escape bool) ([]byte, error) {
			return appendText(b, v.String(), escape), nil
		}, nil
	case kind == reflect.Bool:
		return func(b []byte, v reflect.Value, _ bool) ([]byte, error) { return strconv.AppendBool(b, v.Bool()), nil }, nil
	case kind >= reflect.Int && kind <= reflect.Int64:
		return func(b []byte, v reflect.Value, _ bool) ([]byte, error) {
			return strconv.AppendInt(b, v.Int(), 10), nil
		}, nil
	case kind >= reflect.Uint && kind <= reflect.Uint64:
		return func(b []byte, v reflect.Value, _ bool) ([]byte, error) {
			return strconv.AppendUint(b, v.Uint(), 10), nil
		}, nil
	case kind == reflect.Array && typ.Elem().Kind() == reflect.Uint8:
		return func(b []byte, v reflect.Value, _ bool) ([]byte, error) { return hex.AppendEncode(b, v.Bytes()), nil }, nil
	case kind == reflect.Slice:
		return sliceWriter(typ)
	}
	return nil, fmt.Errorf("cache: an argument of type %v cannot be part of a key: "+
		"use strings, integers, booleans, byte arrays, encoding.TextMarshalers or lists of them", typ)
}

// writeMarshaler appends what a value says of itself.
func writeMarshaler(b []byte, v reflect.Value, escape bool) ([]byte, error) {
	text, err := v.Interface().(encoding.TextMarshaler).MarshalText() //nolint:errcheck,forcetypeassert // writesItself
	if err != nil {
		return nil, fmt.Errorf("cache: argument: %w", err)
	}
	return appendText(b, string(text), escape), nil
}

// sliceWriter writes a list as its elements, each between < and >, which cannot
// come from within an element.
func sliceWriter(typ reflect.Type) (writer, error) {
	element, err := writerOf(typ.Elem())
	if err != nil {
		return nil, err
	}
	return func(b []byte, v reflect.Value, escape bool) ([]byte, error) {
		for i := range v.Len() {
			var err error
			if b, err = element(append(b, '<'), v.Index(i), escape); err != nil {
				return nil, err
			}
			b = append(b, '>')
		}
		return b, nil
	}, nil
}
