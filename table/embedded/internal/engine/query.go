package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// Query implements DynamoDB's operation. A page is one consistent state.
func (e *Engine) Query(ctx context.Context, in *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	return e.QueryJSON(ctx, in, nil)
}

// QueryJSON appends the items to a text that is not nil, instead of leaving them in the output: as an array of
// DynamoDB's JSON, nothing if only counts are asked for.
func (e *Engine) QueryJSON(ctx context.Context, in *dynamodb.QueryInput, text *[]byte) (*dynamodb.QueryOutput, error) {
	if err := checkQuery(in); err != nil {
		return nil, err
	}
	parsed, err := e.parseQuery(in)
	if err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.mu.RUnlock()
	q, err := t.query(in, parsed)
	if err != nil {
		return nil, err
	}
	q.text = text
	p, err := e.run(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := e.seenQuery(ctx, q); err != nil {
		return nil, internal(err)
	}
	return &dynamodb.QueryOutput{
		Items: p.items, Count: p.count, ScannedCount: p.scanned, LastEvaluatedKey: p.last,
		ConsumedCapacity: q.usage.report(in.ReturnConsumedCapacity),
	}, nil
}

// seenQuery waits until what was read is durable. All of a table's partition
// has one stripe.
func (e *Engine) seenQuery(ctx context.Context, q *reading) error {
	if q.x != nil && !q.x.Local {
		return e.seenAll()
	}
	return seen(ctx, &e.stripes[e.stripe(q.t, rowKey{hash: q.hash})].last)
}

func checkQuery(in *dynamodb.QueryInput) error {
	var v violations
	v.table(in.TableName)
	v.read(in.IndexName, in.Limit, in.Select, in.ReturnConsumedCapacity)
	v.compared("keyConditions", in.KeyConditions)
	v.older("queryFilter", in.QueryFilter, in.ConditionalOperator, in.AttributesToGet)
	if err := v.err(); err != nil {
		return err
	}
	if err := unmixedQuery(in); err != nil {
		return err
	}
	if err := checkStart(in.ExclusiveStartKey); err != nil {
		return err
	}
	if in.KeyConditions == nil && in.KeyConditionExpression == nil {
		return validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	return checkSelect(in.Select, in.AttributesToGet != nil, in.ProjectionExpression != nil)
}

// unmixedQuery allows KeyConditions beside the newer filter and projection.
func unmixedQuery(in *dynamodb.QueryInput) error {
	older := []given{
		{"AttributesToGet", in.AttributesToGet != nil},
		{"QueryFilter", in.QueryFilter != nil},
		{"ConditionalOperator", in.ConditionalOperator != ""},
		{"KeyConditions", in.KeyConditions != nil && in.KeyConditionExpression != nil},
	}
	return unmixed(older, []given{
		{"ProjectionExpression", in.ProjectionExpression != nil},
		{"FilterExpression", in.FilterExpression != nil},
		{"KeyConditionExpression", in.KeyConditionExpression != nil},
	})
}

func (v *violations) read(index *string, limit *int32, sel types.Select, rcc types.ReturnConsumedCapacity) {
	if index != nil {
		v.plainName("indexName", index, minNameLength, maxNameLength)
	}
	if limit != nil && *limit < 1 {
		v.add(*limit, "limit", "Member must have value greater than or equal to 1")
	}
	oneOf(v, "select", sel, []types.Select{"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"})
	v.capacity(rcc)
}

// parsedRead are the expressions of a query or scan.
type parsedRead struct {
	key     *expr.KeyCondition
	filter  *expr.Condition
	project *expr.Projection

	olderFilter bool
}

func (e *Engine) parseQuery(in *dynamodb.QueryInput) (*parsedRead, error) {
	var p parsedRead
	nulls := ""
	if in.KeyConditionExpression == nil && in.FilterExpression == nil && in.ProjectionExpression == nil {
		nulls = "FilterExpression and KeyConditionExpression are null"
	}
	env, err := e.newEnv(in.ExpressionAttributeNames, in.ExpressionAttributeValues, nulls)
	if err != nil {
		return nil, err
	}
	if p.filter, p.project, err = parseRead(in.FilterExpression, in.ProjectionExpression, env); err != nil {
		return nil, err
	}
	if in.KeyConditionExpression != nil {
		p.key, err = expr.ParseKeyCondition(*in.KeyConditionExpression, env)
	} else {
		p.key, err = expr.FromKeyConditions(in.KeyConditions)
	}
	if err != nil {
		return nil, invalid(err)
	}
	if err := p.older(in.AttributesToGet, in.QueryFilter, in.ConditionalOperator); err != nil {
		return nil, err
	}
	if env != nil {
		err = env.CheckUnused()
	}
	return &p, invalid(err)
}

// older reads the legacy filter and projection, if there are any.
func (p *parsedRead) older(names []string, filter map[string]types.Condition, op types.ConditionalOperator) error {
	if names != nil {
		project, err := expr.FromAttributesToGet(names)
		if err != nil {
			return invalid(err)
		}
		p.project = project
	}
	f, err := filtered(filter, op)
	if err != nil {
		return err
	}
	if f != nil {
		p.filter, p.olderFilter = f, true
	}
	return nil
}

func parseRead(filter, project *string, env *expr.Env) (f *expr.Condition, p *expr.Projection, err error) {
	if filter != nil {
		if f, err = expr.ParseFilter(*filter, env); err != nil {
			return nil, nil, invalid(err)
		}
	}
	if project != nil {
		if p, err = expr.ParseProjection(*project, env); err != nil {
			return nil, nil, invalid(err)
		}
	}
	return f, p, nil
}

// query makes the reading of a query.
func (t *table) query(in *dynamodb.QueryInput, parsed *parsedRead) (*reading, error) {
	x, err := t.readIndex(in.IndexName, in.ConsistentRead)
	if err != nil {
		return nil, err
	}
	q := &reading{
		t: t, x: x, filter: parsed.filter, project: parsed.project, strong: in.ConsistentRead, usage: newUsage(t),
		reverse: in.ScanIndexForward != nil && !*in.ScanIndexForward,
	}
	if in.Limit != nil {
		q.limit = int(*in.Limit)
	}
	if err := q.choose(in.Select, attributesOf(parsed.project)); err != nil {
		return nil, err
	}
	if err := t.checkScalars(parsed.filter, parsed.project); err != nil {
		return nil, err
	}
	if err := q.bound(parsed.key); err != nil {
		return nil, err
	}
	if err := q.checkFilter(parsed.olderFilter); err != nil {
		return nil, err
	}
	if in.ExclusiveStartKey == nil {
		return q, nil
	}
	key, err := q.start(in.ExclusiveStartKey)
	if err != nil {
		return nil, err
	}
	if !q.contains(key) {
		return nil, validation("The provided starting key is outside query boundaries based on provided conditions")
	}
	q.continueAfter(key)
	return q, nil
}

func attributesOf(p *expr.Projection) []string {
	if p == nil {
		return nil
	}
	return p.Names()
}

func (q *reading) contains(key []byte) bool {
	return string(key) >= string(q.lo) && (q.hi == nil || string(key) < string(q.hi))
}

// schema is the key that the reading's conditions are about.
func (q *reading) schema() keySchema {
	if q.x == nil {
		return q.t.keys
	}
	return q.x.keys
}

// checkFilter refuses key attributes in the filter of a query, and what the
// index does not have. A scan of an index may ask for both.
func (q *reading) checkFilter(older bool) error {
	if q.filter == nil {
		return nil
	}
	for _, name := range q.filter.Names() {
		if q.schema().has(name) && older {
			return validation("QueryFilter can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
		if q.schema().has(name) {
			return validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", name)
		}
	}
	if q.x == nil || q.x.project == nil {
		return nil
	}
	lacking := slices.DeleteFunc(q.filter.Names(), func(name string) bool {
		_, ok := q.x.project[name]
		return ok
	})
	if len(lacking) == 0 {
		return nil
	}
	slices.Sort(lacking)
	return invalidParameter("Secondary index %s does not project one or more filter attributes: [%s]",
		q.x.Name, strings.Join(slices.Compact(lacking), ", "))
}

// bound turns the key condition into a range of storage keys: every hash
// attribute by equality, then range attributes from the left, of which only
// the last may have another operator.
func (q *reading) bound(c *expr.KeyCondition) error {
	terms := make(map[string]expr.KeyTerm, len(c.Terms))
	for _, term := range c.Terms {
		terms[term.Name] = term
	}
	schema := q.schema()
	switch most := len(schema.Hash) + len(schema.Range); {
	case len(terms) == 0, len(terms) > 2 && most <= 2:
		return validation("Conditions can be of length 1 or 2 only")
	case len(terms) > max(most, 2):
		return validation("The number of query conditions (%d) exceeds the number of key attributes defined in the schema (%d)", len(terms), most)
	}
	equal := attr.Item{}
	for _, k := range schema.Hash {
		term, ok := terms[k.Name]
		if !ok {
			return validation("Query condition missed key schema element: %s", k.Name)
		}
		if term.Op != expr.KeyEqual {
			return validation("Query key condition not supported")
		}
		if err := q.checkTerm(k, term); err != nil {
			return err
		}
		if term.Values[0].Size() > maxHashKeySize {
			return hashTooLarge()
		}
		equal[k.Name] = term.Values[0]
		delete(terms, k.Name)
	}
	prefix, err := q.hashPrefix(equal)
	if err != nil {
		return err
	}
	q.lo, q.hi = prefixRange(prefix)
	return q.boundRange(schema.Range, terms, prefix)
}

func (q *reading) hashPrefix(equal attr.Item) ([]byte, error) {
	prefix := rowPrefix(q.t.meta.ID)
	if q.x != nil {
		prefix = oneIndexPrefix(q.t.meta.ID, q.x.ID)
	}
	at := len(prefix)
	prefix, err := appendHashed(prefix, q.schema().Hash, equal)
	if err != nil {
		return nil, err
	}
	q.hash = hash32(prefix[at+4:])
	return prefix, nil
}

func (q *reading) boundRange(keys []keyAttr, terms map[string]expr.KeyTerm, prefix []byte) error {
	missed := "" // the first attribute without a condition
	for _, k := range keys {
		term, ok := terms[k.Name]
		if !ok {
			missed = k.Name
			break
		}
		if err := q.checkTerm(k, term); err != nil {
			return err
		}
		if slices.ContainsFunc(term.Values, func(v attr.Value) bool { return v.Size() > maxRangeKeySize }) {
			return rangeTooLarge()
		}
		delete(terms, k.Name)
		if term.Op != expr.KeyEqual {
			if err := q.boundTerm(prefix, term); err != nil {
				return err
			}
			break
		}
		var err error
		if prefix, err = attr.AppendKey(prefix, term.Values[0]); err != nil {
			return invalid(err)
		}
		q.lo, q.hi = prefixRange(slices.Clone(prefix))
	}
	switch {
	case len(terms) == 0:
		return nil
	case missed != "":
		return validation("Query condition missed key schema element: %s", missed)
	}
	return validation("Query key condition not supported")
}

func (q *reading) boundTerm(prefix []byte, term expr.KeyTerm) error {
	key := func(v attr.Value) []byte {
		b, _ := attr.AppendKey(slices.Clone(prefix), v) // the type has been checked
		return b
	}
	v := term.Values[0]
	switch term.Op {
	case expr.KeyLess:
		q.hi = key(v)
	case expr.KeyLessEq:
		q.hi = kv.PrefixEnd(key(v))
	case expr.KeyGreater:
		q.lo = kv.PrefixEnd(key(v))
	case expr.KeyGreaterEq:
		q.lo = key(v)
	case expr.KeyBetween:
		q.lo = key(v)
		q.hi = kv.PrefixEnd(key(term.Values[1]))
	case expr.KeyBeginsWith:
		b, err := attr.AppendKeyPrefix(slices.Clone(prefix), v)
		if err != nil {
			return validation("One or more parameter values were invalid: begins_with is not supported for type %s", v.Kind())
		}
		q.lo, q.hi = prefixRange(b)
	default:
		return validation("Query key condition not supported")
	}
	return nil
}

func (q *reading) checkTerm(k keyAttr, term expr.KeyTerm) error {
	for _, v := range term.Values {
		if v.Kind() != k.Kind {
			return invalidParameter("Condition parameter type does not match schema type")
		}
		if emptyKey(v) && q.x != nil {
			return emptyIndexKeyError(q.x, k)
		}
		if emptyKey(v) {
			return emptyKeyError(k)
		}
	}
	return nil
}
