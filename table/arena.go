package table

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// arena makes the attribute values of a row in one piece: they are made together and dropped together, and an allocation for each would cost more than
// the encoding. What there is no more room for is made by itself, and so is everything that a nil arena makes.
type arena struct {
	texts   [16]types.AttributeValueMemberS
	numbers [4]types.AttributeValueMemberN
	bools   [2]types.AttributeValueMemberBOOL
	list    types.AttributeValueMemberL
	dict    types.AttributeValueMemberM
	set     types.AttributeValueMemberSS
	digits  strings.Builder // the texts of numbers and times, one behind the other; it does not grow
	more    []types.AttributeValueMemberS

	nTexts, nNumbers, nBools, nLists, nDicts, nSets uint8 // that are taken
}

// need is what a value, or a row, asks of an arena. What its lists hold is not counted.
type need struct {
	texts  int // values of type S, at most
	digits int // bytes of numbers and times, as they usually are
}

func (n need) and(more need) need {
	return need{texts: n.texts + more.texts, digits: n.digits + more.digits}
}

// The usual length of numbers and times, and of the stamps of a command.
const (
	intDigits   = 8
	floatDigits = 12
	timeDigits  = len("2006-01-02T15:04:05Z")
	stampDigits = 2 * len("1700000000123")
)

// newArena has room for a row.
func newArena(n need) *arena {
	a := new(arena)
	if rest := n.texts - len(a.texts); rest > 0 {
		a.more = make([]types.AttributeValueMemberS, rest)
	}
	a.digits.Grow(n.digits)
	return a
}

func (a *arena) text(s string) types.AttributeValue {
	av := a.place()
	av.Value = s
	return av
}

func (a *arena) place() *types.AttributeValueMemberS {
	switch {
	case a == nil:
	case int(a.nTexts) < len(a.texts):
		a.nTexts++
		return &a.texts[a.nTexts-1]
	case len(a.more) > 0:
		av := &a.more[0]
		a.more = a.more[1:]
		return av
	}
	return new(types.AttributeValueMemberS)
}

// many are the places of n texts.
func (a *arena) many(n int) []types.AttributeValueMemberS {
	if a == nil || n > len(a.texts)-int(a.nTexts) {
		return make([]types.AttributeValueMemberS, n)
	}
	from := a.nTexts
	a.nTexts += uint8(n)
	return a.texts[from:a.nTexts]
}

// string keeps what was written into a buffer, behind what was kept before.
func (a *arena) string(b []byte) string {
	if a == nil || len(b) > a.digits.Cap()-a.digits.Len() {
		return string(b)
	}
	from := a.digits.Len()
	a.digits.Write(b)
	return a.digits.String()[from:]
}

func (a *arena) number(n string) types.AttributeValue {
	if a == nil || int(a.nNumbers) == len(a.numbers) {
		return &types.AttributeValueMemberN{Value: n}
	}
	av := &a.numbers[a.nNumbers]
	a.nNumbers++
	av.Value = n
	return av
}

func (a *arena) int(n int64) types.AttributeValue {
	var buffer [20]byte
	return a.number(a.string(strconv.AppendInt(buffer[:0], n, 10)))
}

func (a *arena) uint(n uint64) types.AttributeValue {
	var buffer [20]byte
	return a.number(a.string(strconv.AppendUint(buffer[:0], n, 10)))
}

func (a *arena) float(f float64) (types.AttributeValue, error) {
	var buffer [32]byte
	text, err := appendFloat(buffer[:0], f)
	if err != nil {
		return nil, err
	}
	return a.number(a.string(text)), nil
}

func (a *arena) bool(b bool) types.AttributeValue {
	if a == nil || int(a.nBools) == len(a.bools) {
		return &types.AttributeValueMemberBOOL{Value: b}
	}
	av := &a.bools[a.nBools]
	a.nBools++
	av.Value = b
	return av
}

func (a *arena) listOf(list []types.AttributeValue) types.AttributeValue {
	if a == nil || a.nLists > 0 {
		return &types.AttributeValueMemberL{Value: list}
	}
	a.nLists, a.list.Value = 1, list
	return &a.list
}

func (a *arena) dictOf(m Item) types.AttributeValue {
	if a == nil || a.nDicts > 0 {
		return &types.AttributeValueMemberM{Value: m}
	}
	a.nDicts, a.dict.Value = 1, m
	return &a.dict
}

func (a *arena) setOf(set []string) types.AttributeValue {
	if a == nil || a.nSets > 0 {
		return &types.AttributeValueMemberSS{Value: set}
	}
	a.nSets, a.set.Value = 1, set
	return &a.set
}
