package tabletest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// generator makes random requests for one table. Few names and few values make
// it likely that they meet.
type generator struct {
	*rand.Rand
	table   *dynamodb.CreateTableInput
	keys    []types.AttributeDefinition // of the table
	kinds   map[string]string           // of all key attributes
	indexes []indexKeys
}

// indexKeys is an index as a query sees it.
type indexKeys struct {
	name   string
	keys   []string
	global bool
}

var (
	pool    = []string{"a", "b", "c", "d", "e"} // attributes that are not keys
	keyPool = []string{"g", "h", "i"}           // attributes that may be keys of indexes

	// limits are numbers at the ends of what DynamoDB takes, in the text that it gives them.
	limits = []num{
		num(strings.Repeat("9", 38) + zeros(88)), num("-1" + zeros(125)), num("0." + zeros(129) + "1"), num("-0." + zeros(128) + "11"),
		num("1" + zeros(37)), num(strings.Repeat("9", 38)), num("0." + strings.Repeat("9", 38)),
	}
)

func newGenerator(r *rand.Rand) *generator {
	g := &generator{Rand: r, kinds: map[string]string{}}
	schema := "pk:" + g.kind()
	if g.IntN(3) > 0 {
		schema += " sk:" + g.kind()
	}
	g.table = definition("", schema)
	g.keys = attributes(schema)
	for _, k := range g.keys {
		g.kinds[*k.AttributeName] = string(k.AttributeType)
	}
	for _, name := range keyPool {
		g.kinds[name] = g.kind()
	}
	for i := range g.IntN(3) {
		g.addIndex(fmt.Sprint("global", i), true)
	}
	if len(g.keys) == 2 && g.IntN(2) == 0 {
		g.addIndex("local", false)
	}
	views := types.StreamViewType("").Values()
	g.table.StreamSpecification = &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: views[g.IntN(len(views))]}
	return g
}

func (g *generator) kind() string { return pick(g, "S", "S", "N", "N", "B") }

func pick[T any](g *generator, values ...T) T { return values[g.IntN(len(values))] }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func (g *generator) addIndex(name string, isGlobal bool) {
	names := g.Perm(len(keyPool))
	keys := []string{keyPool[names[0]], keyPool[names[1]]}
	if isGlobal && g.chance(3) {
		keys = keys[:1]
	}
	if isGlobal && g.chance(6) {
		keys[0] = "pk"
	}
	if !isGlobal {
		keys[0] = "pk"
	}
	var parts []string
	for _, k := range keys {
		parts = append(parts, k+":"+g.kinds[k])
	}
	projected := pick(g, nil, []string{"KEYS"}, []string{"a", "b"})
	if isGlobal {
		global(name, strings.Join(parts, " "), projected...)(g.table)
	} else {
		localIndex(name, strings.Join(parts, " "), projected...)(g.table)
	}
	g.indexes = append(g.indexes, indexKeys{name, keys, isGlobal})
}

// scalar is a value for a key.
func (g *generator) scalar(kind string) any {
	switch {
	case g.chance(60):
		return g.value(1) // mostly of another type
	case kind == "S":
		return pick(g, "a", "b", "ab", "abc", "B", "é", "\u00ff", "z")
	case kind == "N":
		return num(pick(g, "0", "1", "-1", "10", "9", "100", "-0.5", "0.25", "12345678901234567890123456789012345678", "0.000001"))
	default:
		return pick(g, []byte{0}, []byte{1}, []byte{0, 0}, []byte{0, 1}, []byte{255}, []byte("ab"))
	}
}

// value is one of any type; depth bounds how deep it is.
func (g *generator) value(depth int) any {
	n := 12
	if depth <= 0 {
		n = 10
	}
	switch g.IntN(n) {
	case 0, 1:
		return pick(g, "a", "b", "ab", "", "abc", "é")
	case 2, 3, 4:
		if g.chance(12) {
			return pick(g, limits...)
		}
		return num(pick(g, "0", "1", "2", "-1", "10", "1.5", "3"))
	case 5:
		return pick(g, []byte{}, []byte{0}, []byte("ab"))
	case 6:
		return g.chance(2)
	case 7:
		return nil
	case 8:
		return pick[any](g, ss{"a", "b"}, ss{"b"}, ns{"1", "2"}, ns{"2", "3"}, bs{{0}, {1}}, ss{""})
	case 9:
		return pick(g, "a", "c")
	case 10:
		all := list{}
		for range g.IntN(4) {
			all = append(all, g.value(depth-1))
		}
		return all
	default:
		all := item{}
		for range g.IntN(4) {
			all[pick(g, pool...)] = g.value(depth - 1)
		}
		return all
	}
}

func (g *generator) key() item {
	it := item{}
	for _, k := range g.keys {
		it[*k.AttributeName] = g.scalar(string(k.AttributeType))
	}
	switch {
	case g.chance(80):
		delete(it, "pk")
	case g.chance(80):
		it["a"] = 1
	}
	return it
}

func (g *generator) item() item {
	it := g.key()
	for range g.IntN(5) {
		it[pick(g, pool...)] = g.value(3)
	}
	if g.chance(2) { // what paths lead into
		it["d"] = list{g.value(2), g.value(1), item{"a": g.value(1), "b": list{g.value(0)}}}
	}
	if g.chance(2) {
		it["e"] = item{"a": g.value(1), "b": list{g.value(1), g.value(0)}, "c": item{"a": g.value(0)}}
	}
	for _, name := range keyPool {
		if !g.chance(3) {
			it[name] = g.scalar(g.kinds[name])
		}
	}
	return it
}

// script makes n requests.
func (g *generator) script(n int) []request {
	var all []request
	for range n {
		all = append(all, g.request())
	}
	return all
}

func (g *generator) request() request {
	switch n := g.IntN(100); {
	case n < 18:
		return g.put()
	case n < 46:
		return g.update()
	case n < 52:
		return g.delete()
	case n < 57:
		return g.legacy()
	case n < 65:
		return g.get()
	case n < 82:
		return g.query()
	case n < 88:
		return g.scan()
	case n < 91:
		return g.batchWrite()
	case n < 94:
		return g.batchGet()
	case n < 98:
		return g.transactWrite()
	default:
		return g.transactGet()
	}
}

func (g *generator) units() types.ReturnConsumedCapacity {
	return pick(g, "", "", types.ReturnConsumedCapacityTotal, types.ReturnConsumedCapacityIndexes)
}

func (g *generator) onFailure() types.ReturnValuesOnConditionCheckFailure {
	return pick(g, "", types.ReturnValuesOnConditionCheckFailureAllOld)
}

func (g *generator) put() request {
	x := newExpressions(g)
	in := dynamodb.PutItemInput{
		Item: row(g.item()), ReturnValues: pick(g, "", types.ReturnValueAllOld), ReturnConsumedCapacity: g.units(),
		ReturnValuesOnConditionCheckFailure: g.onFailure(),
	}
	if g.chance(3) {
		in.ConditionExpression = new(x.condition(3))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.names, x.values
	return request{
		fmt.Sprintf("Put %s if %s %s", show(in.Item), shown(in.ConditionExpression), x),
		runPut(in),
	}
}

// runPut sends a put, and tells the answer; runUpdate does the same.
func runPut(in dynamodb.PutItemInput) func(Endpoint, *check, string) string {
	return func(e Endpoint, c *check, table string) string {
		in := in
		in.TableName = &table
		out, err := e.DynamoDB.PutItem(c.ctx, &in)
		if err != nil {
			return failure(err)
		}
		return "ok " + show(out.Attributes) + consumed(out.ConsumedCapacity)
	}
}

func (g *generator) update() request {
	x := newExpressions(g)
	in := dynamodb.UpdateItemInput{
		Key: row(g.key()), UpdateExpression: new(x.update()), ReturnConsumedCapacity: g.units(),
		ReturnValuesOnConditionCheckFailure: g.onFailure(),
		ReturnValues:                        pick(g, "", types.ReturnValueAllOld, types.ReturnValueAllNew, types.ReturnValueUpdatedOld, types.ReturnValueUpdatedNew),
	}
	switch {
	case onlyRemoves(*in.UpdateExpression):
		in.ConditionExpression = new("attribute_exists(pk)")
	case g.chance(4):
		in.ConditionExpression = new(x.condition(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.names, x.values
	return request{
		fmt.Sprintf("Update %s: %s if %s %s, return %s", show(in.Key), *in.UpdateExpression, shown(in.ConditionExpression), x, in.ReturnValues),
		runUpdate(in),
	}
}

func runUpdate(in dynamodb.UpdateItemInput) func(Endpoint, *check, string) string {
	return func(e Endpoint, c *check, table string) string {
		in := in
		in.TableName = &table
		out, err := e.DynamoDB.UpdateItem(c.ctx, &in)
		if err != nil {
			return failure(err)
		}
		return "ok " + show(out.Attributes) + consumed(out.ConsumedCapacity)
	}
}

// onlyRemoves tells of an update that creates no item. DynamoDB Local makes one of it, and differs from then on: such an
// update is sent for items that exist.
func onlyRemoves(update string) bool {
	return !strings.Contains(update, "SET ") && !strings.Contains(update, "ADD ")
}

func (g *generator) delete() request {
	x := newExpressions(g)
	in := dynamodb.DeleteItemInput{
		Key: row(g.key()), ReturnValues: pick(g, "", types.ReturnValueAllOld), ReturnConsumedCapacity: g.units(),
		ReturnValuesOnConditionCheckFailure: g.onFailure(),
	}
	if g.chance(2) {
		in.ConditionExpression = new(x.condition(2))
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.names, x.values
	return request{
		fmt.Sprintf("Delete %s if %s %s", show(in.Key), shown(in.ConditionExpression), x),
		func(e Endpoint, c *check, table string) string {
			in := in
			in.TableName = &table
			out, err := e.DynamoDB.DeleteItem(c.ctx, &in)
			if err != nil {
				return failure(err)
			}
			return "ok " + show(out.Attributes) + consumed(out.ConsumedCapacity)
		},
	}
}

func (g *generator) get() request {
	x := newExpressions(g)
	in := dynamodb.GetItemInput{Key: row(g.key()), ReturnConsumedCapacity: g.units(), ConsistentRead: new(g.chance(2))}
	if g.chance(2) {
		in.ProjectionExpression = new(x.projection())
	}
	in.ExpressionAttributeNames = x.names
	return request{
		fmt.Sprintf("Get %s: %s %s", show(in.Key), shown(in.ProjectionExpression), x),
		func(e Endpoint, c *check, table string) string {
			in := in
			in.TableName = &table
			out, err := e.DynamoDB.GetItem(c.ctx, &in)
			if err != nil {
				return failure(err)
			}
			return "ok " + show(out.Item) + consumed(out.ConsumedCapacity)
		},
	}
}

func shown(expression *string) string {
	if expression == nil {
		return "-"
	}
	return *expression
}

// consumed prints the capacity of a table and its indexes.
func consumed(c *types.ConsumedCapacity) string {
	if c == nil {
		return ""
	}
	text := fmt.Sprintf(" capacity %v", *c.CapacityUnits)
	if c.Table != nil {
		text += fmt.Sprintf(" table %v", *c.Table.CapacityUnits)
	}
	for _, m := range []map[string]types.Capacity{c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes} {
		units := map[string]string{}
		for name, c := range m {
			units[name] = fmt.Sprint(*c.CapacityUnits)
		}
		text += fmt.Sprint(" ", units)
	}
	return text
}
