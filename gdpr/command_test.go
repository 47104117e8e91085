package gdpr_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/gdpr"
)

// terminal runs a command line and keeps what it prints.
type terminal struct {
	c        *gdpr.Controller
	answer   string
	progress bool
	out, log bytes.Buffer
}

func (x *terminal) run(t *testing.T, args ...string) int {
	t.Helper()
	x.out.Reset()
	x.log.Reset()
	return gdpr.Command(t.Context(), x.c, args, &gdpr.CommandOptions{Stdin: strings.NewReader(x.answer), Stdout: &x.out, Stderr: &x.log, Terminal: x.progress})
}

func TestCommand(t *testing.T) {
	t.Parallel()
	s := newShop(t, newEngine(t), gdpr.Options{})
	s.fill(t, "anna", 3)
	s.fill(t, "bert", 3)
	require.NoError(t, customers.Save(t.Context(), s.db, customer{ID: "carl", Name: "Carl"}))
	x := &terminal{c: s.Controller}

	require.Equal(t, 0, x.run(t, "plan", "anna"))
	require.Contains(t, x.out.String(), "keep Address (Art. 17(3)(b), until 20")
	require.Equal(t, 0, x.run(t, "plan", "-json", "anna"))
	var plan gdpr.Plan
	require.NoError(t, json.Unmarshal(x.out.Bytes(), &plan))
	require.Len(t, plan.Actions, 10)
	require.Equal(t, 4, x.run(t, "plan", "nobody"))
	require.Contains(t, x.out.String(), "No place that was asked knows this subject.")

	before := s.all(t)
	require.Equal(t, 0, x.run(t, "erase", "anna", "-dry-run"))
	require.Equal(t, 3, x.run(t, "erase", "anna"), "nobody said yes")
	require.Equal(t, 3, x.run(t, "run", plan.Job))
	require.Equal(t, 3, x.run(t, "run", plan.Job, "-approve", "wrong"))
	require.Equal(t, 2, x.run(t, "run", "no-such-job"))
	require.Equal(t, before, s.all(t), "nothing was touched")

	hash, err := plan.Hash()
	require.NoError(t, err)
	require.Equal(t, 5, x.run(t, "run", plan.Job, "-approve", hash, "-by", "DPO-7", "-json"), x.log.String())
	file := filepath.Join(t.TempDir(), "receipt.json")
	require.NoError(t, os.WriteFile(file, x.out.Bytes(), 0o600))
	require.NotContains(t, x.out.String(), "anna")
	require.Equal(t, 0, x.run(t, "verify", file), x.log.String())
	receipt, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.Replace(receipt, []byte("DPO-7"), []byte("DPO-8"), 1), 0o600))
	require.Equal(t, 6, x.run(t, "verify", file))

	x.answer = "yes\n"
	require.Equal(t, 0, x.run(t, "erase", "carl"))
	require.Contains(t, x.out.String(), "outcome   erased")
	require.Equal(t, 4, x.run(t, "erase", "nobody", "-yes"))
	require.Equal(t, 0, x.run(t, "verify"))
	require.Contains(t, x.out.String(), "3 receipts verify")
	require.Equal(t, 0, x.run(t, "receipt", "1"))
	require.Contains(t, x.out.String(), "erased-partly")
	require.Equal(t, 0, x.run(t, "status"))
	require.Equal(t, 0, x.run(t, "status", plan.Job))
	require.Contains(t, x.out.String(), "done")
}

func TestCommandHoldsAndExports(t *testing.T) {
	t.Parallel()
	s := newShop(t, newEngine(t), gdpr.Options{})
	s.fill(t, "anna", 2)
	x := &terminal{c: s.Controller}
	require.Equal(t, 2, x.run(t, "hold", "case-1"))
	require.Contains(t, x.log.String(), "needs an id and a reason")
	require.Equal(t, 2, x.run(t, "hold", "case-1", "-reason", "a claim", "-place", "attic"))
	require.Contains(t, x.log.String(), `no place "attic"`)
	require.Equal(t, 2, x.run(t, "hold", "case-1", "-reason", "a claim", "-until", "soon"))
	require.Equal(t, 0, x.run(t, "hold", "case-1", "-subject", "anna", "-kind", "order", "-reason", "a claim"))
	require.Equal(t, 5, x.run(t, "erase", "anna", "-yes"))
	require.Contains(t, x.out.String(), "hold: case-1: a claim")
	require.Equal(t, "Bonn", text(s.all(t)["oANNA-0 order"]["city"]))
	require.Equal(t, 0, x.run(t, "release", "case-1"))
	require.Equal(t, "[REDACTED]", text(s.all(t)["oANNA-0 order"]["city"]))
	require.Equal(t, 0, x.run(t, "reapply"))
	require.Equal(t, 0, x.run(t, "retention"))
	require.Equal(t, 0, x.run(t, "readmit", "anna"))

	require.Equal(t, 0, x.run(t, "rectify", "anna", "-kind", "invoice", "-field", "Address", "-value", "Street of anna, 2"))
	require.Contains(t, x.out.String(), "2 rows corrected")
	require.Equal(t, "Street of anna, 2", text(s.all(t)["iANNA-0 invoice"]["address"]))
	require.Equal(t, 4, x.run(t, "rectify", "anna", "-kind", "invoice", "-field", "Address", "-value", "Street of anna, 2"))
	for _, field := range []string{"Customer", "ID", "Colour"} {
		require.Equal(t, 2, x.run(t, "rectify", "anna", "-kind", "order", "-field", field, "-value", "x"), field)
	}
	require.Equal(t, 0, x.run(t, "rectify", "anna", "-kind", "invoice", "-field", "Address", "-value", "Street of anna"))

	require.Equal(t, 0, x.run(t, "export", "anna", "-csv"))
	require.Contains(t, x.out.String(), "shop,invoice,1,Address,Street of anna")
	require.Equal(t, 4, x.run(t, "export", "nobody"))
	require.Equal(t, 0, x.run(t, "record"))
	require.Contains(t, x.out.String(), "keep (Art. 17(3)(b)), until 10y")
}

func TestCommandRefusesBadUsage(t *testing.T) {
	t.Parallel()
	s := newShop(t, newEngine(t), gdpr.Options{})
	x := &terminal{c: s.Controller}
	for _, args := range [][]string{nil, {"burn"}, {"plan"}, {"plan", "a", "b"}, {"erase", "-colour", "red"}, {"reapply", "now"}, {"receipt", "9"}} {
		require.Equal(t, 2, x.run(t, args...), "%v: %s", args, x.log.String())
		require.NotEmpty(t, x.log.String())
	}
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := newShop(t, e, gdpr.Options{})
	s.fill(t, "anna", 1)
	list, err := gdpr.Suppressions(t.Context(), s.own, time.Second, nil)
	require.NoError(t, err)
	ref, err := s.db.SubjectRef("anna")
	require.NoError(t, err)
	require.False(t, list.Suppressed(ref, time.Now()))
	s.erase(t, "anna")
	require.NoError(t, list.Refresh(t.Context()))
	require.True(t, list.Suppressed(ref, time.Now()))
	require.NoError(t, s.Readmit(t.Context(), "anna"))
	require.NoError(t, list.Refresh(t.Context()))
	require.True(t, list.Suppressed(ref, time.Now().Add(-time.Hour)), "what happened before stays dropped")
	require.False(t, list.Suppressed(ref, time.Now().Add(time.Hour)))
	require.ErrorContains(t, s.Readmit(t.Context(), "bert"), "never erased")
}
