package table

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Index names a global secondary index. The zero PK and SK stand for the name followed by "pk" and "sk".
//
// An index whose PK is "discriminator" lists whole models; its rows are ordered by the one Key of the definition.
type Index struct {
	Name   string
	PK, SK string // the index's key attributes, both strings
	// Shards spreads each partition over several, up to 64, where one would take more writes than DynamoDB gives a partition (1,000 units
	// a second). A query reads them all, eight at a time, and merges their rows in order. The number may grow at any time, from none
	// as well: rows stay where they are until they are written next, and queries find them there. It must not shrink, and programs that know the
	// smaller number do not see what those with the greater one write: let readers have it first.
	Shards int
	// Native makes the fields' own attributes the keys of the index, up to three for the partition (the discriminator is the first) and four for the order, where the
	// endpoint has such indexes: DynamoDB since November 2025, and the embedded engine. Nothing is written for the index alone, an update of any field keeps it right, and an index over
	// attributes that are there already needs no rewriting. Fields are strings, numbers, and times with the option unixtime; PK, SK and Shards are empty. Models that share
	// such an index agree on the attributes.
	Native bool
}

// gsi1 is in every table: the rows of a model, by partition key.
const gsi1 = "gsi1"

// same says whether two values name one index. How many shards it has is each model's own matter.
func (x Index) same(y Index) bool {
	return x.Name == y.Name && x.PK == y.PK && x.SK == y.SK && x.Native == y.Native
}

func (x Index) resolved() Index {
	if x.Native {
		return x
	}
	if x.PK == "" {
		x.PK = x.Name + "pk"
	}
	if x.SK == "" {
		x.SK = x.Name + "sk"
	}
	return x
}

// KeyPart is one key of an index: its partition, or the order within it. Make one with Key.
type KeyPart struct{ fields []any }

// Key makes a part of an index's key from one field or several. Fields are of string, integer, bool or time kind.
func Key(fields ...any) KeyPart { return KeyPart{fields: fields} }

// indexKey is how the rows of a model are found in an index, or in the table itself.
type indexKey struct {
	Index
	partition string // the constant that partition keys start with
	pk        []*keyed
	prefix    string // the constant that sort keys start with
	sk        []*keyed
}

// written are the attributes that a row carries for the index alone.
func (x *indexKey) written() []string {
	if x.Native {
		return nil
	}
	if x.PK == attrDiscriminator {
		return []string{x.SK}
	}
	return []string{x.PK, x.SK}
}

// attributes are the values for written. They are nil if the row is not in the index.
func (x *indexKey) attributes(key RowKey, rv reflect.Value) ([]types.AttributeValue, error) {
	none := make([]types.AttributeValue, len(x.written()))
	if x.Native {
		return none, nil
	}
	pk, ok, err := join(x.partition, x.pk, rv)
	if err != nil || !ok {
		return none, err
	}
	sk, ok, err := join(x.prefix, x.sk, rv)
	if err != nil || !ok {
		return none, err
	}
	pk += x.shardOf(key)
	if len(pk) > maxPK {
		return nil, invalid("index %q: the partition key has %d bytes, and DynamoDB takes %d", x.Name, len(pk), maxPK)
	}
	if len(sk) > maxSK {
		return nil, invalid("index %q: the sort key has %d bytes, and DynamoDB takes %d", x.Name, len(sk), maxSK)
	}
	if len(none) == 1 {
		return []types.AttributeValue{&types.AttributeValueMemberS{Value: sk}}, nil
	}
	return []types.AttributeValue{&types.AttributeValueMemberS{Value: pk}, &types.AttributeValueMemberS{Value: sk}}, nil
}

// join encodes segments behind a constant. ok is false if one of them is empty.
func join(constant string, parts []*keyed, rv reflect.Value) (text string, ok bool, err error) {
	var b strings.Builder
	b.WriteString(constant)
	for i, p := range parts {
		v := p.handle.value(rv)
		if (p.text || isTime(v.Type())) && v.IsZero() {
			return "", false, nil
		}
		segment, err := p.encode(v)
		if err != nil {
			return "", false, invalid("field %s: %w", p.handle.goPath, err)
		}
		if i > 0 {
			b.WriteString(delimiter)
		}
		b.WriteString(segment)
	}
	return b.String(), true, nil
}

func (d *definition) addIndex(index Index, keys []KeyPart) {
	x := index.resolved()
	what := fmt.Sprintf("Index %q", x.Name)
	switch {
	case x.Name == "" || x.Name == gsi1 || isSubjectRef(x.Name):
		d.fault("", fmt.Sprintf("%s: the name is taken or empty", what), `name it "gsi2" or what it is for; gsi1 lists the rows of each model`)
		return
	case x.Native:
		d.addNative(what, x, keys)
		return
	case x.PK == x.SK, reserved(x.SK), reserved(x.PK) && x.PK != attrDiscriminator:
		d.fault("", fmt.Sprintf("%s: attributes %q and %q cannot be its keys", what, x.PK, x.SK), "leave PK and SK empty for the default")
		return
	}
	if x.Shards < 0 || x.Shards > maxShards || x.Shards > 1 && x.PK == attrDiscriminator {
		d.fault("", fmt.Sprintf("%s: it cannot have %d shards", what, x.Shards), "up to 64; an index by discriminator has none")
		return
	}
	key := &indexKey{Index: x, partition: d.name}
	if x.PK == attrDiscriminator {
		keys = append([]KeyPart{{}}, keys...)
	} else {
		key.partition += delimiter
		if len(keys) == 0 || len(keys[0].fields) == 0 {
			d.fault("", what+": there is no partition", "give it table.Key(&v.Field)")
		}
	}
	if len(keys) > 2 {
		d.fault("", fmt.Sprintf("%s: it has %d keys", what, len(keys)), "one for the partition, one for the order; a Key takes several fields")
		return
	}
	for i, part := range keys {
		if parts := d.keyParts(what, part); i == 0 {
			key.pk = parts
		} else {
			key.sk = parts
		}
	}
	d.indexes = append(d.indexes, key)
}

func (d *definition) keyParts(what string, part KeyPart) []*keyed {
	var list []*keyed
	for _, f := range part.fields {
		h := d.find(what, f)
		if h == nil {
			continue
		}
		seg, err := segmentOf(h.field.typ)
		if err != nil {
			d.fault(h.goPath, what+": "+err.Error(), "keys are made of strings, integers, bools and times")
			continue
		}
		list = append(list, &keyed{handle: h, segment: seg})
	}
	return list
}

// finishIndexes fills in the default order, and checks what can only be checked when everything is known.
func (d *definition) finishIndexes() {
	taken := map[string]string{}
	for i := range d.all {
		if !d.isKey(i) {
			taken[d.all[i].attr] = "field " + d.all[i].path
		}
	}
	for _, x := range d.indexes {
		what := fmt.Sprintf("Index %q", x.Name)
		if x.Native {
			d.checkNative(what, x)
			continue
		}
		for _, attr := range x.written() {
			if owner, ok := taken[attr]; ok {
				d.fault("", fmt.Sprintf("%s: attribute %q already belongs to %s", what, attr, owner), "name other key attributes")
			}
			taken[attr] = what
		}
		if len(x.sk) == 0 {
			x.sk = d.order()
		}
		if len(x.sk) == 0 && d.keys != nil {
			d.fault("", what+": there is no order", "keys made by a function give it none: add table.Key(&v.Field)")
		}
		for _, k := range append(append([]*keyed(nil), x.pk...), x.sk...) {
			d.ownedByFirstLane(what, k.handle)
		}
	}
	for _, p := range d.people {
		d.ownedByFirstLane("Subject", p.handle)
	}
	for _, u := range d.uniques {
		for _, p := range u.parts {
			d.ownedByFirstLane("Unique", p.handle)
		}
	}
}

// order is the order of the rows where a definition names none: by id.
func (d *definition) order() []*keyed {
	return slices.Concat(d.owner, d.id)
}

func (d *definition) ownedByFirstLane(what string, h *handle) {
	for _, l := range d.lanes[1:] {
		for _, i := range l.fields {
			if i == h.stored {
				d.fault(h.goPath, fmt.Sprintf("%s: the field belongs to lane %q", what, l.name), "only the unnamed lane decides about indexes and subjects")
			}
		}
	}
}

// base finds the rows of the model in the table itself: one node, or the edges of one owner.
func (m *model) base() *indexKey {
	x := &indexKey{Index: Index{PK: attrPK, SK: attrSK}, pk: m.id, prefix: m.name}
	if m.owner != nil {
		x.pk, x.prefix, x.sk = m.owner, m.role+delimiter, m.id
	}
	return x
}

// byName finds every row of the model, through gsi1.
func (m *model) byName() *indexKey {
	x := &indexKey{Index: Index{Name: gsi1, PK: attrDiscriminator, SK: attrPK}, partition: m.name, sk: m.id}
	if m.owner != nil {
		x.sk = m.owner
	}
	return x
}

// index finds a defined index by its value.
func (m *model) index(x Index) (*indexKey, error) {
	for _, have := range m.indexes {
		if have.same(x.resolved()) {
			return have, nil
		}
	}
	return nil, invalid("%s has no index %q: add it to the definition with d.Index", m.name, x.Name)
}
