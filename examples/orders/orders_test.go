package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realData are the invoices that the design's figures come from. They are not part of the project.
const realData = "../../../shared/data/online-retail.csv"

// result is what a run left behind.
type result struct {
	code           int
	stdout, stderr string
	summary        Summary
	dump           string
}

// runJSON runs the program with -json and -dump, and requires that it succeeds.
func runJSON(t *testing.T, args ...string) result {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump.csv")
	r := runProgram(t, append(args, "-json", "-dump", dump)...)
	require.Zero(t, r.code, r.stderr)
	decoder := json.NewDecoder(strings.NewReader(r.stdout))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r.summary))
	content, err := os.ReadFile(dump)
	require.NoError(t, err)
	r.dump = string(content)
	return r
}

func runProgram(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return result{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

func TestSampleIsTheDefaultInput(t *testing.T) {
	t.Parallel()
	r := runJSON(t)
	require.Equal(t, recompute(t, "sample.csv"), r.dump)
	digest := sha256.Sum256([]byte(r.dump))
	require.Equal(t, hex.EncodeToString(digest[:]), r.summary.ViewDigest)
	require.Equal(t, 47, r.summary.Invoices)
	require.Equal(t, 3, r.summary.Credits)
	require.Equal(t, []Reject{{Line: 106, Reason: `column Quantity: "two" is not an integer`}}, r.summary.Rejects)
	require.Zero(t, r.summary.Faults)
	require.Equal(t, r.summary.EventsPublished, r.summary.EventsDelivered)
}

func TestHumanSummary(t *testing.T) {
	t.Parallel()
	r := runProgram(t)
	require.Zero(t, r.code, r.stderr)
	for _, want := range []string{"185 lines read, 1 rejected", "47 invoices and 3 credits", "top customers", "where to look next"} {
		require.Contains(t, r.stdout, want)
	}
	require.Empty(t, r.stderr, "progress is for terminals")
}

func TestRealInvoices(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(realData); err != nil {
		t.Skip("the Online Retail invoices are not beside the project:", err)
	}
	r := runJSON(t, "-in", realData)
	s := r.summary
	require.Equal(t, []int{14_595, 1, 629, 70, 102, 425},
		[]int{s.LinesRead, s.LinesRejected, s.Invoices, s.Credits, s.Guests, s.Customers})
	require.Equal(t, 14_596, s.Rejects[0].Line)
	require.Equal(t, recompute(t, realData), r.dump)
}

// recompute derives the dump from the file in the plainest way: no table, no events, no code of the program.
func recompute(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	type totals struct {
		orders, credits map[string]bool
		units           int
		amount          *big.Rat
	}
	byCustomer := map[string]*totals{}
	for line := range strings.Lines(string(content)) {
		row, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(row) != 8 || row[0] == "" || row[1] == "" || row[6] == "" {
			continue
		}
		quantity, err1 := strconv.Atoi(row[3])
		_, err2 := time.Parse("1/2/06 15:04", row[4])
		price, ok := new(big.Rat).SetString(row[5])
		if err1 != nil || err2 != nil || !ok {
			continue
		}
		c := byCustomer[row[6]]
		if c == nil {
			c = &totals{orders: map[string]bool{}, credits: map[string]bool{}, amount: new(big.Rat)}
			byCustomer[row[6]] = c
		}
		if strings.HasPrefix(row[0], "C") {
			c.credits[row[0]] = true
		} else {
			c.orders[row[0]] = true
		}
		c.units += quantity
		c.amount.Add(c.amount, price.Mul(price, big.NewRat(int64(quantity), 1)))
	}
	rows := []string{}
	for id, c := range byCustomer {
		rows = append(rows, fmt.Sprintf("%s,%d,%d,%d,%s\n", id, len(c.orders), len(c.credits), c.units, c.amount.FloatString(3)))
	}
	slices.Sort(rows)
	return "customer,orders,credits,units,amount\n" + strings.Join(rows, "")
}

// The listener reads nothing for events, and writes once for each row and lane of a batch that has news of it; it reads for totals only.
func TestSummaryCountsCalls(t *testing.T) {
	t.Parallel()
	s := runJSON(t).summary
	orders := int64(s.Invoices + s.Credits - s.Guests)
	require.Equal(t, int64(s.Customers)+orders, s.Applied+s.Coalesced, "each event with a customer")
	require.Zero(t, s.Stale+s.Duplicate)
	require.Equal(t, s.Applied+s.RolledUp, s.Writes)
	require.Equal(t, 2*s.RolledUp, s.Reads)
}
