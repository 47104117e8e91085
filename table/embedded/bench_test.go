package embedded_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

// kilobyte is an item of about 1,000 bytes in ten attributes.
func kilobyte(pk, sk string) item {
	it := item{"pk": s(pk), "sk": s(sk), "n": n(1)}
	for i := range 8 {
		it[fmt.Sprintf("attribute%d", i)] = s(strings.Repeat("x", 110))
	}
	return it
}

// engines are the databases under measurement.
func engines(b *testing.B, run func(b *testing.B, db *embedded.DB)) {
	b.Run("memory", func(b *testing.B) { run(b, open(b, nil)) })
	for name, opts := range map[string]*embedded.Options{"disk": {}, "disk-nosync": {NoSync: true}} {
		b.Run(name, func(b *testing.B) {
			db, err := disk.Open(b.TempDir(), opts)
			require.NoError(b, err)
			b.Cleanup(func() { require.NoError(b, db.Close()) })
			run(b, db)
		})
	}
}

func plain(name string) *dynamodb.CreateTableInput {
	in := rows(name)
	in.GlobalSecondaryIndexes, in.StreamSpecification = nil, nil
	in.AttributeDefinitions = in.AttributeDefinitions[:2]
	return in
}

func BenchmarkPutItem(b *testing.B) {
	for _, schema := range []*dynamodb.CreateTableInput{plain("plain"), rows("indexed")} {
		b.Run(*schema.TableName, func(b *testing.B) {
			engines(b, func(b *testing.B, db *embedded.DB) {
				create(b, db, schema)
				it := kilobyte("", "s")
				in := &dynamodb.PutItemInput{TableName: schema.TableName, Item: it}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					it["pk"] = s(fmt.Sprint(i % 10_000))
					if _, err := db.PutItem(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkPutItemParallel(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			it := kilobyte("", "s")
			in := &dynamodb.PutItemInput{TableName: new("plain"), Item: it}
			for i := 0; pb.Next(); i++ {
				it["pk"] = s(fmt.Sprintf("%p-%d", in, i%1000))
				if _, err := db.PutItem(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkGetItem(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		for i := range 1000 {
			put(b, db, "plain", kilobyte(fmt.Sprint(i), "s"))
		}
		key := item{"sk": s("s")}
		in := &dynamodb.GetItemInput{TableName: new("plain"), Key: key}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key["pk"] = s(fmt.Sprint(i % 1000))
			if _, err := db.GetItem(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdateItemConditional(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		put(b, db, "plain", kilobyte("a", "s"))
		values := item{":one": n(1)}
		in := &dynamodb.UpdateItemInput{
			TableName: new("plain"), Key: item{"pk": s("a"), "sk": s("s")},
			UpdateExpression:         new("SET #n = #n + :one, #v = :v"),
			ConditionExpression:      new("attribute_not_exists(#v) OR #v < :v"),
			ExpressionAttributeNames: map[string]string{"#n": "n", "#v": "_v"}, ExpressionAttributeValues: values,
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			values[":v"] = s(fmt.Sprintf("%013d", i))
			if _, err := db.UpdateItem(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkQuery20(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		for i := range 20 {
			put(b, db, "plain", kilobyte("a", fmt.Sprintf("%02d", i)))
		}
		in := &dynamodb.QueryInput{
			TableName: new("plain"), KeyConditionExpression: new("pk = :p"), ExpressionAttributeValues: item{":p": s("a")},
		}
		b.ReportAllocs()
		for b.Loop() {
			if out, err := db.Query(b.Context(), in); err != nil || out.Count != 20 {
				b.Fatal(out, err)
			}
		}
	})
}

func BenchmarkBatchWrite25(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		var requests []types.WriteRequest
		for j := range 25 {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: kilobyte("", fmt.Sprint(j))}})
		}
		in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"plain": requests}}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			for _, r := range requests {
				r.PutRequest.Item["pk"] = s(fmt.Sprint(i % 400))
			}
			if _, err := db.BatchWriteItem(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkTransactWrite4(b *testing.B) {
	engines(b, func(b *testing.B, db *embedded.DB) {
		create(b, db, plain("plain"))
		var items []types.TransactWriteItem
		for j := range 4 {
			items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: new("plain"), Item: kilobyte("", fmt.Sprint(j))}})
		}
		in := &dynamodb.TransactWriteItemsInput{TransactItems: items}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			for _, w := range items {
				w.Put.Item["pk"] = s(fmt.Sprint(i % 1000))
			}
			if _, err := db.TransactWriteItems(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkStart measures the time from nothing to the first answer of a table.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		db := embedded.New(nil)
		create(b, db, rows("rows"))
		put(b, db, "rows", kilobyte("a", "s"))
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
