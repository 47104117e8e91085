package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/engine"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// local makes a table with a local index on x.
func local(t *testing.T, e *engine.Engine) {
	t.Helper()
	keys := func(names ...string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &names[0], KeyType: types.KeyTypeHash}, {AttributeName: &names[1], KeyType: types.KeyTypeRange}}
	}
	var defs []types.AttributeDefinition
	for _, name := range []string{"pk", "sk", "x"} {
		defs = append(defs, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS})
	}
	_, err := e.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: new("rows"), BillingMode: types.BillingModePayPerRequest, AttributeDefinitions: defs, KeySchema: keys("pk", "sk"),
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName: new("byX"), KeySchema: keys("pk", "x"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	require.NoError(t, err)
}

// row is an item of 100 bytes, of 200 with its entry in the index.
func row(pk string, sk int, indexed bool) item {
	it := item{"pk": s(pk), "sk": s(fmt.Sprintf("%02d", sk)), "t": s("")}
	left := 100 - len("pk") - len(pk) - len("sk") - 2 - len("t")
	if indexed {
		it["x"] = s("y")
		left -= 2
	}
	it["t"] = s(strings.Repeat("x", left))
	return it
}

func TestItemCollectionsAreLimited(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	open := func() *engine.Engine {
		e, err := engine.Open(f, &engine.Options{CollectionLimit: 1000})
		require.NoError(t, err)
		return e
	}
	e := open()
	local(t, e)
	put := func(it item) error {
		_, err := e.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("rows"), Item: it})
		return err
	}
	remove := func(it item) {
		_, err := e.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: new("rows"), Key: item{"pk": it["pk"], "sk": it["sk"]}})
		require.NoError(t, err)
	}
	var full *types.ItemCollectionSizeLimitExceededException
	for i := range 4 {
		require.NoError(t, put(row("a", i, true)))
	}
	for i := range 2 { // 1,000 bytes: these have no entry in the index
		require.NoError(t, put(row("a", 10+i, false)))
	}
	require.ErrorAs(t, put(row("a", 20, false)), &full)
	require.ErrorAs(t, put(row("a", 10, true)), &full)
	require.NoError(t, put(row("a", 0, true)), "what stays as large is accepted")
	require.NoError(t, put(row("b", 0, true)), "another collection has room")

	e = open() // as after a crash: what is stored counts
	require.ErrorAs(t, put(row("a", 20, false)), &full)
	var b kv.Batch // a folder of an earlier version has no sizes
	b.DeleteRange([]byte("z"), []byte("{"))
	_, err := f.Store.Apply(&b)
	require.NoError(t, err)
	require.ErrorAs(t, put(row("a", 20, false)), &full)
	remove(row("a", 1, true))
	require.NoError(t, put(row("a", 1, true)))
	_, err = e.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: new("rows"), Item: row("c", 1, true)}},
		{Put: &types.Put{TableName: new("rows"), Item: row("a", 21, true)}},
	}})
	var cancelled *types.TransactionCanceledException
	require.ErrorAs(t, err, &cancelled)
	require.Equal(t, "None", *cancelled.CancellationReasons[0].Code)
	require.Equal(t, "ItemCollectionSizeLimitExceeded", *cancelled.CancellationReasons[1].Code)
	_, err = e.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Delete: &types.Delete{TableName: new("rows"), Key: item{"pk": s("a"), "sk": s("10")}}},
		{Put: &types.Put{TableName: new("rows"), Item: row("a", 22, false)}},
	}})
	require.NoError(t, err)
}
