package table

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// sliceCodec compiles byte slices (B), sets (SS, NS, BS) and lists (L).
func (c *compiler) sliceCodec(t reflect.Type, tg tag) (codec, error) {
	elem := t.Elem()
	switch {
	case ownCodec(elem), elem.Kind() == reflect.Interface:
		return checkedGuregu(t, tg)
	case elem.Kind() == reflect.Uint8:
		return bytesCodec(tg.flags), nil
	case tg.flags&flagSet != 0:
		return setCodec(t, tg)
	case elem.Kind() == reflect.Slice, elem.Kind() == reflect.Map, elem.Kind() == reflect.Array:
		return checkedGuregu(t, tg)
	}
	inner := tg.element()
	ec, err := c.codec(elem, inner)
	if err != nil {
		return codec{}, err
	}
	if t == reflect.TypeFor[[]string]() && inner.flags&flagAllowEmpty != 0 {
		return codec{encodeIn: encodeAll(encodeStrings, tg.flags), decode: decodeStrings(decodeSlice(ec))}, nil
	}
	return codec{encodeIn: encodeList(ec, tg.flags), decode: decodeSlice(ec)}, nil
}

// element is the tag of a list's elements. A list keeps the places of its elements: empty ones are written, unless the tag says otherwise.
func (t tag) element() tag {
	inner := tag{name: t.name, flags: t.flags &^ (flagSet | flagUnixTime)}
	if t.flags&flagOmitEmptyElem == 0 {
		inner.flags |= flagAllowEmpty | flagNull
	}
	inner.options = inner.flags.options()
	return inner
}

// options writes flags as a tag does, with a leading comma.
func (f flags) options() string {
	var text string
	for _, name := range optionNames() {
		if flag, _ := option(name); f&flag != 0 {
			text += "," + name
		}
	}
	return text
}

func bytesCodec(f flags) codec {
	return codec{
		encodeIn: func(_ *arena, rv reflect.Value) (types.AttributeValue, error) {
			switch {
			case rv.Len() > 0, f&flagAllowEmpty != 0 && !rv.IsNil():
				return &types.AttributeValueMemberB{Value: rv.Bytes()}, nil
			}
			return null(f), nil
		},
		decode: func(av types.AttributeValue, rv reflect.Value) error {
			b, ok := av.(*types.AttributeValueMemberB)
			if !ok {
				return mismatch(av, rv)
			}
			rv.SetBytes(bytes.Clone(b.Value))
			return nil
		},
	}
}

// encodeAll encodes a []string.
func encodeAll(encode func(*arena, []string, flags) types.AttributeValue, f flags) encodeFunc {
	return func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
		return encode(a, rv.Interface().([]string), f), nil
	}
}

// encodeStrings makes a list.
func encodeStrings(a *arena, texts []string, f flags) types.AttributeValue {
	if len(texts) == 0 && f&flagOmitEmpty != 0 {
		return null(f)
	}
	list, members := make([]types.AttributeValue, len(texts)), a.many(len(texts))
	for i, s := range texts {
		members[i].Value = s
		list[i] = &members[i]
	}
	return a.listOf(list)
}

// encodeStringSet hands the set on as it is: a request is made, sent and dropped within one call.
func encodeStringSet(a *arena, set []string, f flags) types.AttributeValue {
	if len(set) == 0 {
		return null(f)
	}
	return a.setOf(set)
}

// decodeStrings reads a list of strings by itself, and leaves the rest to another decoder.
func decodeStrings(other decodeFunc) decodeFunc {
	return func(av types.AttributeValue, rv reflect.Value) error {
		if list, ok := av.(*types.AttributeValueMemberL); ok {
			if texts, ok := textsOfList(list.Value); ok {
				*rv.Addr().Interface().(*[]string) = texts
				return nil
			}
		}
		return other(av, rv)
	}
}

// textsOfList are the strings of a list of nothing else.
func textsOfList(list []types.AttributeValue) (texts []string, ok bool) {
	texts = make([]string, len(list))
	for i, member := range list {
		s, ok := member.(*types.AttributeValueMemberS)
		if !ok {
			return nil, false
		}
		texts[i] = s.Value
	}
	return texts, true
}

func encodeList(elem codec, f flags) encodeFunc {
	return func(a *arena, rv reflect.Value) (types.AttributeValue, error) {
		n := rv.Len()
		if n == 0 && f&flagOmitEmpty != 0 {
			return null(f), nil
		}
		list := make([]types.AttributeValue, 0, n)
		for i := range n {
			av, err := elem.encodeIn(a, rv.Index(i))
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			if av == nil && f&flagOmitEmptyElem != 0 {
				continue
			}
			if av == nil {
				av = &types.AttributeValueMemberNULL{Value: true}
			}
			list = append(list, av)
		}
		return a.listOf(list), nil
	}
}

// decodeSlice reads lists, and sets too: a field may have been a set in the past, or may become one.
func decodeSlice(elem codec) decodeFunc {
	return func(av types.AttributeValue, rv reflect.Value) error {
		var list []types.AttributeValue
		switch av := av.(type) {
		case *types.AttributeValueMemberL:
			list = av.Value
		case *types.AttributeValueMemberSS:
			list = membersOf(av.Value, func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} })
		case *types.AttributeValueMemberNS:
			list = membersOf(av.Value, func(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} })
		case *types.AttributeValueMemberBS:
			list = membersOf(av.Value, func(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} })
		default:
			return mismatch(av, rv)
		}
		out := reflect.MakeSlice(rv.Type(), len(list), len(list))
		for i, av := range list {
			if err := elem.decode(av, out.Index(i)); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		rv.Set(out)
		return nil
	}
}

func membersOf[E any](set []E, wrap func(E) types.AttributeValue) []types.AttributeValue {
	list := make([]types.AttributeValue, len(set))
	for i, e := range set {
		list[i] = wrap(e)
	}
	return list
}

// setCodec writes SS, NS or BS. An empty set is an absent attribute, since DynamoDB has none.
func setCodec(t reflect.Type, tg tag) (codec, error) {
	switch k := t.Elem().Kind(); {
	case t == reflect.TypeFor[[]string]() && tg.flags&flagOmitEmptyElem == 0:
		return codec{encodeIn: encodeAll(encodeStringSet, tg.flags), decode: decodeStrings(decodeStringSet)}, nil
	case k == reflect.String:
		return codec{encodeIn: encodeTexts(tg.flags, stringOf, newSS), decode: decodeStringSet}, nil
	case k >= reflect.Int && k <= reflect.Int64:
		return codec{encodeIn: encodeTexts(tg.flags, intOf, newNS), decode: decodeSlice(intCodec())}, nil
	case k >= reflect.Uint && k <= reflect.Uint64:
		return codec{encodeIn: encodeTexts(tg.flags, uintOf, newNS), decode: decodeSlice(uintCodec())}, nil
	case k == reflect.Float32, k == reflect.Float64:
		return codec{encodeIn: encodeTexts(tg.flags, floatOf, newNS), decode: decodeSlice(floatCodec())}, nil
	case k == reflect.Slice && t.Elem().Elem().Kind() == reflect.Uint8:
		return codec{encodeIn: encodeByteSet(tg.flags), decode: decodeSlice(bytesCodec(0))}, nil
	}
	return codec{}, fmt.Errorf("a set cannot be made of %s", t.Elem())
}

func newSS(set []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: set} }
func newNS(set []string) types.AttributeValue { return &types.AttributeValueMemberNS{Value: set} }

func stringOf(rv reflect.Value) (string, error) { return rv.String(), nil }
func intOf(rv reflect.Value) (string, error)    { return strconv.FormatInt(rv.Int(), 10), nil }
func uintOf(rv reflect.Value) (string, error)   { return strconv.FormatUint(rv.Uint(), 10), nil }
func floatOf(rv reflect.Value) (string, error) {
	text, err := appendFloat(nil, rv.Float())
	return string(text), err
}

func encodeTexts(f flags, text func(reflect.Value) (string, error), wrap func([]string) types.AttributeValue) encodeFunc {
	return func(_ *arena, rv reflect.Value) (types.AttributeValue, error) {
		set := make([]string, 0, rv.Len())
		for i := range rv.Len() {
			if f&flagOmitEmptyElem != 0 && rv.Index(i).IsZero() {
				continue
			}
			s, err := text(rv.Index(i))
			if err != nil {
				return nil, err
			}
			set = append(set, s)
		}
		if len(set) == 0 {
			return null(f), nil
		}
		return wrap(set), nil
	}
}

func encodeByteSet(f flags) encodeFunc {
	return func(_ *arena, rv reflect.Value) (types.AttributeValue, error) {
		set := make([][]byte, 0, rv.Len())
		for i := range rv.Len() {
			b := rv.Index(i).Bytes()
			if f&flagOmitEmptyElem != 0 && len(b) == 0 {
				continue
			}
			set = append(set, b)
		}
		if len(set) == 0 {
			return null(f), nil
		}
		return &types.AttributeValueMemberBS{Value: set}, nil
	}
}

func decodeStringSet(av types.AttributeValue, rv reflect.Value) error {
	set, ok := av.(*types.AttributeValueMemberSS)
	if !ok {
		return decodeSlice(stringCodec(0))(av, rv)
	}
	out := reflect.MakeSlice(rv.Type(), len(set.Value), len(set.Value))
	for i, s := range set.Value {
		out.Index(i).SetString(s)
	}
	rv.Set(out)
	return nil
}
