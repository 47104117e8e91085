package table

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// writeKind says under which condition a row is written.
type writeKind uint8

const (
	writeSave writeKind = iota
	writeCreate
	writeDelete
	writeRestore
	writeUpdate
	writeListener // both upserts and removals
	writeCheck    // writes nothing: a condition of a transaction
	writePurge    // removes the row
)

// Placeholders that are not slots.
const (
	keyAlias  = "#pk"
	trueValue = ":true"
	nowValue  = ":now"
	seenValue = ":seen"
	msValue   = ":ms"
	baseValue = ":base"

	schemaName  = "#sv"
	schemaValue = ":sv"
)

// growing lets a command through only if the row's timestamp grows: the slot is slotTimestamp.
const growing = "attribute_not_exists(#1) OR #1 < :1"

// condition is the text for a kind; the numbers are slots.
func (r *row) condition() string {
	switch r.kind {
	case writeCreate:
		return "(attribute_not_exists(" + r.presence() + ") OR #5 = " + trueValue + " OR #6 <= " + nowValue + ") AND (" + growing + ")"
	case writeDelete, writeUpdate:
		text := r.visible() + " AND (" + growing + ")"
		if r.checksSchema() {
			text = schemaName + " = " + schemaValue + " AND " + text
		}
		return text
	case writeRestore:
		return "#5 = " + trueValue + " AND (" + growing + ")"
	case writeListener:
		if r.adopting() {
			return adopting
		}
		slot := strconv.Itoa(r.versionSlot())
		return idempotence.LockCondition("#"+slot, ":"+slot)
	}
	return growing
}

// visible is the condition that readers see the row.
func (r *row) visible() string {
	return "attribute_exists(" + r.presence() + ") AND attribute_not_exists(#5) AND (attribute_not_exists(#6) OR #6 > " + nowValue + ")"
}

// presence is the attribute that a row has if its owner lane was written. Where there are no other lanes, every row has a key; a
// named lane writes no timestamp.
func (r *row) presence() string {
	if len(r.lanes) > 1 {
		return "#1"
	}
	return keyAlias
}

func (r *row) needsKey() bool  { return r.needsNow() && len(r.lanes) == 1 }
func (r *row) needsTrue() bool { return r.kind == writeCreate || r.kind == writeRestore }
func (r *row) needsNow() bool {
	return r.kind == writeCreate || r.kind == writeDelete || r.kind == writeUpdate || r.kind == writeCheck
}

// extras is the number of values that are not slots.
func (r *row) extras() int {
	n := 0
	for _, needed := range [...]bool{r.needsTrue(), r.needsNow(), r.expected > 0} {
		if needed {
			n++
		}
	}
	return n
}

func (s *shape) versionSlot() int {
	if s.lane > 0 {
		return laneVersion
	}
	return slotVersion
}

// row is one write to one row, before it becomes a request: a value for each slot, nil where the attribute goes.
type row struct {
	*model
	*shape
	kind   writeKind
	key    RowKey
	values []types.AttributeValue
	cond   []Cond // in addition to the condition of the kind
	edits  []edit // in addition to the slots
	blind  []blind
	arena  *arena
	about  [maxPeople]string // the subjects' ids, where the row is known as a whole and has sealed fields
	now    time.Time
	// expected is the stored timestamp that the lock asks for, in milliseconds, or zero.
	expected int64
	assigned []assignment // what edits were compiled from
	guarding *guarding    // nil where the model has no unique fields
	refer    func(subject string) string
}

func (m *model) newRow(kind writeKind, sh *shape, key RowKey) *row {
	r, _ := m.rows.Get().(*row)
	if r == nil {
		r = &row{}
	}
	values := r.values
	if n := len(sh.names); cap(values) < n {
		values = make([]types.AttributeValue, n)
	} else {
		values = values[:n]
		clear(values)
	}
	*r = row{model: m, shape: sh, kind: kind, key: key, values: values, arena: newArena(sh.need)}
	if len(m.uniques) > 0 {
		r.guarding = &guarding{}
	}
	return r
}

// release lets another write have the row's memory. Requests hold values and texts, but never the row.
func (r *row) release() { r.rows.Put(r) }

// fill encodes the fields of a struct and the index keys that follow from them.
func (r *row) fill(rv reflect.Value) error { return r.fillWith(rv, nil) }

// fillFrom is fill for the struct of a scratch.
func (r *row) fillFrom(s *scratch) error { return r.fillWith(s.rv, s.cells) }

func (r *row) fillWith(rv reflect.Value, cells []cell) error {
	if r.guarding != nil {
		var err error
		if r.guarding.filled, err = r.guards(rv); err != nil {
			return err
		}
	}
	r.setSubject(rv)
	if len(r.sealed) > 0 {
		r.identify(rv)
		r.findBlind(rv)
	}
	at := r.first
	for _, i := range r.fields {
		var av types.AttributeValue
		var err error
		if cells != nil {
			av, err = cells[i].encode(r.arena)
		} else {
			av, err = r.all[i].encodeFrom(r.arena, rv)
		}
		if err != nil {
			return invalid("%w", err)
		}
		r.values[at] = av
		at++
	}
	return r.fillIndexes(at, rv)
}

func (r *row) fillIndexes(at int, rv reflect.Value) error {
	if !r.indexed {
		return nil
	}
	for _, x := range r.indexes {
		attrs, err := x.attributes(r.key, rv)
		if err != nil {
			return err
		}
		at += copy(r.values[at:], attrs)
	}
	return nil
}

// keeps says whether a slot is left as it is stored: a subject, where there is no key to refer to it.
func (r *row) keeps(slot int) bool {
	return r.refer == nil && r.subjectSlot > 0 && slot >= r.subjectSlot && slot < r.subjectSlot+len(r.people)
}

func (r *row) textKey() textKey {
	k := textKey{kind: r.kind, lane: uint8(r.lane), keep: r.keeps(r.subjectSlot)}
	if r.shape == &r.system {
		k.lane = 255
	}
	for i, av := range r.values {
		if av != nil {
			k.mask[i/64] |= 1 << (i % 64)
		}
	}
	return k
}

// text finds or makes the text of the request.
func (r *row) text() *text {
	key := r.textKey()
	if t := r.texts.last.Load(); t != nil && t.key == key {
		return t
	}
	r.texts.mu.RLock()
	t := r.texts.known[key]
	r.texts.mu.RUnlock()
	if t != nil {
		r.texts.last.Store(t)
		return t
	}
	t = r.newText()
	t.key = key
	r.texts.mu.Lock()
	if len(r.texts.known) < maxTexts {
		r.texts.known[key] = t
	}
	r.texts.mu.Unlock()
	return t
}

// newText sets what is present and removes what is not.
func (r *row) newText() *text {
	t := &text{condition: r.condition(), names: make(map[string]string, len(r.values)+1)}
	var c clauses
	for i, av := range r.values {
		if r.keeps(i) {
			continue
		}
		t.names[r.aliases[i].name] = r.names[i]
		if av == nil {
			c.remove = append(c.remove, r.aliases[i].name)
			continue
		}
		c.set = append(c.set, r.aliases[i].name+" = "+r.aliases[i].value)
	}
	t.clauses, t.update = c, c.text()
	if r.needsKey() {
		t.names[keyAlias] = attrPK
	}
	if r.checksSchema() {
		t.names[schemaName] = attrSchema
	}
	return t
}

// clauses are the parts of an update expression.
type clauses struct{ set, remove, add, del []string }

// text writes the clauses that there are.
func (c clauses) text() string {
	var texts []string
	for _, clause := range []struct {
		name  string
		parts []string
	}{{"SET ", c.set}, {"REMOVE ", c.remove}, {"ADD ", c.add}, {"DELETE ", c.del}} {
		if len(clause.parts) > 0 {
			texts = append(texts, clause.name+strings.Join(clause.parts, ", "))
		}
	}
	return strings.Join(texts, " ")
}

// present is the number of slots that have a value: maps that are larger than needed cost more than they save.
func (r *row) present() int {
	n := 0
	for _, av := range r.values {
		if av != nil {
			n++
		}
	}
	return n
}

// keyItem is the row's key, with room for more attributes.
func (r *row) keyItem(more int) Item {
	item := make(Item, more+2)
	item[attrPK], item[attrSK] = r.arena.text(r.key.PK), r.arena.text(r.key.SK)
	return item
}

// parts are what UpdateItem and a transaction's Update have in common.
type parts struct {
	*text             // without what is particular to the request
	update, condition string
	names             map[string]string
	values            Item
}

func (r *row) parts() (parts, error) {
	if r.kind == writeCheck || r.kind == writePurge {
		return r.bare()
	}
	if err := r.allSealed(); err != nil {
		return parts{}, err
	}
	t := r.text()
	p := parts{text: t, update: t.update, condition: t.condition, names: t.names, values: make(Item, r.present()+r.extras())}
	for i, av := range r.values {
		if av != nil {
			p.values[r.aliases[i].value] = av
		}
	}
	if r.needsTrue() {
		p.values[trueValue] = &types.AttributeValueMemberBOOL{Value: true}
	}
	if r.needsNow() {
		p.values[nowValue] = number(r.now.Unix())
	}
	if r.checksSchema() {
		p.values[schemaValue] = r.schema()
	}
	if r.adopting() {
		p.values[msValue] = r.millisecond()
	}
	if r.expected > 0 {
		p.condition = "#1 = " + seenValue + " AND (" + p.condition + ")"
		p.values[seenValue] = number(r.expected)
	}
	if len(r.blind) > 0 {
		r.notBlind(&p)
	}
	if r.guarded() {
		r.asRead(&p)
	}
	if len(r.cond)+len(r.edits) == 0 {
		return p, nil
	}
	return p, r.extend(&p, t)
}

// extend adds what is particular to one request: conditions and edits.
func (r *row) extend(p *parts, t *text) error {
	b := &builder{model: r.model, names: maps.Clone(t.names), values: p.values, prefix: "x"}
	p.names = b.names
	if len(r.edits) > 0 {
		c := clauses{set: slices.Clone(t.set), remove: slices.Clone(t.remove)}
		for _, e := range r.edits {
			e.write(b, &c)
		}
		p.update = c.text()
	}
	if len(r.cond) > 0 {
		extra, err := b.all(r.cond)
		if err != nil {
			return err
		}
		p.condition = "(" + p.condition + ") AND " + extra
	}
	if len(p.update) > maxExpression || len(p.condition) > maxExpression {
		return invalid("the request's expressions have %d and %d bytes, and DynamoDB takes %d", len(p.update), len(p.condition), maxExpression)
	}
	return nil
}

// maxExpression is DynamoDB's limit, in bytes.
const maxExpression = 4096

// input is the whole request.
func (r *row) input(table *string) (*dynamodb.UpdateItemInput, error) {
	p, err := r.parts()
	if err != nil {
		return nil, err
	}
	return &dynamodb.UpdateItemInput{
		TableName:                           table,
		Key:                                 r.keyItem(0),
		UpdateExpression:                    shared(&p.text.update, p.update),
		ConditionExpression:                 shared(&p.text.condition, p.condition),
		ExpressionAttributeNames:            p.names,
		ExpressionAttributeValues:           p.values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}, nil
}

// shared is a pointer to a text that is known, or to a new one.
func shared(known *string, text string) *string {
	if *known == text {
		return known
	}
	return new(text)
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func stringOrNil(s string) types.AttributeValue {
	if s == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: s}
}

func yes() types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: true} }
