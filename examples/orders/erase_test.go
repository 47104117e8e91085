package main

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
)

// invoices are the real ones, or the sample where they are not there or time is short, and the customer to erase.
func invoices(t *testing.T) (args []string, customer string) {
	t.Helper()
	if _, err := os.Stat(realData); err != nil || testing.Short() {
		return nil, "90001"
	}
	return []string{"-in", realData}, "17850"
}

// without is a dump without the line of one customer.
func without(t *testing.T, dump, customer string) string {
	t.Helper()
	lines := strings.SplitAfter(dump, "\n")
	left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasPrefix(line, customer+",") })
	require.Len(t, left, len(lines)-1)
	return strings.Join(left, "")
}

// filesWith are the files below a folder that hold a text, plain or compressed.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			plain, _ := io.ReadAll(z)
			data = append(data, plain...)
		}
		if bytes.Contains(data, []byte(text)) {
			list = append(list, path)
		}
		return nil
	}))
	return list
}

func TestEraseLeavesNobodyButTheErased(t *testing.T) {
	t.Parallel()
	args, customer := invoices(t)
	dir := t.TempDir()
	data, events, copied := filepath.Join(dir, "data"), filepath.Join(dir, "lake"), filepath.Join(dir, "copy")
	args = append(args, "-data", data, "-lake", events)
	before := runJSON(t, args...)
	require.Contains(t, before.dump, "\n"+customer+",")
	require.NoError(t, os.CopyFS(copied, os.DirFS(events)))
	for _, kept := range []string{data, events} {
		require.Empty(t, filesWith(t, kept, "@example.com"), "addresses are sealed")
	}
	require.NotEmpty(t, filesWith(t, events, `"`+customer+`"`))

	after := runJSON(t, append(args, "-erase", customer)...)
	require.Equal(t, without(t, before.dump, customer), after.dump)
	require.Len(t, after.summary.Receipts, 1)
	receipt := verified(t, data, after.summary.Receipts[0])
	require.Equal(t, gdpr.ErasedInPart, receipt.Outcome)
	require.Equal(t, []string{"order.CustomerID"}, kinds(receipt.Kept), "tax law keeps the orders, and nothing else")
	require.Empty(t, filesWith(t, events, `"`+customer+`"`))
	require.NotContains(t, string(after.summary.Receipts[0]), customer)

	require.Equal(t, after.dump, replayed(t, data, copied, customer), "a replay of what was brings nobody back")
	again := runJSON(t, append(args, "-erase", customer)...)
	require.Equal(t, after.dump, again.dump)
}

func kinds(kept []gdpr.Kept) []string {
	var list []string
	for _, k := range kept {
		list = append(list, k.Field)
	}
	return list
}

// verified checks a receipt with the key that belongs to the data, and that a change of one byte shows.
func verified(t *testing.T, data string, text json.RawMessage) gdpr.Receipt {
	t.Helper()
	var signed struct{ Key string }
	require.NoError(t, json.Unmarshal(text, &signed))
	key, err := hex.DecodeString(signed.Key)
	require.NoError(t, err)
	r, err := gdpr.VerifyReceipt(text, ed25519.PublicKey(key))
	require.NoError(t, err)
	changed := slices.Clone(text)
	changed[len(changed)/2] ^= 1
	_, err = gdpr.VerifyReceipt(changed, ed25519.PublicKey(key))
	require.ErrorIs(t, err, gdpr.ErrReceipt)
	require.FileExists(t, data+".key")
	return r
}

// replayed delivers every event of a lake to the listener again, and dumps the view. Nothing that it held of the erased customer opens.
func replayed(t *testing.T, data, events, customer string) string {
	t.Helper()
	ctx := t.Context()
	e, err := openEngine(ctx, options{data: data})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.close()) }()
	l, err := lake.Open(events, &lake.Options{ReadOnly: true})
	require.NoError(t, err)
	listener, err := newListener(e.customers, faultLog{io.Discard})
	require.NoError(t, err)
	bus := views.NewBus(listener)
	for event, err := range l.Events(ctx, lake.Query{}) {
		require.NoError(t, err)
		require.NoError(t, bus.Publish(ctx, []insideout.Event{event}))
		if event.Type == "customer-registered" {
			buyer, err := insideout.Body[Buyer](event, "customer")
			require.NoError(t, err)
			require.NoError(t, insideout.OpenSealed(ctx, e.secrets.sealer, &buyer))
			address, err := buyer.Email.Reveal()
			if event.PartitionKey == customer {
				require.ErrorIs(t, err, insideout.ErrShredded)
			} else {
				require.Equal(t, buyer.ID+"@example.com", address)
			}
		}
	}
	require.Positive(t, listener.Stats().Withheld)
	_, err = Buyers.Get(ctx, e.orders, customer)
	require.ErrorIs(t, err, table.ErrNotFound)
	var dump bytes.Buffer
	_, _, err = dumpView(ctx, e.customers, &dump)
	require.NoError(t, err)
	return dump.String()
}

func TestChaosBringsNobodyBack(t *testing.T) {
	t.Parallel()
	args, customer := invoices(t)
	want := without(t, runJSON(t, args...).dump, customer)
	for _, seed := range []string{"1", "2", "3"} {
		r := runJSON(t, append(args, "-chaos", seed, "-erase", customer)...)
		require.Equal(t, want, r.dump, "seed %s", seed)
	}
}

func TestEraseBadInput(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", ",", "17850,", " "} {
		r := runProgram(t, "-erase", list)
		require.Equal(t, exitBadInput, r.code, list)
		require.Contains(t, r.stderr, "an id is empty")
	}
	r := runJSON(t, "-erase", "nobody")
	require.Contains(t, string(r.summary.Receipts[0]), `"outcome":"nothing-found"`)
	human := runProgram(t, "-erase", "90001")
	require.Zero(t, human.code, human.stderr)
	require.Contains(t, human.stdout, "erased-partly")
}
