package gdpr_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
)

// peopled is a world of two people, and a row by its key.
func peopled(t *testing.T) (w *world, row func(pk, sk string) table.Item) {
	e, f := fusedEmbedded(t)
	w = newWorld(t, e, f, 1, 0)
	return w, func(pk, sk string) table.Item { return keyed(w.rows(t, ""))[pk+" "+sk] }
}

func (w *world) erase(t *testing.T, subject string) gdpr.Receipt {
	c := w.controller(t)
	plan, err := c.Plan(t.Context(), subject)
	require.NoError(t, err)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	return receipt
}

func TestAnEdgeBetweenTwoPeopleIsErasedOneByOne(t *testing.T) {
	t.Parallel()
	w, row := peopled(t)
	require.NoError(t, friends.Save(t.Context(), w.db, friend{Of: "anna", Who: "bert", Nick: "B", Mail: insideout.Seal("b@example.com"), Note: "since school"}))
	receipt := w.erase(t, "anna")
	require.Equal(t, gdpr.Erased, receipt.Outcome)
	require.Contains(t, receipt.Done, gdpr.Done{Place: "shop", Do: "move", Count: 1})

	require.NotContains(t, row("anna", "friends|bert"), "note", "a tombstone is left, for the trigger")
	var left table.Item
	for key, item := range keyed(w.rows(t, "")) {
		if strings.HasPrefix(key, "pseudonym:") {
			left = item
		}
	}
	require.Equal(t, "friends|bert", text(left["sk"]))
	require.NotContains(t, left, "_sid")
	require.Equal(t, "friend|bert", text(left["gsi4pk"]), "indexes follow")
	require.Equal(t, text(left["pk"]), text(left["gsi4sk"]))
	bert, err := friends.Get(t.Context(), w.db, table.Of(text(left["pk"]), "bert"))
	require.NoError(t, err)
	require.Equal(t, "B", bert.Nick)
	require.Equal(t, "since school", bert.Note, "what is about nobody by name stays with the other")
	mail, err := bert.Mail.Reveal()
	require.NoError(t, err)
	require.Equal(t, "b@example.com", mail, "it was sealed for the new row")

	e, err := w.controller(t).Export(t.Context(), "bert")
	require.NoError(t, err)
	require.Equal(t, "bert", e.Records[0].Data["Who"])
	require.NotContains(t, e.Records[0].Data, "Of", "the other's part is the other's")

	require.Equal(t, gdpr.Erased, w.erase(t, "bert").Outcome)
	for key, item := range keyed(w.rows(t, "")) {
		require.Contains(t, item, "deleted", "the row goes with the last: %s", key)
		require.NotContains(t, item, "note")
	}
}

func TestARowOfTwoPeopleIsErasedOneByOne(t *testing.T) {
	t.Parallel()
	w, row := peopled(t)
	require.NoError(t, gifts.Save(t.Context(), w.db, gift{ID: "1", From: "anna", FromMail: insideout.Seal("a@x"), To: "bert", ToMail: "b@x", Amount: 3, Wish: "a bicycle"}))
	before := row("1", "gift")
	w.erase(t, "bert")
	after := row("1", "gift")
	for _, same := range []string{"from", "fromMail", "_sid", "amount", "wish"} {
		require.Equal(t, before[same], after[same], same)
	}
	require.Regexp(t, "^pseudonym:", text(after["to"]))
	require.NotContains(t, after, "toMail")
	require.NotContains(t, after, "_sid2")
	w.erase(t, "anna")
	after = row("1", "gift")
	require.Equal(t, "[REDACTED]", text(after["wish"]), "the last one takes what is about nobody by name along")
	for _, gone := range []string{"from", "fromMail", "_sid"} {
		require.NotContains(t, after, gone)
	}
	require.Equal(t, gdpr.NothingFound, w.erase(t, "anna").Outcome)
}

func TestPseudonymsInKeys(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t)
	ctx := t.Context()
	require.NoError(t, members.Save(ctx, w.db, member{ID: "anna", Name: "Anna", Mail: insideout.Seal("a@x"), Card: "card 1", Paid: "12.00"}))
	require.NoError(t, members.Save(ctx, w.db, member{ID: "bert", Name: "Bert", Card: "card 2", Paid: "13.00"}))
	for _, no := range []string{"1", "2"} {
		require.NoError(t, posts.Save(ctx, w.db, post{Author: "anna", No: no, Body: "Anna's"}))
	}
	receipt := w.erase(t, "anna")
	require.Equal(t, gdpr.ErasedInPart, receipt.Outcome)
	require.Equal(t, "member.Paid", receipt.Kept[0].Field)

	var moved member
	for m, err := range members.List().All(ctx, w.db) {
		require.NoError(t, err)
		if m.ID != "bert" {
			moved = m
		}
	}
	require.Regexp(t, "^pseudonym:", moved.ID)
	require.Equal(t, member{ID: moved.ID, Card: "card 1", Paid: "12.00"}, moved)
	n := 0
	for p, err := range posts.Of(moved.ID).All(ctx, w.db) {
		require.NoError(t, err, "one person has one pseudonym, and keeps the rows together")
		require.Equal(t, "[REDACTED]", p.Body)
		n++
	}
	require.Equal(t, 2, n)
	require.ErrorIs(t, members.Save(ctx, w.db, member{ID: "carl", Card: "card 1"}), table.ErrExists, "the unique value is the moved row's")
	moved.Card = "card 3"
	require.NoError(t, members.Save(ctx, w.db, moved))
	require.NoError(t, members.Save(ctx, w.db, member{ID: "carl", Card: "card 1"}))
}

// A correction of what is sealed is a command like any other: the row is stamped, not latched, and sealed anew.
func TestRectifySealed(t *testing.T) {
	t.Parallel()
	w, row := peopled(t)
	ctx := t.Context()
	require.NoError(t, friends.Save(ctx, w.db, friend{Of: "anna", Who: "bert", Mail: insideout.Seal("wrong@example.com")}))
	require.NoError(t, gifts.Save(ctx, w.db, gift{ID: "1", From: "anna", FromMail: insideout.Seal("a@x"), To: "bert", ToMail: "wrong@x"}))
	before := row("anna", "friends|bert")
	x := &terminal{c: w.controller(t)}
	require.Equal(t, 0, x.run(t, "rectify", "bert", "-kind", "friend", "-field", "Mail", "-value", "right@example.com", "-json"), x.log.String())
	require.JSONEq(t, `{"corrected":1}`, x.out.String())
	require.Equal(t, 4, x.run(t, "rectify", "anna", "-kind", "friend", "-field", "Mail", "-value", "x"), "it is not hers to correct")
	require.Equal(t, 0, x.run(t, "rectify", "bert", "-kind", "gift", "-field", "ToMail", "-value", "right@x"), x.log.String())
	f, err := friends.Get(ctx, w.db, table.Of("anna", "bert"))
	require.NoError(t, err)
	require.Equal(t, "right@example.com", f.Mail.RevealOr("?"))
	g, err := gifts.Get(ctx, w.db, "1")
	require.NoError(t, err)
	require.Equal(t, "right@x", g.ToMail)
	after := row("anna", "friends|bert")
	require.NotContains(t, after, "latched")
	require.NotEqual(t, before["timestamp"], after["timestamp"], "the trigger publishes it")
	_, sealed := after["mail"].(*types.AttributeValueMemberB)
	require.True(t, sealed)
	require.Equal(t, 2, x.run(t, "rectify", "bert", "-kind", "gift", "-field", "Amount", "-value", "three"))
	require.Equal(t, 0, x.run(t, "rectify", "bert", "-kind", "gift", "-field", "Amount", "-value", "4"), x.log.String())
}

func TestWhatARefusedErasureSays(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t)
	ctx := t.Context()
	require.NoError(t, gifts.Save(ctx, w.db, gift{ID: "1", From: "anna", To: "bert"}))
	before := keyed(w.rows(t, ""))
	x := &terminal{c: w.controller(t)}
	for _, id := range []string{"", " anna", "an\nna", "\xff", strings.Repeat("a", 2000)} {
		require.Equal(t, 2, x.run(t, "erase", id, "-yes"), "%q", id)
		require.Contains(t, x.log.String(), "the subject's id")
	}
	require.Equal(t, 2, x.run(t, "release", "none"))
	require.Equal(t, 2, x.run(t, "readmit", "anna"))
	require.Equal(t, 2, x.run(t, "acknowledge", "none", "-recipient", "who"))
	require.Equal(t, 4, x.run(t, "erase", "nobody", "-yes"))
	list, err := gdpr.Suppressions(ctx, w.own, 1, nil)
	require.NoError(t, err)
	ref := func(id string) string {
		text, err := w.db.SubjectRef(id)
		require.NoError(t, err)
		return text
	}
	require.False(t, list.Suppressed(ref("nobody"), time.Now()), "an id that was mistyped suppresses nobody")

	require.Equal(t, 0, x.run(t, "hold", "case", "-reason", "a claim"))
	require.Equal(t, 3, x.run(t, "erase", "anna", "-yes"), x.log.String())
	require.Contains(t, x.out.String(), "outcome   held")
	require.Equal(t, before, keyed(w.rows(t, "")), "nothing was touched")
	require.NoError(t, list.Refresh(ctx))
	require.False(t, list.Suppressed(ref("anna"), time.Now()), "who is not erased is written about")
	require.Equal(t, 0, x.run(t, "release", "case"), x.log.String())
	require.NoError(t, list.Refresh(ctx))
	require.True(t, list.Suppressed(ref("anna"), time.Now()))
	require.NotContains(t, keyed(w.rows(t, ""))["1 gift"], "from")
}

// A table without its index, and a program without rights, are found out before anything is touched.
func TestSetupFaults(t *testing.T) {
	t.Parallel()
	e, f := fusedEmbedded(t)
	w := newWorld(t, e, f, 1, 0)
	require.NoError(t, table.Create(t.Context(), e, "bare", table.Schema(plains)))
	db, err := table.Open(e, "bare", &table.Options{SubjectKey: refKey})
	require.NoError(t, err)
	c, err := gdpr.New(w.own, []gdpr.Place{gdpr.Table("bare", db, []gdpr.Model{visits}, nil)}, &gdpr.Options{Signer: signer})
	require.NoError(t, err)
	x := &terminal{c: c}
	require.Equal(t, 2, x.run(t, "erase", "anna", "-yes"))
	require.Contains(t, x.log.String(), "an index over references to subjects is missing")

	other, err := table.Open(e, w.name, &table.Options{SubjectKey: append([]byte("another "), refKey...)})
	require.NoError(t, err)
	none, err := table.Open(e, w.name, nil)
	require.NoError(t, err)
	_, err = gdpr.New(w.own, []gdpr.Place{
		gdpr.Table("a", w.db, []gdpr.Model{gifts}, nil), gdpr.Table("b", other, []gdpr.Model{visits}, nil), gdpr.Table("c", none, []gdpr.Model{visits}, nil),
	}, &gdpr.Options{Signer: signer})
	require.ErrorContains(t, err, `places "a" and "b" have different SubjectKeys`)
	require.ErrorContains(t, err, `place "c": table: invalid: there is no key for references`)
	require.ErrorContains(t, err, "there is no place Keys")
}

type plainRow struct {
	ID string `dynamo:"id"`
}

var plains = table.DefineNode("plain", func(p *plainRow, d *table.Def[plainRow]) { d.ID(&p.ID) })

func TestProgressOfAVerification(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t)
	var ops []table.Op
	for i := range 500 {
		ops = append(ops, visits.Put(visit{Customer: "bert", No: i, Page: strings.Repeat("/", 5000)}))
	}
	require.NoError(t, w.db.Batch(t.Context(), ops...))
	require.NoError(t, customers.Save(t.Context(), w.db, customer{ID: "anna", Name: "Anna"}))
	x := &terminal{c: w.controller(t), progress: true}
	require.Equal(t, 0, x.run(t, "erase", "anna", "-yes"), x.log.String())
	require.Contains(t, x.log.String(), "\r")

	var seen []gdpr.Progress
	c, err := gdpr.New(w.own, []gdpr.Place{gdpr.Table("shop", w.db, everything(), nil), gdpr.Keys("keys", w.sealer)}, &gdpr.Options{
		Signer: signer, Progress: func(p gdpr.Progress) { seen = append(seen, p) }, Budget: gdpr.Budget{Reads: 5000},
	})
	require.NoError(t, err)
	require.NoError(t, customers.Save(t.Context(), w.db, customer{ID: "carl", Name: "Carl"}))
	plan, err := c.Plan(t.Context(), "carl")
	require.NoError(t, err)
	_, err = c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	eta := false
	for _, p := range seen {
		if p.Step == "verify" && p.Place == "shop" {
			require.GreaterOrEqual(t, p.Total, 501)
			eta = eta || p.ETA > 0 && p.Done < p.Total
		}
	}
	require.True(t, eta, "the scan says how long it will take: %v", seen)
}

// denied is a client without the right to write.
type denied struct{ engine }

func (d denied) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not authorized to perform: dynamodb:UpdateItem"}
}

func TestMissingRightsAreFoundOutFirst(t *testing.T) {
	t.Parallel()
	w, _ := peopled(t)
	require.NoError(t, gifts.Save(t.Context(), w.db, gift{ID: "1", From: "anna", FromMail: insideout.Seal("a@x"), To: "bert"}))
	before := keyed(w.rows(t, ""))
	db, err := table.Open(denied{w.e}, w.name, &table.Options{SubjectKey: refKey, Sealer: w.sealer, Opener: w.sealer})
	require.NoError(t, err)
	c, err := gdpr.New(w.own, []gdpr.Place{gdpr.Table("shop", db, everything(), nil), gdpr.Keys("keys", w.sealer)}, &gdpr.Options{Signer: signer})
	require.NoError(t, err)
	x := &terminal{c: c}
	require.Equal(t, 2, x.run(t, "erase", "anna", "-yes"))
	require.Contains(t, x.log.String(), "the rights are missing, and nothing was touched")
	require.Equal(t, before, keyed(w.rows(t, "")))
	g, err := gifts.Get(t.Context(), w.db, "1")
	require.NoError(t, err)
	require.Equal(t, "a@x", g.FromMail.RevealOr("?"), "the keys are there")
}
