package table

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Indexes whose keys have several attributes: the fields' own, instead of texts that are made of them. DynamoDB has them since November 2025, up to four
// for the partition, of which the first is the discriminator, and up to four for the order.
const maxNative = 4

// keyAttr is one attribute of a key.
type keyAttr struct {
	name string
	kind types.ScalarAttributeType
}

func textAttr(name string) keyAttr { return keyAttr{name, types.ScalarAttributeTypeS} }

// hash are the attributes of the partition.
func (x *indexKey) hash() []keyAttr {
	if !x.Native {
		return []keyAttr{textAttr(x.PK)}
	}
	return append([]keyAttr{textAttr(attrDiscriminator)}, attrsOf(x.pk)...)
}

// order are the attributes of the order: by id where the definition names none.
func (x *indexKey) order() []keyAttr {
	switch {
	case !x.Native:
		return []keyAttr{textAttr(x.SK)}
	case len(x.sk) == 0:
		return []keyAttr{textAttr(attrPK), textAttr(attrSK)}
	}
	return attrsOf(x.sk)
}

func attrsOf(parts []*keyed) []keyAttr {
	list := make([]keyAttr, len(parts))
	for i, p := range parts {
		kind, _ := scalarOf(p.handle.field.typ)
		list[i] = keyAttr{p.handle.attrs[0], kind}
	}
	return list
}

// scalarOf is the kind of attribute that a type is stored in, if a native key can have it.
func scalarOf(t reflect.Type) (types.ScalarAttributeType, bool) {
	switch k := t.Kind(); {
	case isTime(t): // with the option unixtime
		return types.ScalarAttributeTypeN, true
	case ownCodec(t):
		return "", false
	case k == reflect.String:
		return types.ScalarAttributeTypeS, true
	case isInt(t), isUint(t), k == reflect.Float32, k == reflect.Float64:
		return types.ScalarAttributeTypeN, true
	}
	return "", false
}

// nativeParts are the fields of a native key.
func (d *definition) nativeParts(what string, part KeyPart) []*keyed {
	var list []*keyed
	for _, f := range part.fields {
		h := d.find(what, f)
		if h == nil {
			continue
		}
		_, ok := scalarOf(h.field.typ)
		tg := tag{flags: h.field.flags}
		switch {
		case len(h.attrs) > 1:
			d.fault(h.goPath, what+": the field is nested", "a native key is made of attributes of the row")
		case !ok:
			d.fault(h.goPath, fmt.Sprintf("%s: a %s cannot be part of a native key", what, h.field.typ), "its parts are strings, numbers and times in seconds")
		case isTime(h.field.typ) && tg.flags&flagUnixTime == 0:
			d.fault(h.goPath, what+": the text of a time does not sort", "tag it with the option unixtime, or do without Native")
		case tg.flags&(flagAllowEmpty|flagNull) != 0:
			d.fault(h.goPath, what+": DynamoDB refuses rows with an empty text or NULL in a key", "take the option allowempty or null away")
		default:
			list = append(list, &keyed{handle: h})
		}
	}
	return list
}

// addNative adds an index whose keys are the fields' own attributes.
func (d *definition) addNative(what string, x Index, keys []KeyPart) {
	if x.PK != "" || x.SK != "" || x.Shards > 1 {
		d.fault("", what+": a native index has no PK, no SK and no shards", "its keys are the attributes of the fields")
		return
	}
	if len(keys) > 2 {
		d.fault("", fmt.Sprintf("%s: it has %d keys", what, len(keys)), "one for the partition, one for the order; a Key takes several fields")
		return
	}
	key := &indexKey{Index: x, partition: d.name}
	for i, part := range keys {
		if parts := d.nativeParts(what, part); i == 0 {
			key.pk = parts
		} else {
			key.sk = parts
		}
	}
	if len(key.pk) >= maxNative || len(key.sk) > maxNative {
		d.fault("", fmt.Sprintf("%s: its keys have %d and %d fields", what, len(key.pk), len(key.sk)), "three for the partition, beside the discriminator, and four for the order")
	}
	d.indexes = append(d.indexes, key)
}

// checkNative checks what is known when the keys are.
func (d *definition) checkNative(what string, x *indexKey) {
	seen := map[*field]bool{}
	for _, k := range slices.Concat(x.pk, x.sk) {
		if k.handle.place != inAttribute {
			d.fault(k.handle.goPath, what+": the field is stored in the row's key alone", "leave the order out: it is by id then")
		}
		if seen[k.handle.field] {
			d.fault(k.handle.goPath, what+": the field is named twice", "an attribute has one place in a key")
		}
		seen[k.handle.field] = true
	}
}

// nativeCondition is the condition on the key attributes: all of the partition, then the order from the left.
func (q *query) nativeCondition(b *builder, k *keyConds) (string, error) {
	text := b.name(attrDiscriminator) + " = " + b.text(q.model.name)
	for _, part := range q.index.pk {
		conds := k.open[part.handle.field]
		if len(conds) == 0 || conds[0].op != opEq {
			return "", invalid("the partition of index %q needs table.Eq(&f.%s, …)", q.index.Name, part.handle.goPath)
		}
		if err := k.native(&text, part, conds[0]); err != nil {
			return "", err
		}
	}
	for _, part := range q.index.sk {
		conds := k.open[part.handle.field]
		if len(conds) == 0 {
			break
		}
		if err := k.native(&text, part, conds[0]); err != nil {
			return "", err
		}
		if conds[0].op != opEq {
			break
		}
	}
	return text, k.unused()
}

// native adds a condition on an attribute.
func (k *keyConds) native(text *string, part *keyed, c Cond) error {
	for _, v := range c.values {
		if av, err := encodeOperand(c, part.handle, v); err != nil {
			return err
		} else if av == nil {
			return invalid("field %s: rows without a value are not in index %q", part.handle.goPath, k.index.Name)
		}
	}
	more, err := k.cond(c)
	*text += " AND " + more
	delete(k.open, part.handle.field)
	return err
}

// scalar is the text of a key attribute, and the attribute of a text.
func scalar(av types.AttributeValue) string {
	if n, ok := av.(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return textOf(av)
}

func (a keyAttr) value(text string) types.AttributeValue {
	if a.kind == types.ScalarAttributeTypeN {
		return &types.AttributeValueMemberN{Value: text}
	}
	return &types.AttributeValueMemberS{Value: text}
}
