package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
)

// TestFaultsInS3: the faults of listeners are found in a bucket, are shown, and sent again: those that lie in several objects, and one
// of which the body is in an object of its own.
func TestFaultsInS3(t *testing.T) {
	t.Parallel()
	endpoint := aws(t)
	where, l := inBucket(t, endpoint)
	for i := range 3 { // an object each
		failing(t, l, fmt.Sprintf(`{"id":"e%d","type":"thing-submitted","timestamp":170000000000%d,"thing":{"id":"t%d"}}`, i, i, i))
	}
	key := "local/claimchecks/f1"
	kept, err := l.Keep(t.Context(), key, []byte(javascript[0]))
	require.NoError(t, err)
	var large insideout.Event
	require.NoError(t, large.UnmarshalJSON([]byte(javascript[0])))
	delete(large.Body, "uow")
	require.NoError(t, large.SetBody("s3", map[string]string{"bucket": kept, "key": key}))
	require.NoError(t, l.Publish(t.Context(), []insideout.Event{large}))

	code, out, errs := cli(t, "list", "-lake", where, "-endpoint", endpoint, "-pipeline", "upsert-thing", "-type", "thing-submitted")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "the mapper is broken")
	require.Contains(t, errs, "3 faults")
	code, out, errs = cli(t, "resubmit", "-lake", where, "-endpoint", endpoint, "-to", "stdout", "-pipeline", "upsert-thing,m1", "-journal", filepath.Join(t.TempDir(), "journal"))
	require.Equal(t, exitOK, code, errs)
	require.ElementsMatch(t, []string{"e0", "e1", "e2", "e1"}, ids(t, out), "the last one is of the large fault")
	require.Contains(t, out, `"thing":{"id":"t2"}`)

	code, _, errs = cli(t, "list", "-lake", strings.Replace(where, "lake-", "none-", 1), "-endpoint", endpoint)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "NoSuchBucket")
}

// failing has a listener whose mapper fails take a message, and its fault go to faults.
func failing(t *testing.T, faults views.Faults, body string) {
	t.Helper()
	type thing struct {
		ID string `dynamo:"id"`
	}
	things := table.DefineNode("thing", func(x *thing, d *table.Def[thing]) { d.ID(&x.ID) })
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	db, err := table.Open(engine, "things", nil)
	require.NoError(t, err)
	listener, err := views.New(db, &views.Options{Name: "things-listener", Faults: faults},
		views.Upsert(things, views.On("thing-submitted"), func(insideout.Event) (thing, error) {
			return thing{}, errors.New("the mapper is broken")
		}))
	require.NoError(t, err)
	response, err := listener.HandleSQS(t.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: body, EventSource: "aws:sqs"}}})
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
}
