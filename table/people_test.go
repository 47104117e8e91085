package table_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
)

// Transfer is about two people, none of whom is in its key.
type Transfer struct {
	ID       string
	From     string                   `dynamo:"from"`
	FromMail string                   `dynamo:"fromMail" seal:"contact"`
	To       string                   `dynamo:"to"`
	ToMail   insideout.Sealed[string] `dynamo:"toMail" seal:"contact"`
	Amount   int                      `dynamo:"amount"`
}

// Friend is about the two in its key.
type Friend struct {
	Of, Who string
	Since   time.Time                `dynamo:"since"`
	Mail    insideout.Sealed[string] `dynamo:"mail" seal:"contact"` // of whom the edge leads to
	Note    string                   `dynamo:"note,omitempty"`
}

var (
	Transfers = table.DefineNode("transfer", func(t *Transfer, d *table.Def[Transfer]) {
		d.ID(&t.ID)
		d.Subject(&t.From, &t.FromMail)
		d.Subject(&t.To, &t.ToMail)
	})
	ByFriend = table.Index{Name: "gsi2"}
	Friends  = table.DefineEdge("friend", "friends", func(f *Friend, d *table.Def[Friend]) {
		d.Owner(&f.Of)
		d.ID(&f.Who)
		d.Subject(&f.Of)
		d.Subject(&f.Who, &f.Mail)
		d.Index(ByFriend, table.Key(&f.Who))
	})
)

// circle is a DB of rows about several people that seals, with the vault behind it.
func circle(t *testing.T, opts table.Options) (*table.DB, *vault, *embedded.DB) {
	t.Helper()
	e := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	v := newVault()
	opts.SubjectKey, opts.Sealer, opts.Opener = bytes.Repeat([]byte{7}, 32), v, v
	db, err := table.Open(e, create(t, e, Transfers, Friends).Name(), &opts)
	require.NoError(t, err)
	return db, v, e
}

func read(t *testing.T, e *embedded.DB, db *table.DB, key table.RowKey) table.Item {
	t.Helper()
	out, err := e.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: new(db.Name()), Key: key.Item()})
	require.NoError(t, err)
	return out.Item
}

func TestRowsOfSeveralPeople(t *testing.T) {
	t.Parallel()
	db, v, e := circle(t, table.Options{})
	ctx, f := t.Context(), Transfers.F
	ref := func(id string) string {
		text, err := db.SubjectRef(id)
		require.NoError(t, err)
		return text
	}
	refs := func(key table.RowKey) []string {
		item := read(t, e, db, key)
		return []string{text(item["_sid"]), text(item["_sid2"])}
	}
	one := Transfer{ID: "1", From: "anna", FromMail: "a@x", To: "bert", ToMail: insideout.Seal("b@x"), Amount: 3}
	key := table.RowKey{PK: "1", SK: "transfer"}
	require.NoError(t, Transfers.Save(ctx, db, one))
	require.Equal(t, []string{ref("anna"), ref("bert")}, refs(key))
	got, err := Transfers.Get(ctx, db, "1")
	require.NoError(t, err)
	require.Equal(t, "a@x", got.FromMail)
	require.Equal(t, "b@x", got.ToMail.RevealOr("?"))

	require.NoError(t, Transfers.Update(ctx, db, "1", table.Set(&f.FromMail, "anna@x"), table.Set(&f.ToMail, insideout.Seal("bert@x"))))
	v.shut["anna"] = insideout.ErrShredded
	got, err = Transfers.Get(ctx, db, "1")
	require.NoError(t, err)
	require.Empty(t, got.FromMail, "each value has the key of its own subject")
	require.Equal(t, "bert@x", got.ToMail.RevealOr("?"))
	require.ErrorContains(t, Transfers.Update(ctx, db, "1", table.Set(&f.To, "carl")), "is the subject of the row")

	require.NoError(t, Friends.Save(ctx, db, Friend{Of: "anna", Who: "bert", Mail: insideout.Seal("b@x")}))
	friend := table.RowKey{PK: "anna", SK: "friends|bert"}
	require.Equal(t, []string{ref("anna"), ref("bert")}, refs(friend))
	ver, err := idempotence.NewVersion(time.Now(), "event")
	require.NoError(t, err)
	_, err = Friends.Remove(ctx, db, table.Of("anna", "bert"), ver)
	require.NoError(t, err)
	require.Equal(t, []string{ref("anna"), ref("bert")}, refs(friend), "a tombstone is about those in its key")
	out, err := e.Query(ctx, &dynamodb.QueryInput{
		TableName: new(db.Name()), IndexName: new("_sid2"), KeyConditionExpression: new("#s = :s"), ExpressionAttributeNames: map[string]string{"#s": "_sid2"},
		ExpressionAttributeValues: table.Item{":s": read(t, e, db, key)["_sid2"]},
	})
	require.NoError(t, err)
	require.Len(t, out.Items, 2)
}

func TestListenersLeaveOutWhoWasErased(t *testing.T) {
	t.Parallel()
	erased := map[string]bool{}
	db, _, e := circle(t, table.Options{Suppressed: func(ref string, _ time.Time) bool { return erased[ref] }})
	for _, id := range []string{"anna", "carl"} {
		ref, err := db.SubjectRef(id)
		require.NoError(t, err)
		erased[ref] = true
	}
	upsert := func(from, to string) (idempotence.Outcome, table.Item) {
		ver, err := idempotence.NewVersion(time.Now(), "event")
		require.NoError(t, err)
		id := from + to
		outcome, err := Transfers.Upsert(t.Context(), db, Transfer{ID: id, From: from, FromMail: "f@x", To: to, ToMail: insideout.Seal("t@x"), Amount: 3}, ver)
		require.NoError(t, err)
		return outcome, read(t, e, db, table.RowKey{PK: id, SK: "transfer"})
	}
	outcome, item := upsert("anna", "bert")
	require.Equal(t, idempotence.Applied, outcome, "the other one's part is written")
	for _, gone := range []string{"from", "fromMail", "_sid"} {
		require.NotContains(t, item, gone)
	}
	for _, left := range []string{"to", "toMail", "_sid2", "amount"} {
		require.Contains(t, item, left)
	}
	outcome, item = upsert("anna", "carl")
	require.Equal(t, idempotence.Withheld, outcome)
	require.Empty(t, item)
	ver, err := idempotence.NewVersion(time.Now(), "event")
	require.NoError(t, err)
	outcome, err = Friends.Upsert(t.Context(), db, Friend{Of: "anna", Who: "bert"}, ver)
	require.NoError(t, err)
	require.Equal(t, idempotence.Withheld, outcome, "a key names both")
}

func TestRewritten(t *testing.T) {
	t.Parallel()
	db, v, e := circle(t, table.Options{})
	ctx := t.Context()
	friend := Friend{Of: "anna", Who: "bert", Since: day(1), Mail: insideout.Seal("b@x"), Note: "n"}
	require.NoError(t, Friends.Save(ctx, db, friend))
	item := read(t, e, db, table.RowKey{PK: "anna", SK: "friends|bert"})

	next, err := Friends.Rewritten(ctx, db, item, map[string]string{"Of": "somebody"})
	require.NoError(t, err)
	require.Equal(t, []string{"somebody", "friends|bert", "friend|bert", "somebody|bert"}, []string{text(next["pk"]), text(next["sk"]), text(next["gsi2pk"]), text(next["gsi2sk"])})
	for _, same := range []string{"since", "note", "timestamp", "discriminator", "_sid", "_sid2"} {
		require.Equal(t, item[same], next[same], same)
	}
	_, err = e.PutItem(ctx, &dynamodb.PutItemInput{TableName: new(db.Name()), Item: next})
	require.NoError(t, err)
	got, err := Friends.Get(ctx, db, table.Of("somebody", "bert"))
	require.NoError(t, err)
	require.Equal(t, "b@x", got.Mail.RevealOr("?"), "it is sealed for its new row")

	next, err = Friends.Rewritten(ctx, db, item, map[string]string{"Mail": "new@x", "Since": `"2026-04-01T00:00:00Z"`})
	require.NoError(t, err)
	require.NotEqual(t, item["mail"], next["mail"])
	require.Equal(t, item["gsi2sk"], next["gsi2sk"])
	got, err = Friends.Decode(next)
	require.NoError(t, err)
	require.Equal(t, time.April, got.Since.Month())

	v.shut["bert"] = insideout.ErrShredded
	next, err = Friends.Rewritten(ctx, db, item, map[string]string{"Of": "nobody"})
	require.NoError(t, err)
	require.NotContains(t, next, "mail", "what nothing opens is not taken along")
	v.shut["bert"] = insideout.ErrRestricted
	_, err = Friends.Rewritten(ctx, db, item, map[string]string{"Of": "nobody"})
	require.ErrorIs(t, err, insideout.ErrRestricted)
	_, err = Friends.Rewritten(ctx, db, item, map[string]string{"Colour": "red"})
	require.ErrorContains(t, err, "does not have all of the fields")
	_, err = Friends.Rewritten(ctx, db, item, map[string]string{"Since": "yesterday"})
	require.ErrorContains(t, err, "field Since: the value is no JSON")
	require.NotContains(t, err.Error(), "yesterday")
	shut, err := table.Open(e, db.Name(), nil)
	require.NoError(t, err)
	_, err = Friends.Rewritten(ctx, shut, item, map[string]string{"Of": "nobody"})
	require.ErrorContains(t, err, "give the DB an Opener")
}

func TestSubjectsOfARowRefuse(t *testing.T) {
	t.Parallel()
	for cause, define := range map[string]func(f *Friend, d *table.Def[Friend]){
		"0 of the row's 2 subjects name it": func(f *Friend, d *table.Def[Friend]) { d.Subject(&f.Of); d.Subject(&f.Who) },
		"2 of the row's 2 subjects name it": func(f *Friend, d *table.Def[Friend]) { d.Subject(&f.Of, &f.Mail); d.Subject(&f.Who, &f.Mail) },
		"a row about one person is about":   func(f *Friend, d *table.Def[Friend]) { d.Subject(&f.Of, &f.Note) },
		"two subjects of a row have the":    func(f *Friend, d *table.Def[Friend]) { d.Subject(&f.Of, &f.Mail); d.Subject(&f.Of) },
		"Subject is called 5 times": func(f *Friend, d *table.Def[Friend]) {
			for range 5 {
				d.Subject(&f.Of)
			}
		},
	} {
		_, err := table.NewEdge("friend", "friends", func(f *Friend, d *table.Def[Friend]) { d.Owner(&f.Of); d.ID(&f.Who); define(f, d) })
		require.ErrorContains(t, err, cause)
	}
}
