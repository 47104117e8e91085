package table

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Definition is a *Node or an *Edge of any type.
type Definition interface {
	Name() string
	definition() *model
}

// TableSchema is the table that a set of models needs. Make one with Schema.
type TableSchema struct {
	models  []*model
	indexes []*indexKey
	err     error
}

// Schema is the table that the models need: pk and sk, gsi1 for lists, and the indexes that the models name. Models that cannot
// share a table are an error of what is then asked of the schema.
func Schema(models ...Definition) *TableSchema {
	s := &TableSchema{indexes: []*indexKey{{Index: Index{Name: gsi1, PK: attrDiscriminator, SK: attrPK}}}}
	var faults []error
	for i, def := range models {
		if missing(def) {
			faults = append(faults, invalid("model %d is nil", i))
			continue
		}
		m := def.definition()
		for _, other := range s.models {
			if other.name == m.name || other.owner != nil && m.owner != nil && other.role == m.role {
				faults = append(faults, invalid("models %q and %q have the same name or role, and their rows could not be told apart", other.name, m.name))
			}
		}
		s.models = append(s.models, m)
		for _, p := range m.people {
			faults = append(faults, s.add(m, &indexKey{Index: p.index()}))
		}
		for _, x := range m.indexes {
			faults = append(faults, s.add(m, x))
		}
	}
	s.err = errors.Join(append(faults, s.checkKinds())...)
	return s
}

// missing says that there is no model behind a Definition.
func missing(def Definition) bool { return def == nil || reflect.ValueOf(def).IsNil() }

// add joins the index of a model: models that share one must agree on its keys.
func (s *TableSchema) add(m *model, x *indexKey) error {
	i := slices.IndexFunc(s.indexes, func(have *indexKey) bool { return have.Name == x.Name })
	if i < 0 {
		s.indexes = append(s.indexes, x)
		return nil
	}
	if have := s.indexes[i]; !slices.Equal(have.hash(), x.hash()) || !slices.Equal(have.order(), x.order()) {
		return invalid("model %q defines index %q with keys %s, and another one with %s", m.name, x.Name, x.keyNames(), have.keyNames())
	}
	return nil
}

// keyNames are the attributes of the key, for messages.
func (x *indexKey) keyNames() string {
	var names []string
	for _, a := range slices.Concat(x.hash(), x.order()) {
		names = append(names, strconv.Quote(a.name))
	}
	return strings.Join(names, " and ")
}

// checkKinds finds attributes that are of one kind in an index, and of another one in the next.
func (s *TableSchema) checkKinds() error {
	kinds := map[string]types.ScalarAttributeType{}
	for _, x := range s.indexes {
		for _, a := range slices.Concat(x.hash(), x.order()) {
			if have, ok := kinds[a.name]; ok && have != a.kind {
				return invalid("attribute %q is of type %s in index %q, and of type %s in another one", a.name, a.kind, x.Name, have)
			}
			kinds[a.name] = a.kind
		}
	}
	return nil
}

// TTLAttribute is the attribute that DynamoDB's time to live must be switched on for. CreateTable cannot do it; Create does.
func (s *TableSchema) TTLAttribute() string { return attrTTL }

// CreateTableInput is the request that makes the table: on-demand, with a change stream of new and old images, and all attributes in the
// indexes.
func (s *TableSchema) CreateTableInput(name string) (*dynamodb.CreateTableInput, error) {
	if s == nil {
		return nil, invalid("there is no schema: make it with Schema")
	}
	if s.err != nil {
		return nil, fmt.Errorf("table: no schema: %w", s.err)
	}
	enabled := true
	in := &dynamodb.CreateTableInput{
		TableName:           &name,
		BillingMode:         types.BillingModePayPerRequest,
		KeySchema:           keySchema([]keyAttr{textAttr(attrPK)}, []keyAttr{textAttr(attrSK)}),
		StreamSpecification: &types.StreamSpecification{StreamEnabled: &enabled, StreamViewType: types.StreamViewTypeNewAndOldImages},
	}
	attrs := []keyAttr{textAttr(attrPK), textAttr(attrSK)}
	for _, x := range s.indexes {
		attrs = slices.Concat(attrs, x.hash(), x.order())
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName:  &x.Name,
			KeySchema:  keySchema(x.hash(), x.order()),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		})
	}
	slices.SortFunc(attrs, func(a, b keyAttr) int { return strings.Compare(a.name, b.name) })
	for _, attr := range slices.Compact(attrs) {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &attr.name, AttributeType: attr.kind})
	}
	return in, nil
}

func keySchema(hash, order []keyAttr) []types.KeySchemaElement {
	var list []types.KeySchemaElement
	for _, a := range hash {
		list = append(list, types.KeySchemaElement{AttributeName: &a.name, KeyType: types.KeyTypeHash})
	}
	for _, a := range order {
		list = append(list, types.KeySchemaElement{AttributeName: &a.name, KeyType: types.KeyTypeRange})
	}
	return list
}
