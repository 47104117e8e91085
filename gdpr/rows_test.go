package gdpr_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
)

type customer struct {
	ID   string `dynamo:"id" gdpr:"erase,category=identity"`
	Name string `dynamo:"name" gdpr:"erase,category=identity,purpose=order handling"`
}

type order struct {
	ID       string    `dynamo:"id" gdpr:"none"`
	Customer string    `dynamo:"customer" gdpr:"pseudonymise,category=identity"`
	City     string    `dynamo:"city,omitempty" gdpr:"redact"`
	Email    string    `dynamo:"email,omitempty" gdpr:"erase,category=contact"`
	Amount   string    `dynamo:"amount" gdpr:"none"`
	At       time.Time `dynamo:"at" gdpr:"none"`
}

type invoice struct {
	ID      string `dynamo:"id" gdpr:"none"`
	Person  string `dynamo:"person" gdpr:"keep=Art. 17(3)(b),until=10y,category=invoice,purpose=accounting,basis=legal obligation"`
	Address string `dynamo:"address" gdpr:"keep=Art. 17(3)(b),until=10y"`
	Phone   string `dynamo:"phone,omitempty" gdpr:"erase"`
}

type visit struct {
	Customer string `dynamo:"customer" gdpr:"erase"`
	No       int    `dynamo:"no" gdpr:"none"`
	Page     string `dynamo:"page" gdpr:"none"`
}

var (
	byCity    = table.Index{Name: "gsi2"}
	byEmail   = table.Index{Name: "gsi3"}
	customers = table.DefineNode("customer", func(c *customer, d *table.Def[customer]) {
		d.ID(&c.ID)
		d.Subject(&c.ID)
	})
	orders = table.DefineNode("order", func(o *order, d *table.Def[order]) {
		d.ID(&o.ID)
		d.Subject(&o.Customer)
		d.Index(byCity, table.Key(&o.City), table.Key(&o.At))
		d.Index(byEmail, table.Key(&o.Email))
	})
	invoices = table.DefineNode("invoice", func(i *invoice, d *table.Def[invoice]) {
		d.ID(&i.ID)
		d.Subject(&i.Person)
	})
	visits = table.DefineEdge("visit", "visit", func(v *visit, d *table.Def[visit]) {
		d.Owner(&v.Customer)
		d.ID(&v.No)
		d.Subject(&v.Customer)
	})
)

func models() []gdpr.Model { return []gdpr.Model{customers, orders, invoices, visits} }

type account struct {
	ID    string `dynamo:"id" gdpr:"none"`
	Owner string `dynamo:"owner" gdpr:"erase"`
	Email string `dynamo:"email" gdpr:"erase"`
	Nick  string `dynamo:"nick" gdpr:"none"`
}

var accounts = table.DefineNode("account", func(a *account, d *table.Def[account]) {
	d.ID(&a.ID)
	d.Subject(&a.Owner)
	d.Unique(&a.Email)
	d.Unique(&a.Nick)
})

// A unique value lives on in the key of its guard, unless that goes too.
func TestEraseTakesGuardsAlong(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine) {
		s := newShop(t, e, gdpr.Options{}, accounts)
		save := func(id, owner, nick string) error {
			return accounts.Save(t.Context(), s.db, account{ID: id, Owner: owner, Email: owner + "@example.com", Nick: nick})
		}
		require.NoError(t, save("1", "anna", "a"))
		require.NoError(t, save("2", "bert", "b"))
		require.Equal(t, gdpr.Erased, s.erase(t, "anna").Outcome)
		for key := range s.all(t) {
			require.NotContains(t, key, "anna")
		}
		require.NoError(t, save("3", "anna", "c"), "the address is free")
		require.ErrorIs(t, save("4", "carl", "a"), table.ErrExists, "what is not erased stays unique")
		require.ErrorIs(t, save("5", "bert", "d"), table.ErrExists, "others' values too")
	})
}

// engine is what the tests run on.
type engine interface {
	table.Client
	table.Admin
}

// everywhere runs a test on the embedded engine, and on a DynamoDB endpoint where one is named.
func everywhere(t *testing.T, test func(t *testing.T, e engine)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		db := embedded.New(nil)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		test(t, db)
	})
	t.Run("endpoint", func(t *testing.T) {
		t.Parallel()
		url := os.Getenv("INSIDEOUT_DYNAMODB_ENDPOINT")
		if url == "" {
			t.Skip("set INSIDEOUT_DYNAMODB_ENDPOINT to the URL of a DynamoDB endpoint to run this test on it")
		}
		client, _ := local.Clients(url)
		test(t, client)
	})
}

var refKey = []byte("a key for references to subjects")

// shop is a table of the models with a controller over it.
type shop struct {
	e       engine
	db, own *table.DB
	*gdpr.Controller
}

func newShop(t testing.TB, e engine, opts gdpr.Options, more ...gdpr.Model) *shop {
	name := "gdpr-" + uuid.NewString()
	ctx := context.Background()
	all := append(models(), more...)
	definitions := make([]table.Definition, len(all))
	for i, m := range all {
		definitions[i] = m
	}
	require.NoError(t, table.Create(ctx, e, name, table.Schema(definitions...)))
	require.NoError(t, table.Create(ctx, e, name+"-jobs", gdpr.Schema()))
	db, err := table.Open(e, name, &table.Options{SubjectKey: refKey})
	require.NoError(t, err)
	own, err := table.Open(e, name+"-jobs", nil)
	require.NoError(t, err)
	opts.Signer = signer
	c, err := gdpr.New(own, []gdpr.Place{gdpr.Table("shop", db, all, nil)}, &opts)
	require.NoError(t, err)
	return &shop{e, db, own, c}
}

// fill writes what a customer leaves behind.
func (s *shop) fill(t testing.TB, id string, n int) {
	ctx := context.Background()
	require.NoError(t, customers.Save(ctx, s.db, customer{ID: id, Name: "Name of " + id}))
	for i := range n {
		no := fmt.Sprintf("%s-%d", strings.ToUpper(id), i)
		require.NoError(t, orders.Save(ctx, s.db, order{
			ID: "o" + no, Customer: id, City: "Bonn", Email: id + "@example.com", Amount: fmt.Sprint(i), At: time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC),
		}))
		require.NoError(t, invoices.Save(ctx, s.db, invoice{ID: "i" + no, Person: id, Address: "Street of " + id, Phone: "0228"}))
		ver, err := idempotence.NewVersion(time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC), "event")
		require.NoError(t, err)
		_, err = visits.Upsert(ctx, s.db, visit{Customer: id, No: i, Page: "/"}, ver)
		require.NoError(t, err)
	}
}

// all is every row of the table, by key.
func (s *shop) all(t testing.TB) map[string]table.Item {
	all := map[string]table.Item{}
	in := &dynamodb.ScanInput{TableName: new(s.db.Name()), ConsistentRead: new(true)}
	for {
		out, err := s.e.Scan(context.Background(), in)
		require.NoError(t, err)
		for _, item := range out.Items {
			all[text(item["pk"])+" "+text(item["sk"])] = item
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return all
		}
	}
}

func text(v types.AttributeValue) string {
	s, _ := v.(*types.AttributeValueMemberS)
	if s == nil {
		return ""
	}
	return s.Value
}

func (s *shop) erase(t testing.TB, subject string) gdpr.Receipt {
	plan, err := s.Plan(context.Background(), subject)
	require.NoError(t, err)
	receipt, err := s.Erase(context.Background(), plan, "DPO-7")
	require.NoError(t, err)
	return receipt
}

func TestEraseRows(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine) {
		s := newShop(t, e, gdpr.Options{})
		s.fill(t, "anna", 40)
		s.fill(t, "bert", 3)
		before := s.all(t)
		receipt := s.erase(t, "anna")
		require.Equal(t, gdpr.ErasedInPart, receipt.Outcome)
		require.Equal(t, []gdpr.Done{{"shop", "delete", 41}, {"shop", "edit", 80}}, receipt.Done)
		require.Equal(t, []string{"invoice.Address", "invoice.Person"}, []string{receipt.Kept[0].Field, receipt.Kept[1].Field})
		require.Equal(t, 40, receipt.Kept[0].Count)
		require.WithinDuration(t, time.Now().AddDate(10, 0, 0), receipt.Kept[0].Until, 48*time.Hour)

		after := s.all(t)
		require.Len(t, after, len(before), "tombstones take the place of rows")
		for key, item := range after {
			if strings.Contains(strings.ToLower(key), "bert") {
				require.Equal(t, before[key], item, key)
			}
		}
		require.ElementsMatch(t, []string{"pk", "sk", "discriminator", "timestamp", "lastModifiedBy", "deleted", "ttl"},
			slices.Collect(maps.Keys(after["anna customer"])))
		require.ElementsMatch(t, []string{"pk", "sk", "discriminator", "timestamp", "latched", "deleted", "ttl", "_v"},
			slices.Collect(maps.Keys(after["anna visit|0000000000000000007"])), "%v", slices.Sorted(maps.Keys(after)))
		kept := after["oANNA-7 order"]
		require.Equal(t, "[REDACTED]", text(kept["city"]))
		require.Regexp(t, `^pseudonym:[0-9a-f]{32}$`, text(kept["customer"]))
		require.Equal(t, kept["customer"], after["oANNA-8 order"]["customer"], "within a job, one person has one pseudonym")
		for _, gone := range []string{"email", "gsi2pk", "gsi2sk", "gsi3pk", "gsi3sk", "_sid"} {
			require.NotContains(t, kept, gone)
		}
		require.Equal(t, before["oANNA-7 order"]["amount"], kept["amount"])
		require.Equal(t, "Street of anna", text(after["iANNA-7 invoice"]["address"]))
		require.NotContains(t, after["iANNA-7 invoice"], "phone")
		require.Contains(t, after["iANNA-7 invoice"], "_sid", "it is found again when its time has come")

		again := s.erase(t, "anna")
		require.Equal(t, []gdpr.Done{{"shop", "keep", 40}}, again.Done)
	})
}

func TestEraseWhileOthersWrite(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine) {
		s := newShop(t, e, gdpr.Options{})
		s.fill(t, "anna", 10)
		plan, err := s.Plan(t.Context(), "anna")
		require.NoError(t, err)
		require.NoError(t, orders.Save(t.Context(), s.db, order{ID: "new", Customer: "anna", City: "Ulm", Amount: "1"}))
		require.NoError(t, orders.Save(t.Context(), s.db, order{ID: "oANNA-3", Customer: "bert", City: "Ulm", Email: "b@example.com", Amount: "1"}))
		receipt, err := s.Erase(t.Context(), plan, "DPO-7")
		require.NoError(t, err)
		require.Equal(t, []gdpr.Done{{"shop", "delete", 11}, {"shop", "edit", 20}, {"shop", "gone", 1}}, receipt.Done,
			"an order that came later is found by the verification; one that is another customer's now is left alone")
		after := s.all(t)
		require.Equal(t, "[REDACTED]", text(after["new order"]["city"]))
		require.Equal(t, "Ulm", text(after["oANNA-3 order"]["city"]))
	})
}

func TestVerifyFindsWhatHasNoReference(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e engine) {
		s := newShop(t, e, gdpr.Options{})
		s.fill(t, "anna", 1)
		other, err := table.Open(e, s.db.Name(), nil) // a program that knows no key for references
		require.NoError(t, err)
		require.NoError(t, orders.Save(t.Context(), other, order{ID: "unmarked", Customer: "anna", City: "Ulm", Amount: "1"}))
		plan, err := s.Plan(t.Context(), "anna")
		require.NoError(t, err)
		_, err = s.Erase(t.Context(), plan, "DPO-7")
		require.ErrorIs(t, err, gdpr.ErrRemains)
		require.NotContains(t, err.Error(), "anna")

		require.NoError(t, orders.Save(t.Context(), s.db, order{ID: "unmarked", Customer: "anna", City: "Ulm", Amount: "1"}))
		_, err = s.Run(t.Context(), plan.Job)
		require.NoError(t, err, "once it carries the reference, the job ends")
	})
}

// Whatever people share a table, an erasure leaves every byte of the others as it was, and nothing of its subject but what policies keep.
func TestErasureTouchesItsSubjectAlone(t *testing.T) {
	t.Parallel()
	db := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(t, db, gdpr.Options{Workers: rapid.IntRange(1, 8).Draw(rt, "workers")})
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c|%]{1,3}`), 2, 4, rapid.ID).Draw(rt, "ids")
		for _, id := range ids {
			s.fill(t, id, rapid.IntRange(0, 3).Draw(rt, "n"))
		}
		before := s.all(t)
		ref, err := s.db.SubjectRef(ids[0])
		require.NoError(t, err)
		s.erase(t, ids[0])
		for key, item := range s.all(t) {
			switch was := before[key]; {
			case text(was["_sid"]) != ref:
				require.Equal(t, was, item, "a row of somebody else: %s", key)
			case text(was["discriminator"]) == "invoice":
				require.NotContains(t, item, "phone")
			default:
				require.NotContains(t, item, "_sid", key)
				for _, personal := range []string{"name", "email"} {
					require.NotContains(t, item, personal)
				}
			}
		}
	})
}

func TestExport(t *testing.T) {
	t.Parallel()
	s := newShop(t, newEngine(t), gdpr.Options{})
	s.fill(t, "anna", 2)
	s.fill(t, "bert", 2)
	e, err := s.Export(t.Context(), "anna")
	require.NoError(t, err)
	require.Len(t, e.Records, 7)
	var csv strings.Builder
	require.NoError(t, e.CSV(&csv))
	require.Contains(t, csv.String(), "shop,order,")
	require.Contains(t, csv.String(), "anna@example.com")
	require.NotContains(t, csv.String(), "bert")
}

func newEngine(t *testing.T) *embedded.DB {
	t.Helper()
	db := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestPoliciesAreChecked(t *testing.T) {
	t.Parallel()
	type bad struct {
		ID      string `dynamo:"id" gdpr:"redact"`
		None    string `dynamo:"none"`
		Unknown string `dynamo:"unknown" gdpr:"burn"`
		Endless string `dynamo:"endless" gdpr:"keep=because"`
		Reason  string `dynamo:"reason" gdpr:"keep,until=10y"`
		Until   string `dynamo:"until" gdpr:"keep=x,until=soon"`
		Option  string `dynamo:"option" gdpr:"erase,colour=red"`
		Number  int    `dynamo:"number" gdpr:"pseudonymise"`
	}
	wrong := table.DefineNode("bad", func(b *bad, d *table.Def[bad]) {
		d.ID(&b.ID)
		d.Subject(&b.ID)
	})
	db, err := table.Open(newEngine(t), "any", &table.Options{SubjectKey: refKey})
	require.NoError(t, err)
	_, err = gdpr.New(db, []gdpr.Place{gdpr.Table("shop", db, []gdpr.Model{wrong}, nil)}, &gdpr.Options{Signer: signer})
	for _, want := range []string{
		"field ID is in the row's key", "field None has no decision", `"burn" is none of`, "keep needs the article", `"soon" is no date`,
		`option "colour"`, "only a text can be pseudonymised", "field Reason", "field Endless",
	} {
		require.ErrorContains(t, err, want)
	}
}
