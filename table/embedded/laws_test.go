package embedded_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

// both runs a test on a database in memory and on one in a folder.
func both(t *testing.T, opts *embedded.Options, test func(t *testing.T, db *embedded.DB)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, opts))
	})
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		db, err := disk.Open(t.TempDir(), opts)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		test(t, db)
	})
}

// indexed is a table with a global index by g and l, keys only, and a local one
// by l that includes n.
func indexed(name string) *dynamodb.CreateTableInput {
	in := rows(name)
	in.AttributeDefinitions = append(in.AttributeDefinitions,
		types.AttributeDefinition{AttributeName: new("l"), AttributeType: types.ScalarAttributeTypeN})
	in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
		IndexName: new("byGL"),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: new("g"), KeyType: types.KeyTypeHash}, {AttributeName: new("l"), KeyType: types.KeyTypeRange},
		},
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
	})
	in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{{
		IndexName: new("byL"),
		KeySchema: []types.KeySchemaElement{
			{AttributeName: new("pk"), KeyType: types.KeyTypeHash}, {AttributeName: new("l"), KeyType: types.KeyTypeRange},
		},
		Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"n"}},
	}}
	return in
}

// world is what the table should hold.
type world struct {
	db    *embedded.DB
	table string
	rows  map[string]item
}

func nameOf(it item) string {
	return it["pk"].(*types.AttributeValueMemberS).Value + "/" + it["sk"].(*types.AttributeValueMemberS).Value
}

func keyOf(it item) item { return item{"pk": it["pk"], "sk": it["sk"]} }

func drawItem(t *rapid.T) item {
	it := item{
		"pk": s(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "pk")),
		"sk": s(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "sk")),
		"n":  n(rapid.IntRange(0, 3).Draw(t, "n")),
	}
	if rapid.Bool().Draw(t, "has g") {
		it["g"] = s(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "g"))
	}
	if rapid.Bool().Draw(t, "has l") {
		it["l"] = n(rapid.IntRange(-2, 12).Draw(t, "l"))
	}
	return it
}

// write does one random operation on the database and on the model.
func (w *world) write(t *rapid.T) {
	ctx := context.Background()
	it := drawItem(t)
	key := nameOf(it)
	switch rapid.IntRange(0, 4).Draw(t, "operation") {
	case 0:
		_, err := w.db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: &w.table, Key: keyOf(it)})
		require.NoError(t, err)
		delete(w.rows, key)
	case 1:
		w.update(t, it)
	case 2:
		other := drawItem(t)
		requests := []types.WriteRequest{{PutRequest: &types.PutRequest{Item: it}}}
		if nameOf(other) != key {
			requests = append(requests, types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyOf(other)}})
			delete(w.rows, nameOf(other))
		}
		_, err := w.db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{w.table: requests}})
		require.NoError(t, err)
		w.rows[key] = it
	case 3:
		w.transact(t, it, drawItem(t))
	default:
		_, err := w.db.PutItem(ctx, &dynamodb.PutItemInput{TableName: &w.table, Item: it})
		require.NoError(t, err)
		w.rows[key] = it
	}
}

// update moves the row in both indexes.
func (w *world) update(t *rapid.T, it item) {
	out, err := w.db.UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
		TableName: &w.table, Key: keyOf(it), UpdateExpression: new("SET g = :g REMOVE l ADD n :n"),
		ExpressionAttributeValues: item{":g": s("z"), ":n": it["n"]}, ReturnValues: types.ReturnValueAllNew,
	})
	require.NoError(t, err)
	next := item{"pk": it["pk"], "sk": it["sk"], "g": s("z"), "n": it["n"]}
	if old := w.rows[nameOf(it)]; old != nil {
		next["n"] = n(number(t, old["n"]) + number(t, it["n"]))
	}
	require.Equal(t, next, out.Attributes)
	w.rows[nameOf(it)] = next
}

// transact puts one row if it is new and deletes another.
func (w *world) transact(t *rapid.T, it, other item) {
	if nameOf(it) == nameOf(other) {
		return
	}
	_, err := w.db.TransactWriteItems(context.Background(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{
			{Delete: &types.Delete{TableName: &w.table, Key: keyOf(other)}},
			{Put: &types.Put{TableName: &w.table, Item: it, ConditionExpression: new("attribute_not_exists(pk)")}},
		},
	})
	if w.rows[nameOf(it)] == nil {
		require.NoError(t, err)
		w.rows[nameOf(it)] = it
		delete(w.rows, nameOf(other))
		return
	}
	var x *types.TransactionCanceledException
	require.ErrorAs(t, err, &x)
	require.Equal(t, "None", *x.CancellationReasons[0].Code)
	require.Equal(t, "ConditionalCheckFailed", *x.CancellationReasons[1].Code)
}

func number(t require.TestingT, v types.AttributeValue) int {
	i, err := strconv.Atoi(v.(*types.AttributeValueMemberN).Value)
	require.NoError(t, err)
	return i
}

// TestModel compares tables, indexes and streams with a map.
func TestModel(t *testing.T) {
	t.Parallel()
	both(t, &embedded.Options{Shards: 3}, func(t *testing.T, db *embedded.DB) {
		tables := 0
		rapid.Check(t, func(rt *rapid.T) {
			tables++
			w := &world{db, fmt.Sprintf("model-%d", tables), map[string]item{}}
			create(t, db, indexed(w.table))
			for range rapid.IntRange(1, 30).Draw(rt, "operations") {
				w.write(rt)
			}
			w.compare(rt)
			require.Equal(rt, w.rows, replay(t, records(t, db, w.table)))
			_, err := db.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &w.table})
			require.NoError(rt, err)
		})
	})
}

func (w *world) compare(t *rapid.T) {
	limit := rapid.Int32Range(1, 4).Draw(t, "page")
	got := map[string]item{}
	for _, it := range w.scan(t, nil, limit) {
		got[nameOf(it)] = it
	}
	require.Equal(t, w.rows, got)
	for _, g := range []string{"x", "y", "z"} {
		var all, sorted []string
		for _, it := range w.rows {
			if it["g"] != nil && it["g"].(*types.AttributeValueMemberS).Value == g {
				all = append(all, nameOf(it))
				if it["l"] != nil {
					sorted = append(sorted, fmt.Sprintf("%03d %s", number(t, it["l"])+100, nameOf(it)))
				}
			}
		}
		slices.Sort(all)
		require.Equal(t, all, names(w.query(t, "byG", "g", g, limit, true)))
		slices.Sort(sorted)
		for i, x := range sorted {
			sorted[i] = x[4:]
		}
		require.Equal(t, sorted, names(w.query(t, "byGL", "g", g, limit, true)))
		slices.Reverse(sorted)
		require.Equal(t, sorted, names(w.query(t, "byGL", "g", g, limit, false)))
	}
	with := func(names ...string) int {
		return len(slices.DeleteFunc(slices.Collect(maps.Values(w.rows)), func(it item) bool {
			return slices.ContainsFunc(names, func(name string) bool { return it[name] == nil })
		}))
	}
	require.Len(t, w.scan(t, new("byL"), limit), with("l"))
	d, err := w.db.DescribeTable(context.Background(), &dynamodb.DescribeTableInput{TableName: &w.table})
	require.NoError(t, err)
	require.EqualValues(t, len(w.rows), *d.Table.ItemCount)
	require.Equal(t, len(w.rows) == 0, *d.Table.TableSizeBytes == 0)
	require.EqualValues(t, with("l"), *d.Table.LocalSecondaryIndexes[0].ItemCount)
	require.EqualValues(t, with("g"), *d.Table.GlobalSecondaryIndexes[0].ItemCount)
	require.EqualValues(t, with("g", "l"), *d.Table.GlobalSecondaryIndexes[1].ItemCount)
	require.Equal(t, with("g", "l") == 0, *d.Table.GlobalSecondaryIndexes[1].IndexSizeBytes == 0)
}

func names(items []item) []string {
	var all []string
	for _, it := range items {
		all = append(all, nameOf(it))
	}
	return all
}

func (w *world) scan(t *rapid.T, index *string, limit int32) []item {
	var all []item
	for segment := range int32(2) {
		in := &dynamodb.ScanInput{
			TableName: &w.table, IndexName: index, Limit: &limit, Segment: &segment, TotalSegments: new(int32(2)),
		}
		for {
			out, err := w.db.Scan(context.Background(), in)
			require.NoError(t, err)
			all = append(all, out.Items...)
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				break
			}
		}
	}
	return all
}

func (w *world) query(t *rapid.T, index, attribute, value string, limit int32, forward bool) []item {
	in := &dynamodb.QueryInput{
		TableName: &w.table, IndexName: &index, Limit: &limit, ScanIndexForward: &forward,
		KeyConditionExpression: new(attribute + " = :v"), ExpressionAttributeValues: item{":v": s(value)},
	}
	var all []item
	for {
		out, err := w.db.Query(context.Background(), in)
		require.NoError(t, err)
		all = append(all, out.Items...)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return all
		}
	}
}

// replay builds the table's content from its stream.
func replay(t require.TestingT, all []streams.Record) map[string]item {
	content := map[string]item{}
	for _, r := range all {
		keys := convert(r.Dynamodb.Keys)
		old := content[nameOf(keys)]
		if r.EventName == streams.OperationTypeInsert {
			require.Nil(t, old)
		} else {
			require.Equal(t, old, convert(r.Dynamodb.OldImage))
		}
		if r.EventName == streams.OperationTypeRemove {
			delete(content, nameOf(keys))
			continue
		}
		content[nameOf(keys)] = convert(r.Dynamodb.NewImage)
		require.NotEqual(t, old, content[nameOf(keys)], "a record without a change")
	}
	return content
}

func convert(image map[string]streams.AttributeValue) item {
	it := item{}
	for name, v := range image {
		switch v := v.(type) {
		case *streams.AttributeValueMemberS:
			it[name] = s(v.Value)
		case *streams.AttributeValueMemberN:
			it[name] = n(v.Value)
		}
	}
	return it
}

// TestTransfers moves amounts between accounts under 16 goroutines: every
// reader of one state sees the same sum.
func TestTransfers(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, db *embedded.DB) {
		const accounts, amount, movers, moves = 5, 100, 16, 40
		create(t, db, rows("bank"))
		for i := range accounts {
			put(t, db, "bank", item{"pk": s("p"), "sk": s(fmt.Sprint(i)), "n": n(amount)})
		}
		stop := make(chan struct{})
		var readers, writers sync.WaitGroup
		for _, sum := range []func(context.Context, *embedded.DB, int) (int, error){sumTransact, sumQuery} {
			readers.Go(func() { watch(t, db, stop, accounts*amount, accounts, sum) })
		}
		for m := range movers {
			writers.Go(func() {
				for i := range moves {
					move(t, db, (m+i)%accounts, (m+3*i+1)%accounts, i%7)
				}
			})
		}
		writers.Wait()
		close(stop)
		readers.Wait()
		sum, err := sumQuery(t.Context(), db, accounts)
		require.NoError(t, err)
		require.Equal(t, accounts*amount, sum)
	})
}

func watch(t *testing.T, db *embedded.DB, stop chan struct{}, want, accounts int,
	sum func(context.Context, *embedded.DB, int) (int, error),
) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		got, err := sum(context.Background(), db, accounts)
		if err != nil || got != want {
			t.Errorf("a reader saw %d, %v; want %d", got, err, want)
			return
		}
	}
}

func move(t *testing.T, db *embedded.DB, from, to, amount int) {
	if from == to {
		return
	}
	add := func(account, by int) types.TransactWriteItem {
		return types.TransactWriteItem{Update: &types.Update{
			TableName: new("bank"), Key: item{"pk": s("p"), "sk": s(fmt.Sprint(account))},
			UpdateExpression: new("SET n = n + :by"), ExpressionAttributeValues: item{":by": n(by)},
		}}
	}
	_, err := db.TransactWriteItems(context.Background(), &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{add(from, -amount), add(to, amount)},
	})
	if err != nil {
		t.Error(err)
	}
}

func sumTransact(ctx context.Context, db *embedded.DB, accounts int) (int, error) {
	var in dynamodb.TransactGetItemsInput
	for i := range accounts {
		in.TransactItems = append(in.TransactItems, types.TransactGetItem{Get: &types.Get{
			TableName: new("bank"), Key: item{"pk": s("p"), "sk": s(fmt.Sprint(i))},
		}})
	}
	out, err := db.TransactGetItems(ctx, &in)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, r := range out.Responses {
		i, err := strconv.Atoi(r.Item["n"].(*types.AttributeValueMemberN).Value)
		if err != nil {
			return 0, err
		}
		sum += i
	}
	return sum, nil
}

func sumQuery(ctx context.Context, db *embedded.DB, _ int) (int, error) {
	out, err := db.Query(ctx, &dynamodb.QueryInput{
		TableName: new("bank"), KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: item{":p": s("p")},
	})
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, it := range out.Items {
		i, err := strconv.Atoi(it["n"].(*types.AttributeValueMemberN).Value)
		if err != nil {
			return 0, err
		}
		sum += i
	}
	return sum, nil
}

// TestIncrements adds to one counter from many goroutines. Each answer is one
// value of the counter, none comes twice, and what a goroutine sees grows.
func TestIncrements(t *testing.T) {
	t.Parallel()
	both(t, nil, func(t *testing.T, db *embedded.DB) {
		const goroutines, each = 8, 50
		create(t, db, rows("count"))
		seen := make([]int, goroutines*each+1)
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				last := 0
				for range each {
					got, err := increment(db)
					if err != nil || got <= last {
						t.Errorf("got %d after %d, %v", got, last, err)
						return
					}
					last = got
					mu.Lock()
					seen[got]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Equal(t, slices.Repeat([]int{1}, goroutines*each), seen[1:])
		require.Len(t, records(t, db, "count"), goroutines*each)
	})
}

func increment(db *embedded.DB) (int, error) {
	out, err := db.UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
		TableName: new("count"), Key: item{"pk": s("p"), "sk": s("1")}, ReturnValues: types.ReturnValueUpdatedNew,
		UpdateExpression: new("ADD n :one"), ExpressionAttributeValues: item{":one": n(1)},
	})
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out.Attributes["n"].(*types.AttributeValueMemberN).Value)
}
