package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Verify compares a table that exists with the schema, and lists every difference that matters to this package, one sentence each: keys and
// their types, indexes that are missing, differ or are not active, projections, the stream and the time to live. Indexes
// that the schema does not know are not drift: others may use them. Whether the table could be described is the error.
//
// A service calls it when it starts, or a test does after a deployment: no drift is a nil list.
func (s *TableSchema) Verify(ctx context.Context, admin Admin, name string) (drift []string, err error) {
	want, err := s.CreateTableInput(name)
	if err != nil {
		return nil, err
	}
	if admin == nil {
		return nil, invalid("there is no client to verify %q with", name)
	}
	table, err := admin.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
	if err != nil {
		return nil, fmt.Errorf("table: cannot verify %q: %w", name, err)
	}
	ttl, err := admin.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &name})
	if err != nil {
		return nil, fmt.Errorf("table: cannot verify %q: %w", name, err)
	}
	if table.Table == nil {
		return nil, fmt.Errorf("table: cannot verify %q: the endpoint describes nothing", name)
	}
	d := &drifts{have: table.Table, want: want.AttributeDefinitions}
	d.keys("the table", want.KeySchema, d.have.KeySchema)
	for _, x := range want.GlobalSecondaryIndexes {
		d.index(x)
	}
	d.stream(want.StreamSpecification)
	d.expiry(ttl.TimeToLiveDescription)
	return d.found, nil
}

// drifts collects differences.
type drifts struct {
	have  *types.TableDescription
	want  []types.AttributeDefinition
	found []string
}

func (d *drifts) add(format string, args ...any) {
	d.found = append(d.found, fmt.Sprintf(format, args...))
}

// kind is the type of an attribute in the schema.
func (d *drifts) kind(attr string) types.ScalarAttributeType {
	i := slices.IndexFunc(d.want, func(a types.AttributeDefinition) bool { return *a.AttributeName == attr })
	return d.want[i].AttributeType
}

// keys compares a key schema, and the types of its attributes.
func (d *drifts) keys(what string, want, have []types.KeySchemaElement) {
	if w, h := keyText(want), keyText(have); w != h {
		d.add("%s has the key %s, and the schema %s", what, h, w)
		return
	}
	for _, k := range want {
		for _, a := range d.have.AttributeDefinitions {
			if want := d.kind(*k.AttributeName); textOr(a.AttributeName) == *k.AttributeName && a.AttributeType != want {
				d.add("%s: attribute %q is of type %s, and %s in the schema", what, *k.AttributeName, a.AttributeType, want)
			}
		}
	}
}

func keyText(keys []types.KeySchemaElement) string {
	text := ""
	for i, k := range keys {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q %s", textOr(k.AttributeName), k.KeyType)
	}
	return "(" + text + ")"
}

func (d *drifts) index(want types.GlobalSecondaryIndex) {
	name := *want.IndexName
	i := slices.IndexFunc(d.have.GlobalSecondaryIndexes, func(x types.GlobalSecondaryIndexDescription) bool { return textOr(x.IndexName) == name })
	if i < 0 {
		d.add("index %q is missing", name)
		return
	}
	have := d.have.GlobalSecondaryIndexes[i]
	d.keys(fmt.Sprintf("index %q", name), want.KeySchema, have.KeySchema)
	var projection types.ProjectionType
	if have.Projection != nil {
		projection = have.Projection.ProjectionType
	}
	if projection != want.Projection.ProjectionType {
		d.add("index %q projects %q, and the schema %q", name, projection, want.Projection.ProjectionType)
	}
	if have.IndexStatus != "" && have.IndexStatus != types.IndexStatusActive && have.IndexStatus != types.IndexStatusUpdating {
		d.add("index %q is not active: %s", name, have.IndexStatus)
	}
}

func (d *drifts) stream(want *types.StreamSpecification) {
	have := d.have.StreamSpecification
	switch {
	case have == nil || have.StreamEnabled == nil || !*have.StreamEnabled:
		d.add("the stream is off, and the schema has %s", want.StreamViewType)
	case have.StreamViewType != want.StreamViewType:
		d.add("the stream has %s, and the schema %s", have.StreamViewType, want.StreamViewType)
	}
}

func (d *drifts) expiry(have *types.TimeToLiveDescription) {
	on := have != nil && (have.TimeToLiveStatus == types.TimeToLiveStatusEnabled || have.TimeToLiveStatus == types.TimeToLiveStatusEnabling)
	switch {
	case !on:
		d.add("the time to live is off, and the schema has attribute %q", attrTTL)
	case textOr(have.AttributeName) != attrTTL:
		d.add("the time to live is that of attribute %q, and the schema has %q", textOr(have.AttributeName), attrTTL)
	}
}

func textOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
