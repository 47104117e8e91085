package table

import (
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// keyCondition turns conditions on key fields into one on the key attributes.
func (q *query) keyCondition(b *builder, a *asked) (string, error) {
	k := &keyConds{builder: b, index: q.index, open: map[*field][]Cond{}}
	if err := k.sort(q.conds); err != nil {
		return "", err
	}
	if q.index.Native {
		return q.nativeCondition(b, k)
	}
	pk, err := q.partition(k)
	if err != nil {
		return "", err
	}
	text := b.name(q.index.PK) + " = "
	a.partition = b.text(pk)
	text += a.partition
	span, err := k.span()
	if err != nil {
		return "", err
	}
	text += span.text(b)
	a.exclude = span.exclude
	if err := span.valid(pk); err != nil {
		return "", err
	}
	return text, k.unused()
}

// valid refuses keys that no row can have, and that DynamoDB does not look for.
func (s *span) valid(pk string) error {
	if len(pk) > maxPK {
		return invalid("the partition key has %d bytes, and DynamoDB takes %d", len(pk), maxPK)
	}
	if err := (RowKey{SK: s.low}).validSK(); err != nil {
		return err
	}
	return RowKey{SK: s.high}.validSK()
}

// unused refuses conditions that no part of the key has used.
func (k *keyConds) unused() error {
	for _, conds := range k.open {
		h, _ := k.model.find(conds[0].field)
		return invalid("field %s: the condition does not fit the key: every field of the partition needs Eq, and a field of the order needs Eq on all before it", h.goPath)
	}
	return nil
}

func (q *query) partition(k *keyConds) (string, error) {
	if q.bound != nil {
		key, err := q.bound()
		return key.PK, err
	}
	return k.partition()
}

// keyConds are the conditions of a query that no part of the key has used yet.
type keyConds struct {
	*builder
	index *indexKey
	open  map[*field][]Cond
}

func (k *keyConds) sort(conds []Cond) error {
	for _, c := range conds {
		if c.op < opEq || c.op > opBeginsWith || c.op == opNe {
			return invalid("a condition on a key is Eq, Gt, Gte, Lt, Lte, Between or BeginsWith; for others use Where")
		}
		h, err := k.model.find(c.field)
		if err != nil {
			return err
		}
		if len(k.open[h.field]) > 0 {
			return invalid("field %s has two conditions: use Between", h.goPath)
		}
		k.open[h.field] = append(k.open[h.field], c)
	}
	return nil
}

// partition needs Eq on every field.
func (k *keyConds) partition() (string, error) {
	text := k.index.partition
	for i, part := range k.index.pk {
		conds := k.open[part.handle.field]
		if len(conds) == 0 || conds[0].op != opEq {
			return "", invalid("the partition of index %q needs table.Eq(&f.%s, …)", k.index.Name, part.handle.goPath)
		}
		segment, err := k.segment(part, conds[0].values[0])
		if err != nil {
			return "", err
		}
		if i > 0 {
			text += delimiter
		}
		text += segment
		delete(k.open, part.handle.field)
	}
	return text, nil
}

func (k *keyConds) segment(part *keyed, v any) (string, error) {
	text, err := part.encode(reflect.ValueOf(v))
	if err != nil {
		return "", invalid("field %s: %w", part.handle.goPath, err)
	}
	return text, nil
}

// span is a range of sort keys.
type span struct {
	attr      string
	low, high string // empty is open
	exact     bool   // low is the whole key
	prefix    bool   // all keys that start with low
	above     bool   // low itself is not in it
	below     bool   // high itself is not in it
	exclude   string
}

// span goes through the fields of the order: Eq on the first ones, then one range.
func (k *keyConds) span() (*span, error) {
	s := &span{attr: k.index.SK, low: k.index.prefix, prefix: k.index.prefix != ""}
	for i, part := range k.index.sk {
		conds := k.open[part.handle.field]
		if len(conds) == 0 {
			return s, nil
		}
		delete(k.open, part.handle.field)
		last := i == len(k.index.sk)-1
		if conds[0].op != opEq {
			return s, k.narrow(s, part, conds[0], last)
		}
		segment, err := k.segment(part, conds[0].values[0])
		if err != nil {
			return nil, err
		}
		s.low, s.prefix, s.exact = s.low+segment, !last, last
		if !last {
			s.low += delimiter
		}
	}
	return s, nil
}

// narrow applies a range to the keys that start with s.low. In front of other fields a range works on texts of fixed width only:
// of strings "ab" sorts before "a|…".
func (k *keyConds) narrow(s *span, part *keyed, c Cond, last bool) error {
	start := s.low
	low, err := k.segment(part, c.values[0])
	if err != nil {
		return err
	}
	if c.op == opBeginsWith {
		s.low, s.prefix = start+low, true
		return nil
	}
	if !last && !part.fixed {
		return invalid("field %s: a range of strings works on the last field of a key only", part.handle.goPath)
	}
	high := low
	if c.op == opBetween {
		if high, err = k.segment(part, c.values[1]); err != nil {
			return err
		}
		if high < low {
			return invalid("field %s: Between needs the low value first", part.handle.goPath)
		}
	}
	s.between(start, start+low, start+high, c.op, last)
	return nil
}

// between sets the bounds. A key that has more fields behind this one is longer than the bound, and lies before bound+after.
func (s *span) between(start, low, high string, op condOp, last bool) {
	s.prefix = false
	behind := ""
	if !last {
		behind = after
	}
	switch op {
	case opGt:
		s.low, s.above = low+behind, last
	case opGte, opBetween:
		s.low = low
	default:
		s.low = start
	}
	switch op {
	case opLt:
		s.high, s.below = high, last
	case opLte, opBetween:
		s.high = high + behind
	case opGt, opGte:
		if start != "" {
			s.high = start[:len(start)-1] + after
		}
	}
}

// text is the condition on the sort key. DynamoDB takes one, with both ends included: a bound that is not in the range is moved
// up by the smallest character, or its row is dropped when it comes.
func (s *span) text(b *builder) string {
	name := func() string { return " AND " + b.name(s.attr) }
	switch {
	case s.exact:
		return name() + " = " + b.text(s.low)
	case s.prefix:
		return " AND begins_with(" + b.name(s.attr) + ", " + b.text(s.low) + ")"
	case s.low != "" && s.high != "":
		if s.above {
			s.low += "\x00"
		}
		if s.below {
			s.exclude = s.high
		}
		return name() + " BETWEEN " + b.text(s.low) + " AND " + b.text(s.high)
	case s.low != "" && s.above:
		return name() + " > " + b.text(s.low)
	case s.low != "":
		return name() + " >= " + b.text(s.low)
	case s.high != "" && s.below:
		return name() + " < " + b.text(s.high)
	case s.high != "":
		return name() + " <= " + b.text(s.high)
	}
	return ""
}

func (b *builder) text(s string) string { return b.value(&types.AttributeValueMemberS{Value: s}) }
