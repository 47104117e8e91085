package engine

import (
	"slices"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
)

// DynamoDB's limits on an item and its keys, in bytes.
const (
	maxItemSize     = 400 * 1024
	maxHashKeySize  = 2048
	maxRangeKeySize = 1024
)

// checkLookup checks the key of a request: exactly the key attributes, in
// their types, not empty.
func (t *table) checkLookup(key attr.Item) error {
	if len(key) != len(t.keys.Hash)+len(t.keys.Range) {
		return validation("The provided key element does not match the schema")
	}
	for _, k := range t.keys.all() {
		v, ok := key[k.Name]
		if !ok || v.Kind() != k.Kind {
			return validation("The provided key element does not match the schema")
		}
		if emptyKey(v) {
			return emptyKeyError(k)
		}
	}
	return t.checkKeySizes(key)
}

func emptyKeyError(k keyAttr) error {
	return validation("One or more parameter values are not valid. The AttributeValue for a key attribute "+
		"cannot contain an empty %s value. Key: %s", kindWord(k.Kind), k.Name)
}

func emptyIndexKeyError(x *index, k keyAttr) error {
	return validation("One or more parameter values are not valid. A value specified for a secondary index key "+
		"is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. "+
		"IndexName: %s, IndexKey: %s", kindWord(k.Kind), x.Name, k.Name)
}

func kindWord(k attr.Kind) string {
	if k == attr.Binary {
		return "binary"
	}
	return "string"
}

// nester is an expression that tells within which attributes it looks.
type nester interface{ Nested() []string }

// checkScalars refuses expressions that look within the keys of the table or of an index, which have nothing inside.
func (t *table) checkScalars(expressions ...nester) error {
	const text = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
	for _, e := range expressions {
		for _, name := range e.Nested() {
			if t.keys.has(name) {
				return validation(text+"Key: %s", name)
			}
			if slices.ContainsFunc(t.indexes, func(x *index) bool { return x.keys.has(name) }) {
				return validation(text+"IndexKey: %s", name)
			}
		}
	}
	return nil
}

// checkItem checks the table's key attributes in an item to put.
func (t *table) checkItem(item attr.Item) error {
	for _, k := range t.keys.all() {
		v, ok := item[k.Name]
		if !ok {
			return invalidParameter("Missing the key %s in the item", k.Name)
		}
		if v.Kind() != k.Kind {
			return invalidParameter("Type mismatch for key %s expected: %s actual: %s", k.Name, k.Kind, v.Kind())
		}
		if emptyKey(v) {
			return emptyKeyError(k)
		}
	}
	return t.checkKeySizes(item)
}

func (t *table) checkKeySizes(item attr.Item) error {
	for _, k := range t.keys.Hash {
		if item[k.Name].Size() > maxHashKeySize {
			return hashTooLarge()
		}
	}
	for _, k := range t.keys.Range {
		if item[k.Name].Size() > maxRangeKeySize {
			return rangeTooLarge()
		}
	}
	return nil
}

func hashTooLarge() error {
	return invalidParameter("Size of hashkey has exceeded the maximum size limit of2048 bytes")
}

func rangeTooLarge() error {
	return invalidParameter("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
}

// checkIndexKeys checks the attributes of an item that are keys of indexes. If
// old is given, only attributes that differ from it are checked.
func (t *table) checkIndexKeys(item, old attr.Item) error {
	for _, x := range t.indexes {
		for _, k := range x.keys.all() {
			v, ok := item[k.Name]
			switch {
			case !ok || old != nil && attr.Equal(v, old[k.Name]):
				continue
			case old != nil && v.Kind() == k.Kind && emptyKey(v):
				return validation("One or more parameter values are not valid. The update expression attempted to update "+
					"a secondary index key to a value that is not supported. The AttributeValue for a key attribute "+
					"cannot contain an empty %s value.", kindWord(k.Kind))
			}
			if err := checkIndexKey(x, k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkIndexKey(x *index, k keyAttr, v attr.Value) error {
	if v.Kind() != k.Kind {
		return invalidParameter("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s",
			k.Name, k.Kind, v.Kind(), x.Name)
	}
	if emptyKey(v) {
		return emptyIndexKeyError(x, k)
	}
	limit := maxRangeKeySize
	for _, h := range x.keys.Hash {
		if h.Name == k.Name {
			limit = maxHashKeySize
		}
	}
	if v.Size() > limit {
		return invalidParameter("Size limit exceeded for Index Key %s Actual Size: %d bytes Max Size: %d bytes IndexName: %s",
			k.Name, v.Size(), limit, x.Name)
	}
	return nil
}
