package table

import "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

// arena makes the attribute values of a row several at a time: they are made together and dropped together, and an allocation for each
// would cost more than the encoding. The zero arena makes them one by one.
type arena struct {
	texts   []types.AttributeValueMemberS
	numbers []types.AttributeValueMemberN
	bools   []types.AttributeValueMemberBOOL
	others  *others
}

// others are the values of which most rows have few.
type others struct {
	numbers [4]types.AttributeValueMemberN
	bools   [2]types.AttributeValueMemberBOOL
	list    types.AttributeValueMemberL
	dict    types.AttributeValueMemberM
	set     types.AttributeValueMemberSS

	listUsed, dictUsed, setUsed bool
}

// reserve makes room for a row with so many texts. What its lists hold is not counted.
func (a *arena) reserve(texts int) {
	a.others = new(others)
	a.texts, a.numbers, a.bools = make([]types.AttributeValueMemberS, 0, texts), a.others.numbers[:0], a.others.bools[:0]
}

// next is a place in a slice, or in a new one.
func next[V any](a *arena, list *[]V) *V {
	if len(*list) == cap(*list) {
		n := 1
		if a.others != nil {
			n = 8
		}
		*list = make([]V, 0, n)
	}
	*list = (*list)[:len(*list)+1]
	return &(*list)[len(*list)-1]
}

func (a *arena) text(s string) types.AttributeValue {
	av := next(a, &a.texts)
	av.Value = s
	return av
}

func (a *arena) number(n string) types.AttributeValue {
	av := next(a, &a.numbers)
	av.Value = n
	return av
}

func (a *arena) bool(b bool) types.AttributeValue {
	av := next(a, &a.bools)
	av.Value = b
	return av
}

func (a *arena) list(list []types.AttributeValue) types.AttributeValue {
	if a.others == nil || a.others.listUsed {
		return &types.AttributeValueMemberL{Value: list}
	}
	a.others.listUsed, a.others.list.Value = true, list
	return &a.others.list
}

func (a *arena) dict(m Item) types.AttributeValue {
	if a.others == nil || a.others.dictUsed {
		return &types.AttributeValueMemberM{Value: m}
	}
	a.others.dictUsed, a.others.dict.Value = true, m
	return &a.others.dict
}

func (a *arena) set(set []string) types.AttributeValue {
	if a.others == nil || a.others.setUsed {
		return &types.AttributeValueMemberSS{Value: set}
	}
	a.others.setUsed, a.others.set.Value = true, set
	return &a.others.set
}
