package table

import (
	"errors"
	"fmt"
	"slices"

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
	indexes []Index
	err     error
}

// Schema is the table that the models need: pk and sk, gsi1 for lists, and the indexes that the models name. Models that cannot
// share a table are an error of what is then asked of the schema.
func Schema(models ...Definition) *TableSchema {
	s := &TableSchema{indexes: []Index{{Name: gsi1, PK: attrDiscriminator, SK: attrPK}}}
	var faults []error
	for _, def := range models {
		m := def.definition()
		for _, other := range s.models {
			if other.name == m.name || other.owner != nil && m.owner != nil && other.role == m.role {
				faults = append(faults, invalid("models %q and %q have the same name or role, and their rows could not be told apart", other.name, m.name))
			}
		}
		s.models = append(s.models, m)
		if m.subject != nil {
			faults = append(faults, s.add(m, subjectIndex()))
		}
		for _, x := range m.indexes {
			faults = append(faults, s.add(m, x.Index))
		}
	}
	s.err = errors.Join(faults...)
	return s
}

// add joins the index of a model: models that share one must agree on its keys.
func (s *TableSchema) add(m *model, x Index) error {
	i := slices.IndexFunc(s.indexes, func(have Index) bool { return have.Name == x.Name })
	switch {
	case i < 0:
		s.indexes = append(s.indexes, x)
	case !s.indexes[i].same(x):
		return invalid("model %q defines index %q with keys %q and %q, and another one with %q and %q", m.name, x.Name, x.PK, x.SK,
			s.indexes[i].PK, s.indexes[i].SK)
	}
	return nil
}

// TTLAttribute is the attribute that DynamoDB's time to live must be switched on for. CreateTable cannot do it; Create does.
func (s *TableSchema) TTLAttribute() string { return attrTTL }

// CreateTableInput is the request that makes the table: on-demand, with a change stream of new and old images, and all attributes in the
// indexes.
func (s *TableSchema) CreateTableInput(name string) (*dynamodb.CreateTableInput, error) {
	if s.err != nil {
		return nil, fmt.Errorf("table: no schema: %w", s.err)
	}
	enabled := true
	in := &dynamodb.CreateTableInput{
		TableName:           &name,
		BillingMode:         types.BillingModePayPerRequest,
		KeySchema:           keySchema(attrPK, attrSK),
		StreamSpecification: &types.StreamSpecification{StreamEnabled: &enabled, StreamViewType: types.StreamViewTypeNewAndOldImages},
	}
	attrs := []string{attrPK, attrSK}
	for _, x := range s.indexes {
		attrs = append(attrs, x.PK, x.SK)
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName:  &x.Name,
			KeySchema:  keySchema(x.PK, x.SK),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		})
	}
	slices.Sort(attrs)
	for _, attr := range slices.Compact(attrs) {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: &attr, AttributeType: types.ScalarAttributeTypeS,
		})
	}
	return in, nil
}

func keySchema(hash, sort string) []types.KeySchemaElement {
	return []types.KeySchemaElement{
		{AttributeName: &hash, KeyType: types.KeyTypeHash},
		{AttributeName: &sort, KeyType: types.KeyTypeRange},
	}
}
