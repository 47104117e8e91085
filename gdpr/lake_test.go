package gdpr_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/gdpr"
)

const largeKey = "local/claimchecks/2026/03/01/00/100"

func ordered(t *testing.T, no int, customer string) insideout.Event {
	t.Helper()
	e := insideout.Event{
		ID: fmt.Sprint("event ", no), Type: "order-placed", PartitionKey: fmt.Sprint("order ", no), Timestamp: time.Date(2026, 3, 1, no, 0, 0, 0, time.UTC),
	}
	require.NoError(t, e.SetBody("order", map[string]string{"customer": customer, "amount": "1.00"}))
	return e
}

func aboutCustomer(e insideout.Event) ([]string, error) {
	body, err := insideout.Body[struct {
		Customer string `json:"customer"`
	}](e, "order")
	return []string{e.PartitionKey, body.Customer}, err
}

func readLake(t *testing.T, l *lake.Lake) []string {
	t.Helper()
	var ids []string
	for e, err := range l.Events(t.Context(), lake.Query{}) {
		require.NoError(t, err)
		ids = append(ids, e.ID)
	}
	return ids
}

func TestEraseFromTheLake(t *testing.T) {
	t.Parallel()
	l, err := lake.Open(t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	var list []insideout.Event
	var others []string
	for i := range 90 {
		list = append(list, ordered(t, i, fmt.Sprint("customer ", i%3)))
		if i%3 != 1 {
			others = append(others, list[i].ID)
		}
	}
	require.NoError(t, l.Publish(t.Context(), list))
	large, err := json.Marshal(ordered(t, 100, "customer 1"))
	require.NoError(t, err)
	bucket, err := l.Keep(t.Context(), largeKey, large)
	require.NoError(t, err)
	claim := insideout.Event{ID: "event 100", Type: "order-placed", PartitionKey: "order 100", Timestamp: list[0].Timestamp}
	require.NoError(t, claim.SetBody("s3", map[string]string{"bucket": bucket, "key": largeKey}))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{claim}))

	shelf := newShelf("shelf", map[string]string{})
	c := newDesk(t).controller(t, gdpr.Options{}, shelf, gdpr.Lake("lake", l, &gdpr.LakeOptions{Subjects: aboutCustomer}))
	e, err := c.Export(t.Context(), "customer 1")
	require.NoError(t, err)
	require.Len(t, e.Records, 31)
	plan, err := c.Plan(t.Context(), "customer 1")
	require.NoError(t, err)
	require.Len(t, plan.Actions, 1)
	require.Equal(t, "31 events", plan.Actions[0].Seen)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	require.Equal(t, gdpr.Erased, receipt.Outcome)
	require.Equal(t, others, readLake(t, l))
	_, err = l.Redeem(t.Context(), bucket, largeKey)
	require.Error(t, err, "the large event is gone too")

	require.NoError(t, l.Publish(t.Context(), list[:4])) // a restore: the subject's id is not known any more
	again, err := c.Reapply(t.Context(), "OPS")
	require.NoError(t, err)
	require.Len(t, again, 1)
	require.Len(t, readLake(t, l), len(others)+3)
}
