package table_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

// marking is a DB that marks rows with their subjects.
func marking(t *testing.T, e endpoint, db *table.DB) *table.DB {
	t.Helper()
	marked, err := table.Open(e, db.Name(), &table.Options{SubjectKey: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	return marked
}

// about lists the keys of the rows about a person.
func about(t *testing.T, e endpoint, db *table.DB, person string) []table.RowKey {
	t.Helper()
	ref, err := db.SubjectRef(person)
	require.NoError(t, err)
	out, err := e.Query(t.Context(), &dynamodb.QueryInput{
		TableName: new(db.Name()), IndexName: new("_sid"), KeyConditionExpression: new("#s = :s"),
		ExpressionAttributeNames:  map[string]string{"#s": "_sid"},
		ExpressionAttributeValues: table.Item{":s": &types.AttributeValueMemberS{Value: ref}},
	})
	require.NoError(t, err)
	var keys []table.RowKey
	for _, item := range out.Items {
		keys = append(keys, table.RowKey{PK: text(item["pk"]), SK: text(item["sk"])})
	}
	return keys
}

// Visit is about the person in its key.
type Visit struct {
	Person int64
	ID     string
	Note   string `dynamo:"note"`
}

var visits = table.DefineEdge("visit", "visits", func(v *Visit, d *table.Def[Visit]) {
	d.Owner(&v.Person)
	d.ID(&v.ID)
	d.Subject(&v.Person)
})

func TestRowsAreFoundByTheirSubject(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		plain, ctx, f := create(t, e, Orders, visits), t.Context(), Orders.F
		db := marking(t, e, plain)
		one := func(id, person string) Order {
			return Order{ID: id, CustomerID: person, Status: "OPEN", PlacedAt: day(1)}
		}
		key := func(id string) table.RowKey { return table.RowKey{PK: id, SK: "order"} }

		require.NoError(t, Orders.Save(ctx, db, one("a", "7")))
		require.NoError(t, Orders.Create(ctx, db, one("b", "7")))
		require.NoError(t, db.Batch(ctx, Orders.Put(one("c", "7")), Orders.Put(one("d", "8"))))
		require.NoError(t, db.Transact(ctx, Orders.Put(one("e", "7"))))
		_, err := Orders.Upsert(ctx, db, one("f", "7"), version(t))
		require.NoError(t, err)
		_, err = visits.Upsert(ctx, db, Visit{7, "v", "x"}, version(t))
		require.NoError(t, err)
		require.NoError(t, Orders.Save(ctx, db, one("n", "")), "a row about nobody")
		require.ElementsMatch(t, []table.RowKey{key("a"), key("b"), key("c"), key("e"), key("f"), {PK: "0000000000000000007", SK: "visits|v"}}, about(t, e, db, "7"))

		require.NoError(t, Orders.Update(ctx, db, "a", table.Set(&f.CustomerID, "8")))
		require.NoError(t, Orders.Update(ctx, db, "b", table.Remove(&f.CustomerID)))
		require.NoError(t, Orders.Update(ctx, db, "c", table.Set(&f.Note, "x")))
		require.NoError(t, Orders.Delete(ctx, db, "e"))
		_, err = Orders.Remove(ctx, db, "f", at(t, 1800000000000, "z"))
		require.NoError(t, err)
		_, err = visits.Remove(ctx, db, table.Of(7, "v"), at(t, 1800000000000, "z"))
		require.NoError(t, err)
		require.NoError(t, Orders.Save(ctx, plain, one("c", "7")), "a program without the key leaves the mark")
		require.NoError(t, Orders.Update(ctx, plain, "d", table.Set(&f.CustomerID, "9")), "and cannot move it")
		require.ElementsMatch(t, []table.RowKey{key("c"), key("e"), {PK: "0000000000000000007", SK: "visits|v"}}, about(t, e, db, "7"),
			"a tombstone is about a person if its key tells whom")
		require.ElementsMatch(t, []table.RowKey{key("a"), key("d")}, about(t, e, db, "8"))
	})
}

func TestSubjectReferencesArePinned(t *testing.T) {
	t.Parallel()
	db, err := table.Open(nobody{}, "nowhere", &table.Options{SubjectKey: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	ref, err := db.SubjectRef("42")
	require.NoError(t, err)
	mac := hmac.New(sha256.New, bytes.Repeat([]byte{7}, 32))
	mac.Write([]byte("17:insideout subject,2:42,"))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), ref)
	require.Equal(t, "oJCr5hJtSwEQ6FRmXM_ryeZVCcQ_JVYvrHz1Tbe9cRo", ref)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, db), "7 7 7 7")
		require.NotContains(t, fmt.Sprintf(format, db), "0x7, 0x7")
	}
}

func TestSubjectsRefuse(t *testing.T) {
	t.Parallel()
	_, err := table.Open(nobody{}, "nowhere", &table.Options{SubjectKey: make([]byte, 31)})
	require.ErrorContains(t, err, "Options.SubjectKey has 31 bytes, and must have 32")
	_, err = dry(t).SubjectRef("42")
	require.ErrorContains(t, err, "there is no key for references to subjects")
	db, err := table.Open(nobody{}, "nowhere", &table.Options{SubjectKey: make([]byte, 32)})
	require.NoError(t, err)
	_, err = db.SubjectRef("")
	require.ErrorContains(t, err, "the id of the subject is empty")
	require.ErrorContains(t, Orders.Update(t.Context(), db, "42", table.SetIfAbsent(&Orders.F.CustomerID, "7")), "field CustomerID is the subject of the row: Set it")
	for cause, define := range map[string]func(o *Order, d *table.Def[Order]){
		"Subject: a time.Time cannot be the id": func(o *Order, d *table.Def[Order]) { d.Subject(&o.PlacedAt) },
		"Subject: the field belongs to lane":    func(o *Order, d *table.Def[Order]) { d.Subject(&o.Note); d.Lane("x", &o.Note) },
		`Index "_sid": the name is taken`:       func(o *Order, d *table.Def[Order]) { d.Index(table.Index{Name: "_sid"}, table.Key(&o.Note)) },
	} {
		_, err := table.NewNode("order", func(o *Order, d *table.Def[Order]) { d.ID(&o.ID); define(o, d) })
		require.ErrorContains(t, err, cause)
	}
}
