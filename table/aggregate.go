package table

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// RootPart is the node of an aggregate. Make one with Root.
type RootPart[A any] struct{ piece piece }

// Part is what an aggregate reads besides its root. Make one with Many or One.
type Part[A any] struct{ piece piece }

// piece is one model of an aggregate, of whatever types.
type piece struct {
	model *model
	fault string // what is wrong with the place
	// put moves an entity into its place in an aggregate: both are pointers.
	put func(aggregate, entity any) error
}

// decode makes an entity of a row: a pointer to it.
func (p piece) decode(item Item) (reflect.Value, error) {
	s, err := p.model.decoded(item)
	if err != nil {
		return reflect.Value{}, err
	}
	defer s.giveBack()
	v := reflect.New(p.model.goType)
	v.Elem().Set(s.rv)
	return v, nil
}

// placed says what is wrong with the function for a place, which is tried on an empty aggregate.
func placed[A, P any](place func(*A) *P) (fault string) {
	if place == nil {
		return "there is no function for its place"
	}
	return tried(func() bool { return place(new(A)) != nil })
}

func tried(place func() bool) (fault string) {
	defer func() {
		if p := recover(); p != nil {
			fault = fmt.Sprintf("the function for its place panicked: %v", p)
		}
	}()
	if !place() {
		return "the function for its place returns nil"
	}
	return ""
}

// Root is the node that an aggregate is about, and the place for it.
func Root[A, T any](node *Node[T], place func(*A) *T) RootPart[A] {
	if node == nil {
		return RootPart[A]{}
	}
	return RootPart[A]{piece{node.m, placed(place), func(a, v any) error {
		*place(a.(*A)) = *v.(*T)
		return nil
	}}}
}

// Many takes all edges of a kind, in the order of their ids, and the place for them.
func Many[A, T any](edge *Edge[T], place func(*A) *[]T) Part[A] {
	if edge == nil {
		return Part[A]{}
	}
	return Part[A]{piece{edge.m, placed(place), func(a, v any) error {
		list := place(a.(*A))
		*list = append(*list, *v.(*T))
		return nil
	}}}
}

// One takes the edge of a kind of which an owner has one at most: a second one is an error. The place stays nil where there is none.
func One[A, T any](edge *Edge[T], place func(*A) **T) Part[A] {
	if edge == nil {
		return Part[A]{}
	}
	return Part[A]{piece{edge.m, placed(place), func(a, v any) error {
		at := place(a.(*A))
		if *at != nil {
			return errors.New("there is more than one, and the aggregate takes One")
		}
		*at = v.(*T)
		return nil
	}}}
}

// Aggregate reads a node and its edges as one value, in one Query. Its rows are the whole partition of the node: a row that no
// part claims is an error (ErrUnknownRow), unless Skip names its model or Rest takes it. Nothing is left out in silence.
type Aggregate[A any] struct{ of aggregate }

// aggregate is an Aggregate of any type.
type aggregate struct {
	root  piece
	parts []piece
	skip  []*model
	rest  func(aggregate any) *[]Item
}

// Skip returns the aggregate with models named that live in the partition, and are left out on purpose.
func (a *Aggregate[A]) Skip(models ...Definition) *Aggregate[A] {
	return &Aggregate[A]{a.of.skipping(models)}
}

func (a aggregate) skipping(models []Definition) aggregate {
	a.skip = slices.Clone(a.skip)
	for _, m := range models {
		if !missing(m) {
			a.skip = append(a.skip, m.definition())
		}
	}
	return a
}

// Rest returns the aggregate with a place for the rows that nothing else claims, as they are.
func (a *Aggregate[A]) Rest(place func(*A) *[]Item) *Aggregate[A] {
	next := *a
	if next.of.rest = nil; place != nil {
		next.of.rest = func(v any) *[]Item { return place(v.(*A)) }
	}
	return &next
}

// NewAggregate defines an aggregate, or returns every mistake of the definition at once.
func NewAggregate[A any](root RootPart[A], parts ...Part[A]) (*Aggregate[A], error) {
	list := make([]piece, len(parts))
	for i, p := range parts {
		list[i] = p.piece
	}
	of, err := newAggregate(reflect.TypeFor[A](), root.piece, list)
	if err != nil {
		return nil, err
	}
	return &Aggregate[A]{of}, nil
}

func newAggregate(t reflect.Type, root piece, parts []piece) (aggregate, error) {
	a := aggregate{root: root}
	d := &definition{model: &model{goType: t}}
	if root.model == nil {
		d.fault("", "there is no root", "make it with table.Root and a model")
		return a, d.err()
	}
	d.name = root.model.name
	d.checkPlace(root.model, root.fault)
	for i, p := range parts {
		if p.model == nil {
			d.fault("", fmt.Sprintf("part %d is empty", i), "make it with table.Many or table.One and a model")
			continue
		}
		d.checkPlace(p.model, p.fault)
		a.parts = append(a.parts, p)
	}
	d.checkParts(a.models())
	return a, d.err()
}

// DefineAggregate is NewAggregate for package variables: it panics with the mistakes.
func DefineAggregate[A any](root RootPart[A], parts ...Part[A]) *Aggregate[A] {
	a, err := NewAggregate(root, parts...)
	if err != nil {
		panic(err)
	}
	return a
}

// models are all that the definition names, the root first.
func (a *aggregate) models() []*model {
	list := []*model{a.root.model}
	for _, p := range a.parts {
		list = append(list, p.model)
	}
	return list
}

func (d *definition) checkPlace(m *model, fault string) {
	if fault != "" {
		d.fault("", fmt.Sprintf("%q: %s", m.name, fault), "func(a *A) … { return &a.Field }, with a field of the aggregate itself")
	}
}

func (d *definition) checkParts(models []*model) {
	root := models[0]
	if root.keys != nil {
		d.fault("", fmt.Sprintf("the keys of %q are made by a function", root.name), "the root of an aggregate has an ID")
		return
	}
	for i, m := range models {
		if slices.Contains(models[:i], m) {
			d.fault("", fmt.Sprintf("%q is named twice", m.name), "a row has one place")
		}
		if i == 0 || m.owner == nil {
			continue
		}
		if !sameKinds(root.id, m.owner) {
			d.fault(m.owner.names(), fmt.Sprintf("the owner of %q is a %s, and the id of %q is a %s", m.name, m.owner.types(), root.name, root.id.types()),
				"an edge's owner has the type of the node's id")
		}
	}
}

// Name is the discriminator of the root.
func (a *Aggregate[A]) Name() string { return a.of.root.model.name }

// Matches says whether a row belongs to the aggregate: to its root, or to one of its parts.
func (a *Aggregate[A]) Matches(item Item) bool { return a.of.matches(item) }

func (a *aggregate) matches(item Item) bool {
	if a.root.model.matches(item) {
		return true
	}
	return slices.ContainsFunc(a.parts, func(p piece) bool { return p.model.matches(item) })
}

// Get reads the aggregate whose root has the id, all pages of it: ErrNotFound if there is no root, or it is deleted or expired.
// Deleted and expired edges are left out. It reads consistently; options are Eventual, WithDeleted, and Limit: more rows than that are an
// error, never a part of the aggregate.
func (a *Aggregate[A]) Get(ctx context.Context, db *DB, id ID, opts ...ReadOption) (A, error) {
	v := new(A)
	if err := a.of.get(ctx, db, id, opts, v); err != nil {
		return *new(A), err
	}
	return *v, nil
}

// get reads into what v points at.
func (a *aggregate) get(ctx context.Context, db *DB, id ID, opts []ReadOption, v any) error {
	root := a.root.model
	key, err := root.keyOfID(id)
	if err != nil {
		return root.fail("get aggregate", key, err)
	}
	r, err := readingOf(opts, "Eventual", "WithDeleted", "Limit")
	if err != nil {
		return root.fail("get aggregate", key, err)
	}
	meta, err := a.load(ctx, db, key, r, v)
	if err == nil && (!meta.Exists || meta.Deleted && !r.deleted) {
		err = ErrNotFound
	}
	return root.fail("get aggregate", key, err)
}

// AggregateMeta is what the library knows of an aggregate's rows.
type AggregateMeta struct {
	Meta             // the root's
	Newest time.Time // the latest change of any row, deleted ones among them
	Exists bool      // there is a root, deleted or not
	// Deleted shadows the root's: it is true if the root is deleted or expired.
	Deleted bool
}

// Load reads the partition pk as the aggregate, for whoever reacts to the change of one of its rows: consistently and in full. A deleted root is
// not an error: it comes with its last state, and the meta says so. Deleted edges are left out, but count for Newest. Sealed fields that a DB without an
// Opener cannot open are zero.
func (a *Aggregate[A]) Load(ctx context.Context, db *DB, pk string) (A, AggregateMeta, error) {
	v := new(A)
	key := RowKey{PK: pk, SK: a.Name()}
	meta, err := a.of.load(ctx, db, key, reading{lenient: true}, v)
	if err != nil {
		return *new(A), AggregateMeta{}, a.of.root.model.fail("load aggregate", key, err)
	}
	return *v, meta, nil
}

// load reads the partition, page by page, into what v points at.
func (a *aggregate) load(ctx context.Context, db *DB, key RowKey, r reading, v any) (AggregateMeta, error) {
	var meta AggregateMeta
	if err := db.opened(); err != nil {
		return meta, err
	}
	condition, consistent := "#0 = :0", !r.eventual
	in := &dynamodb.QueryInput{
		TableName:                 &db.name,
		ConsistentRead:            &consistent,
		KeyConditionExpression:    &condition,
		ExpressionAttributeNames:  map[string]string{"#0": attrPK},
		ExpressionAttributeValues: Item{":0": &types.AttributeValueMemberS{Value: key.PK}},
	}
	now, rows := time.Now(), 0
	taking := aggregating{aggregate: a, v: v, meta: &meta, r: r, now: now}
	for {
		out, err := db.client.Query(ctx, in)
		if err != nil {
			return meta, err
		}
		if rows += len(out.Items); r.limit > 0 && rows > r.limit {
			return meta, invalid("the aggregate has more than %d rows", r.limit)
		}
		for _, item := range out.Items {
			if err := taking.take(item); err != nil {
				return meta, err
			}
		}
		if err := taking.settle(ctx, db); err != nil {
			return meta, err
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return meta, nil
		}
	}
}

// aggregating is the reading of one aggregate.
type aggregating struct {
	*aggregate
	v    any // a pointer to it
	meta *AggregateMeta
	r    reading
	now  time.Time

	rows   []decoded // of the page
	places []func() error
}

// settle opens the rows of a page in one call, and puts them into their places.
func (a *aggregating) settle(ctx context.Context, db *DB) error {
	if err := db.open(ctx, a.rows, a.r.lenient); err != nil {
		return err
	}
	for i, put := range a.places {
		if err := put(); err != nil {
			return fmt.Errorf("row %q: %w", textOf(a.rows[i].item[attrSK]), err)
		}
	}
	a.rows, a.places = nil, nil
	return nil
}

// take decodes one row of the page.
func (a *aggregating) take(item Item) error {
	m, err := ReadMeta(item)
	if err != nil {
		return err
	}
	if m.Timestamp.After(a.meta.Newest) {
		a.meta.Newest = m.Timestamp
	}
	if a.root.model.matches(item) {
		a.meta.Meta, a.meta.Exists = m, true
		a.meta.Deleted = m.Deleted || expired(item, a.now)
		return a.place(a.root, item)
	}
	if !a.r.shows(item, a.now) {
		return nil
	}
	for _, p := range a.parts {
		if p.model.matches(item) {
			return a.place(p, item)
		}
	}
	switch {
	case slices.ContainsFunc(a.skip, func(s *model) bool { return s.matches(item) }):
		return nil
	case a.rest != nil:
		*a.rest(a.v) = append(*a.rest(a.v), item)
		return nil
	}
	return fmt.Errorf("%w: %q has discriminator %q; name its model with Skip, or give it a place with Rest", ErrUnknownRow, m.Key.SK, m.Discriminator)
}

func (a *aggregating) place(p piece, item Item) error {
	entity, err := p.decode(item)
	if err != nil {
		return fmt.Errorf("row %q: %w", textOf(item[attrSK]), err)
	}
	a.rows = append(a.rows, decoded{model: p.model, item: item, rv: entity.Elem()})
	a.places = append(a.places, func() error { return p.put(a.v, entity.Interface()) })
	return nil
}
