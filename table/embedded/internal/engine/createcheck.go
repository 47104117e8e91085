package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DynamoDB's limits on a table.
const (
	maxLocalIndexes  = 5
	maxGlobalIndexes = 20
	maxTableKeys     = 2
	maxIndexKeyParts = 4
	maxNonKeyNames   = 100 // in all indexes of a table
	maxNonKeyNamesIn = 20  // in one
	maxThroughput    = 1_000_000_000_000
	minNameLength    = 3
)

func checkCreate(in *dynamodb.CreateTableInput) error {
	if err := checkCreateForm(in); err != nil {
		return err
	}
	if n := len(*in.TableName); n < minNameLength || n > maxNameLength {
		return validation("TableName must be at least 3 characters long and at most 255 characters long")
	}
	if len(in.VectorIndexes) > 0 || in.GlobalTableSourceArn != nil || in.ResourcePolicy != nil {
		return Unsupported("CreateTable with VectorIndexes, GlobalTableSourceArn or ResourcePolicy")
	}
	if err := checkPromises(in); err != nil {
		return err
	}
	if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return err
	}
	if err := checkKeysDefined(in.KeySchema, in.AttributeDefinitions); err != nil {
		return err
	}
	if err := checkPrimary(in.KeySchema); err != nil {
		return err
	}
	if err := checkLocalIndexes(in); err != nil {
		return err
	}
	if err := checkGlobalIndexes(in); err != nil {
		return err
	}
	projected := 0
	for _, x := range in.LocalSecondaryIndexes {
		projected += len(x.Projection.NonKeyAttributes)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		projected += len(x.Projection.NonKeyAttributes)
	}
	if err := checkProjected(projected); err != nil {
		return err
	}
	if err := checkDefinitions(in); err != nil {
		return err
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	return checkStreamSpec(in.StreamSpecification)
}

func checkCreateForm(in *dynamodb.CreateTableInput) error {
	var v violations
	v.plainName("tableName", in.TableName, 0, maxARNLength)
	oneOf(&v, "billingMode", in.BillingMode, types.BillingMode("").Values())
	oneOf(&v, "tableClass", in.TableClass, types.TableClass("").Values())
	if in.AttributeDefinitions == nil {
		v.add(nil, "attributeDefinitions", notNull)
	}
	for i, d := range in.AttributeDefinitions {
		v.definition(i, d)
	}
	v.keySchema("keySchema", in.KeySchema, maxTableKeys)
	v.throughput("provisionedThroughput", in.ProvisionedThroughput)
	for i, x := range in.LocalSecondaryIndexes {
		v.index(member("localSecondaryIndexes", i), x.IndexName, x.KeySchema, maxTableKeys, x.Projection)
	}
	for i, x := range in.GlobalSecondaryIndexes {
		v.index(member("globalSecondaryIndexes", i), x.IndexName, x.KeySchema, 2*maxIndexKeyParts, x.Projection)
		v.throughput(member("globalSecondaryIndexes", i)+".provisionedThroughput", x.ProvisionedThroughput)
	}
	return v.err()
}

func member(path string, i int) string { return path + "." + strconv.Itoa(i+1) + ".member" }

func (v *violations) definition(i int, d types.AttributeDefinition) {
	path := member("attributeDefinitions", i)
	v.needed(path+".attributeName", d.AttributeName, 1, maxNameLength)
	if d.AttributeType == "" {
		v.add(nil, path+".attributeType", notNull)
	}
	oneOf(v, path+".attributeType", d.AttributeType, []types.ScalarAttributeType{"B", "N", "S"})
}

func (v *violations) keySchema(path string, keys []types.KeySchemaElement, most int) {
	if keys == nil {
		v.add(nil, path, notNull)
		return
	}
	var shown []string
	for _, k := range keys {
		shown = append(shown, fmt.Sprintf("KeySchemaElement(attributeName=%s, keyType=%s)", aws.ToString(k.AttributeName), k.KeyType))
	}
	v.length(path, "["+strings.Join(shown, ", ")+"]", len(keys), 1, most)
	for i, k := range keys {
		v.needed(member(path, i)+".attributeName", k.AttributeName, 1, maxNameLength)
		if k.KeyType == "" {
			v.add(nil, member(path, i)+".keyType", notNull)
		}
		oneOf(v, member(path, i)+".keyType", k.KeyType, types.KeyType("").Values())
	}
}

func (v *violations) throughput(path string, p *types.ProvisionedThroughput) {
	if p == nil {
		return
	}
	v.units(path+".writeCapacityUnits", p.WriteCapacityUnits)
	v.units(path+".readCapacityUnits", p.ReadCapacityUnits)
}

func (v *violations) units(path string, n *int64) {
	switch {
	case n == nil:
		v.add(nil, path, notNull)
	case *n < 1:
		v.add(*n, path, "Member must have value greater than or equal to 1")
	}
}

func (v *violations) index(path string, name *string, keys []types.KeySchemaElement, most int, p *types.Projection) {
	v.plainName(path+".indexName", name, minNameLength, maxNameLength)
	v.keySchema(path+".keySchema", keys, most)
	if p == nil {
		v.add(nil, path+".projection", notNull)
		return
	}
	oneOf(v, path+".projection.projectionType", p.ProjectionType, []types.ProjectionType{"ALL", "INCLUDE", "KEYS_ONLY"})
	if p.NonKeyAttributes == nil {
		return
	}
	path += ".projection.nonKeyAttributes"
	v.length(path, "["+strings.Join(p.NonKeyAttributes, ", ")+"]", len(p.NonKeyAttributes), 1, maxNonKeyNamesIn)
	for i, name := range p.NonKeyAttributes {
		v.needed(member(path, i), &name, 1, maxNameLength)
	}
}

func checkBilling(mode types.BillingMode, p *types.ProvisionedThroughput) error {
	switch {
	case mode == types.BillingModePayPerRequest && p != nil:
		return invalidParameter("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case mode != types.BillingModePayPerRequest && p == nil:
		return invalidParameter("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return checkThroughput(p)
}

func checkThroughput(p *types.ProvisionedThroughput) error {
	switch {
	case p == nil:
	case *p.ReadCapacityUnits > maxThroughput:
		return validation("Given value %d for ReadCapacityUnits is out of bounds", *p.ReadCapacityUnits)
	case *p.WriteCapacityUnits > maxThroughput:
		return validation("Given value %d for WriteCapacityUnits is out of bounds", *p.WriteCapacityUnits)
	}
	return nil
}

// checkKeysDefined checks that the attributes of a key are defined.
func checkKeysDefined(keys []types.KeySchemaElement, defs []types.AttributeDefinition) error {
	if len(keys) > len(defs) {
		return validation("Invalid KeySchema: Some index key attribute have no definition")
	}
	var defined []string
	for _, d := range defs {
		defined = append(defined, *d.AttributeName)
	}
	for _, name := range keyNames(keys) {
		if !slices.Contains(defined, name) {
			return undefinedKeys(keyNames(keys), defined)
		}
	}
	return nil
}

func undefinedKeys(keys, defined []string) error {
	return invalidParameter("Some index key attributes are not defined in AttributeDefinitions. "+
		"Keys: [%s], AttributeDefinitions: [%s]", strings.Join(keys, ", "), strings.Join(defined, ", "))
}

// checkPromises refuses what would be answered without being done.
func checkPromises(in *dynamodb.CreateTableInput) error {
	refused := in.SSESpecification != nil && aws.ToBool(in.SSESpecification.Enabled) ||
		in.OnDemandThroughput != nil || in.WarmThroughput != nil
	for _, x := range in.GlobalSecondaryIndexes {
		refused = refused || x.OnDemandThroughput != nil || x.WarmThroughput != nil
	}
	if refused {
		return Unsupported("CreateTable with SSESpecification, OnDemandThroughput or WarmThroughput")
	}
	return nil
}

// checkPrimary checks the shape of a table's or local index's key.
func checkPrimary(keys []types.KeySchemaElement) error {
	switch {
	case keys[0].KeyType != types.KeyTypeHash:
		return validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(keys) == 1:
		return nil
	case *keys[0].AttributeName == *keys[1].AttributeName:
		return validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case keys[1].KeyType != types.KeyTypeRange:
		return validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

// checkGlobalKey checks a global index's key: up to four HASH attributes, then
// up to four RANGE attributes.
func checkGlobalKey(keys []types.KeySchemaElement) error {
	if keys[0].KeyType != types.KeyTypeHash {
		return validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	hash, rang := splitKeys(keys)
	if len(hash) > maxIndexKeyParts || len(rang) > maxIndexKeyParts {
		return invalidParameter("The key schema of a global secondary index has at most %d HASH and %d RANGE attributes",
			maxIndexKeyParts, maxIndexKeyParts)
	}
	seen := map[string]types.KeyType{}
	for i, k := range keys {
		switch seen[*k.AttributeName] {
		case "":
		case k.KeyType:
			return validation("Invalid KeySchema: Duplicate attribute name in the KeySchema: %s", *k.AttributeName)
		default:
			return validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
		}
		seen[*k.AttributeName] = k.KeyType
		if i >= len(hash) && k.KeyType != types.KeyTypeRange {
			return validation("Invalid KeySchema: HASH key types must come before RANGE key types")
		}
	}
	return nil
}

func checkLocalIndexes(in *dynamodb.CreateTableInput) error {
	if in.LocalSecondaryIndexes != nil && len(in.LocalSecondaryIndexes) == 0 {
		return invalidParameter("List of LocalSecondaryIndexes is empty")
	}
	if len(in.LocalSecondaryIndexes) > 0 && len(in.KeySchema) < 2 {
		return invalidParameter("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	if len(in.LocalSecondaryIndexes) > maxLocalIndexes {
		return invalidParameter("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	for _, x := range in.LocalSecondaryIndexes {
		if err := checkPrimary(x.KeySchema); err != nil {
			return err
		}
		if len(x.KeySchema) < 2 {
			return invalidParameter("Index KeySchema does not have a range key for index: %s", *x.IndexName)
		}
		if got, want := *x.KeySchema[0].AttributeName, *in.KeySchema[0].AttributeName; got != want {
			return invalidParameter("Index KeySchema does not have the same leading hash key as table KeySchema for index: "+
				"%s. index hash key: %s, table hash key: %s", *x.IndexName, got, want)
		}
		if err := checkProjection(x.Projection); err != nil {
			return err
		}
	}
	return nil
}

func checkGlobalIndexes(in *dynamodb.CreateTableInput) error {
	if in.GlobalSecondaryIndexes != nil && len(in.GlobalSecondaryIndexes) == 0 {
		return invalidParameter("List of GlobalSecondaryIndexes is empty")
	}
	if len(in.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return invalidParameter("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	names := map[string]bool{}
	for _, x := range in.LocalSecondaryIndexes {
		if names[*x.IndexName] {
			return invalidParameter("Duplicate index name: %s", *x.IndexName)
		}
		names[*x.IndexName] = true
	}
	for _, x := range in.GlobalSecondaryIndexes {
		if names[*x.IndexName] {
			return invalidParameter("Duplicate index name: %s", *x.IndexName)
		}
		names[*x.IndexName] = true
		if err := checkGlobalIndex(*x.IndexName, x.KeySchema, x.Projection, in.BillingMode, x.ProvisionedThroughput); err != nil {
			return err
		}
	}
	return nil
}

func checkGlobalIndex(name string, keys []types.KeySchemaElement, p *types.Projection, mode types.BillingMode,
	throughput *types.ProvisionedThroughput,
) error {
	if err := checkGlobalKey(keys); err != nil {
		return err
	}
	if err := checkProjection(p); err != nil {
		return err
	}
	switch {
	case mode == types.BillingModePayPerRequest && throughput != nil:
		return invalidParameter("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", name)
	case mode != types.BillingModePayPerRequest && throughput == nil:
		return invalidParameter("ProvisionedThroughput must be specified for index: %s", name)
	}
	return checkThroughput(throughput)
}

func checkProjection(p *types.Projection) error {
	switch {
	case p.ProjectionType == "":
		return invalidParameter("Unknown ProjectionType: null")
	case p.ProjectionType != types.ProjectionTypeInclude && p.NonKeyAttributes != nil:
		return invalidParameter("ProjectionType is %s, but NonKeyAttributes is specified", p.ProjectionType)
	case p.ProjectionType == types.ProjectionTypeInclude && p.NonKeyAttributes == nil:
		return invalidParameter("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case len(slices.Compact(slices.Sorted(slices.Values(p.NonKeyAttributes)))) < len(p.NonKeyAttributes):
		return validation("Cannot have two attributes with the same name")
	}
	return nil
}

// checkProjected checks how many attributes all indexes of a table name in
// their projections; one that two of them name counts twice.
func checkProjected(n int) error {
	if n > maxNonKeyNames {
		return invalidParameter("The number of NonKeyAttributes of all indexes exceeds the limit of %d", maxNonKeyNames)
	}
	return nil
}

// checkDefinitions compares the defined attributes with those that keys use.
func checkDefinitions(in *dynamodb.CreateTableInput) error {
	var defined []string
	for _, d := range in.AttributeDefinitions {
		if slices.Contains(defined, *d.AttributeName) {
			return validation("Cannot have two attributes with the same name")
		}
		defined = append(defined, *d.AttributeName)
	}
	schemas := [][]types.KeySchemaElement{in.KeySchema}
	for _, x := range in.LocalSecondaryIndexes {
		schemas = append(schemas, x.KeySchema)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		schemas = append(schemas, x.KeySchema)
	}
	used := keyNames(schemas...)
	for _, schema := range schemas {
		for _, name := range keyNames(schema) {
			if !slices.Contains(defined, name) {
				return undefinedKeys(keyNames(schema), defined)
			}
		}
	}
	if len(used) == len(defined) {
		return nil
	}
	if len(schemas) == 1 {
		return invalidParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	return invalidParameter("Some AttributeDefinitions are not used. AttributeDefinitions: [%s], keys used: [%s]",
		strings.Join(defined, ", "), strings.Join(used, ", "))
}

// keyNames lists the attributes of key schemas, each once.
func keyNames(schemas ...[]types.KeySchemaElement) []string {
	var names []string
	for _, schema := range schemas {
		for _, k := range schema {
			if !slices.Contains(names, *k.AttributeName) {
				names = append(names, *k.AttributeName)
			}
		}
	}
	return names
}

func checkStreamSpec(s *types.StreamSpecification) error {
	switch {
	case s == nil:
		return nil
	case s.StreamEnabled == nil:
		return nullMember("streamSpecification.streamEnabled")
	case !*s.StreamEnabled && s.StreamViewType != "":
		return invalidParameter("StreamViewType should not be specified when StreamEnabled is false")
	case *s.StreamEnabled && s.StreamViewType == "":
		return invalidParameter("StreamViewType must be specified when StreamEnabled is true")
	}
	var v violations
	oneOf(&v, "streamSpecification.streamViewType", s.StreamViewType, types.StreamViewType("").Values())
	return v.err()
}
