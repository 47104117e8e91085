package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// The view of examples/orders, written once more: what its listener folds facts into, a lake's replay must fold into too.

type money struct{ big.Rat }

func (m money) MarshalText() ([]byte, error) { return []byte(m.FloatString(10)), nil }

type bought struct {
	ID             string `dynamo:"id"`
	Orders         int    `dynamo:"orders"`
	Credits        int    `dynamo:"credits"`
	Units          int64  `dynamo:"units"`
	Amount         money  `dynamo:"amount"`
	RegisteredFlag bool   `dynamo:"registered"`
}

type contribution struct {
	CustomerID string `dynamo:"customerId"`
	OrderID    string `dynamo:"orderId"`
	Credit     bool   `dynamo:"credit,omitempty"`
	Units      int64  `dynamo:"units"`
	Amount     money  `dynamo:"amount"`
}

var (
	boughtModel = table.DefineNode("customer", func(b *bought, d *table.Def[bought]) {
		d.ID(&b.ID)
		d.Lane("totals", &b.Orders, &b.Credits, &b.Units, &b.Amount)
	})
	contributionModel = table.DefineEdge("purchase", "purchases", func(c *contribution, d *table.Def[contribution]) {
		d.Owner(&c.CustomerID)
		d.ID(&c.OrderID)
	})
)

type placedEvent struct {
	Order struct {
		ID         string `json:"id"`
		CustomerID string `json:"customerId"`
		Credit     bool   `json:"credit"`
		Units      int64  `json:"units"`
		Amount     money  `json:"amount"`
	} `json:"order"`
}

func ordersView(t *testing.T, claims views.ClaimChecks) (*table.DB, *views.Listener) {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, table.Create(t.Context(), engine, "view", table.Schema(boughtModel, contributionModel)))
	db, err := table.Open(engine, "view", nil)
	require.NoError(t, err)
	l, err := views.New(db, &views.Options{Source: "customers", ClaimChecks: claims},
		views.Upsert(boughtModel, views.On("customer-registered"), func(e struct {
			Customer struct {
				ID string `json:"id"`
			} `json:"customer"`
		},
		) (bought, error) {
			return bought{ID: e.Customer.ID, RegisteredFlag: true}, nil
		}),
		views.Upsert(contributionModel, views.On("order-placed", "order-credited"), func(e placedEvent) (contribution, error) {
			o := e.Order
			if o.CustomerID == "" {
				return contribution{}, views.Skip("a guest")
			}
			return contribution{o.CustomerID, o.ID, o.Credit, o.Units, o.Amount}, nil
		}),
		views.Rollup(contributionModel, boughtModel, "totals", func(b *bought, all []contribution) {
			for _, c := range all {
				if c.Credit {
					b.Credits++
				} else {
					b.Orders++
				}
				b.Units += c.Units
				b.Amount.Add(&b.Amount.Rat, &c.Amount.Rat)
			}
		}))
	require.NoError(t, err)
	return db, l
}

// ordersDigest is the SHA-256 of the view as the example dumps it.
func ordersDigest(t *testing.T, db *table.DB) string {
	t.Helper()
	var rows []string
	for b, err := range boughtModel.List().All(context.Background(), db) {
		require.NoError(t, err)
		rows = append(rows, fmt.Sprintf("%s,%d,%d,%d,%s\n", b.ID, b.Orders, b.Credits, b.Units, b.Amount.FloatString(3)))
	}
	slices.Sort(rows)
	hash := sha256.New()
	hash.Write([]byte("customer,orders,credits,units,amount\n"))
	for _, row := range rows {
		hash.Write([]byte(row))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// The example writes the lake; a replay of it rebuilds the view, to the same digest, also a second time and backwards.
func TestLakeRebuildsTheView(t *testing.T) {
	t.Parallel()
	dir, events := t.TempDir(), filepath.Join(t.TempDir(), "events")
	cmd := exec.CommandContext(t.Context(), "go", "run", "../../examples/orders", "-lake", dir, "-json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	var summary struct {
		Digest    string `json:"view_digest"`
		Published int    `json:"events_published"`
	}
	require.NoError(t, json.Unmarshal(out, &summary))
	code, out2, stderr := lakeRun(t, "replay", dir, "-to", "file:"+events, "-json")
	require.Equal(t, exitOK, code, stderr)
	var done replayed
	require.NoError(t, json.Unmarshal([]byte(out2), &done))
	require.Equal(t, summary.Published, done.Events)

	db, listener := ordersView(t, nil)
	bus := views.NewBus(listener)
	data, err := os.ReadFile(events)
	require.NoError(t, err)
	var all []insideout.Event
	for line := range bytes.Lines(data) {
		var e insideout.Event
		require.NoError(t, e.UnmarshalJSON(line))
		all = append(all, e)
	}
	require.Len(t, all, summary.Published)
	for range 2 {
		for batch := range slices.Chunk(all, 100) {
			require.NoError(t, bus.Publish(t.Context(), batch))
		}
		require.Equal(t, summary.Digest, ordersDigest(t, db))
		slices.Reverse(all)
	}
}

// The lake is what publishers and listeners ask for: a publisher, and the claim checks of both.
var (
	_ cdc.Publisher     = (*lake.Lake)(nil)
	_ cdc.ClaimChecks   = (*lake.Lake)(nil)
	_ views.ClaimChecks = (*lake.Lake)(nil)
)

// A listener redeems what a publisher has kept in the lake.
func TestLakeKeepsLargeEvents(t *testing.T) {
	t.Parallel()
	l, err := lake.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	e := insideout.Event{ID: "e-1", Type: "order-placed", Timestamp: lakeNoon(), PartitionKey: "1"}
	require.NoError(t, e.SetBody("order", map[string]any{"id": "1", "customerId": "c", "units": 3, "amount": "4.50"}))
	body, err := e.MarshalJSON()
	require.NoError(t, err)
	const key = "us-east-1/claimchecks/2026/11/21/12/e-1"
	bucket, err := l.Keep(t.Context(), key, body)
	require.NoError(t, err)
	e.Body = nil
	require.NoError(t, e.SetBody("s3", map[string]string{"bucket": bucket, "key": key}))
	db, listener := ordersView(t, l)
	require.NoError(t, listener.Handle(t.Context(), []insideout.Event{e}))
	var units []int64
	for c, err := range contributionModel.List().All(t.Context(), db) {
		require.NoError(t, err)
		units = append(units, c.Units)
	}
	require.Equal(t, []int64{3}, units)
}
