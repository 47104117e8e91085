package views_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// streamRecord is a record as Lambda delivers it, with images in DynamoDB's JSON.
func streamRecord(t testing.TB, sequence, name, before, after string, more ...string) events.DynamoDBEventRecord {
	t.Helper()
	change := fmt.Sprintf(`{"ApproximateCreationDateTime":1700000009,"Keys":{"pk":{"S":"ann"},"sk":{"S":"customer"}},"SequenceNumber":%q`, sequence)
	if before != "" {
		change += `,"OldImage":` + before
	}
	if after != "" {
		change += `,"NewImage":` + after
	}
	text := fmt.Sprintf(`{"eventID":"r%s","eventName":%q,"awsRegion":"us-east-1","dynamodb":%s}`, sequence, name, change+"}")
	for _, m := range more {
		text = text[:len(text)-1] + "," + m + "}"
	}
	var r events.DynamoDBEventRecord
	require.NoError(t, json.Unmarshal([]byte(text), &r))
	return r
}

// row is an image; more are attributes that it has besides.
func row(more string) string {
	return `{"pk":{"S":"ann"},"sk":{"S":"customer"},"discriminator":{"S":"Customer"},"timestamp":{"N":"1700000009500"},"name":{"S":"Ann"}` + more + `}`
}

const tombstone = `,"deleted":{"BOOL":true},"ttl":{"N":"1700000008"}`

// TestRecordsAsEvents: what a listener makes of each kind of record.
func TestRecordsAsEvents(t *testing.T) {
	t.Parallel()
	expiry := `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`
	for _, c := range []struct {
		name, op, before, after string
		more                    []string
		want                    string // the type of the event, and its time after the second of the record
	}{
		{"insert", "INSERT", "", row(""), nil, "customer-created 500"},
		{"update", "MODIFY", row(""), row(`,"n":{"N":"1"}`), nil, "customer-updated 500"},
		{"soft delete", "MODIFY", row(""), row(tombstone), nil, "customer-deleted 500"},
		{"soft delete of what was not there", "INSERT", "", row(tombstone), nil, "customer-deleted 500"},
		{"touched tombstone", "MODIFY", row(tombstone), row(tombstone + `,"n":{"N":"1"}`), nil, ""},
		{"tombstone that expires", "REMOVE", row(tombstone), "", []string{expiry}, ""},
		{"restore", "MODIFY", row(tombstone), row(""), nil, "customer-undeleted 500"},
		{"removal", "REMOVE", row(""), "", nil, "customer-deleted 501"},
		{"expiry", "REMOVE", row(""), "", []string{expiry}, "customer-expired 501"},
		{"expiry in another region", "REMOVE", row(`,"ttl":{"N":"1700000008"}`), "", nil, "customer-expired 501"},
		{"removal before its time", "REMOVE", row(`,"ttl":{"N":"1800000000"}`), "", nil, "customer-deleted 501"},
		{"latched", "INSERT", "", row(`,"latched":{"BOOL":true}`), nil, ""},
		{"no longer latched", "MODIFY", row(`,"latched":{"BOOL":true}`), row(`,"latched":{"NULL":true}`), nil, "customer-updated 500"},
		{"this region", "INSERT", "", row(`,"awsregion":{"S":"us-east-1"}`), nil, "customer-created 500"},
		{"another region", "INSERT", "", row(`,"awsregion":{"S":"eu-west-1"}`), nil, ""},
		{"no discriminator", "INSERT", "", `{"pk":{"S":"ann"},"sk":{"S":"customer"},"name":{"S":"Ann"}}`, nil, "customer-created 0"},
		{"an edge without discriminator", "INSERT", "", `{"pk":{"S":"ann"},"sk":{"S":"orders|7"},"name":{"S":"Ann"}}`, nil, "orders-created 0"},
		{"keys only", "INSERT", "", "", nil, "fault: NEW_AND_OLD_IMAGES"},
		{"a wrong type", "INSERT", "", row(`,"awsregion":{"L":[]}`), nil, "fault: awsregion"},
		{"a number that is none", "INSERT", "", row(`,"n":{"N":"ten"}`), nil, "fault: raw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got string
			var faults faultSink
			types := views.On("customer-created", "customer-updated", "customer-deleted", "customer-undeleted", "customer-expired", "orders-created")
			l, err := views.New(newTable(t, nil), &views.Options{Faults: &faults}, views.Upsert(customers, types, func(e insideout.Event) (customer, error) {
				got = fmt.Sprint(e.Type, " ", e.Timestamp.UnixMilli()-1_700_000_009_000)
				require.Equal(t, "r1", e.ID)
				require.Equal(t, "ann", e.PartitionKey)
				require.Equal(t, "us-east-1", e.Tags[insideout.TagRegion])
				return customer{ID: "ann"}, nil
			}))
			require.NoError(t, err)
			response, err := l.HandleDynamoDB(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{streamRecord(t, "1", c.op, c.before, c.after, c.more...)}})
			require.NoError(t, err)
			require.Empty(t, response.BatchItemFailures)
			if want, ok := strings.CutPrefix(c.want, "fault: "); ok {
				require.Len(t, faults.events, 1)
				f := faultOf(t, faults.events[0])
				require.Contains(t, f.Err.Message, want)
				require.Contains(t, string(f.UOW.Record), `"eventID":"r1"`)
				return
			}
			require.Empty(t, faults.events)
			require.Equal(t, c.want, got)
			require.Equal(t, c.want == "", l.Stats().Skipped == 1)
		})
	}
}

// TestImagesAsJSON: a mapper reads the row before and after by the names of its attributes.
func TestImagesAsJSON(t *testing.T) {
	t.Parallel()
	type image struct {
		Name    string             `json:"name"`
		Amount  json.Number        `json:"amount"`
		Ratio   float64            `json:"ratio"`
		Paid    bool               `json:"paid"`
		Photo   []byte             `json:"photo"`
		Tags    []string           `json:"tags"`
		Sizes   []int              `json:"sizes"`
		Hashes  [][]byte           `json:"hashes"`
		Lines   []map[string]any   `json:"lines"`
		Nothing *string            `json:"nothing"`
		Deep    map[string][]int64 `json:"deep"`
	}
	var got struct{ New, Old *image }
	l, err := views.New(newTable(t, nil), views.Upsert(customers, views.On("customer-updated"), func(e struct {
		Raw struct {
			New *image `json:"new"`
			Old *image `json:"old"`
		} `json:"raw"`
	},
	) (customer, error) {
		got.New, got.Old = e.Raw.New, e.Raw.Old
		return customer{ID: "ann", Name: e.Raw.New.Name}, nil
	}))
	require.NoError(t, err)
	after := row(`,"amount":{"N":"12345678901234567890.12"},"ratio":{"N":"0.5"},"paid":{"BOOL":true},"photo":{"B":"AQI="},"tags":{"SS":["a","b"]},` +
		`"sizes":{"NS":["1","2"]},"hashes":{"BS":["AQ=="]},"lines":{"L":[{"M":{"no":{"N":"1"}}}]},"nothing":{"NULL":true},"deep":{"M":{"x":{"L":[{"N":"7"}]}}}`)
	r := streamRecord(t, "1", "MODIFY", row(""), after)
	response, err := l.HandleDynamoDB(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{r}})
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	require.Equal(t, &image{Name: "Ann"}, got.Old)
	require.Equal(t, &image{
		Name: "Ann", Amount: "12345678901234567890.12", Ratio: .5, Paid: true, Photo: []byte{1, 2}, Tags: []string{"a", "b"},
		Sizes: []int{1, 2}, Hashes: [][]byte{{1}}, Lines: []map[string]any{{"no": 1.0}}, Deep: map[string][]int64{"x": {7}},
	}, got.New)
}

// TestCollectedRows: the row of a collected event is that event, when it is inserted.
func TestCollectedRows(t *testing.T) {
	t.Parallel()
	held := func(event string) string {
		return `{"pk":{"S":"e1"},"sk":{"S":"EVENT"},"discriminator":{"S":"EVENT"},"timestamp":{"N":"1700000000000"},"event":` + event + `}`
	}
	good := held(`{"M":{"id":{"S":"e1"},"type":{"S":"customer-registered"},"timestamp":{"N":"1700000000000"},"partitionKey":{"S":"ann"},` +
		`"customer":{"M":{"id":{"S":"ann"},"name":{"S":"Ann"}}}}}`)
	var faults faultSink
	db := newTable(t, nil)
	l := newListener(t, db, &views.Options{Faults: &faults})
	_, err := l.HandleDynamoDB(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{
		streamRecord(t, "1", "INSERT", "", good),
		streamRecord(t, "2", "MODIFY", good, good),
		streamRecord(t, "3", "REMOVE", good, ""),
		streamRecord(t, "4", "INSERT", "", held(`{"S":"e1"}`)),
	}})
	require.NoError(t, err)
	require.Equal(t, views.Stats{In: 4, Applied: 1, Writes: 1, Skipped: 2, Faults: 1}, l.Stats())
	require.Contains(t, faultOf(t, faults.events[0]).Err.Message, `"event"`)
	ann, err := customers.Get(t.Context(), db, "ann")
	require.NoError(t, err)
	require.Equal(t, "Ann", ann.Name)
}

// TestHandleDynamoDB: the response names the first record that must come again, by its place and not by its number: sequence
// numbers have 21 to 40 digits, and do not sort as texts.
func TestHandleDynamoDB(t *testing.T) {
	t.Parallel()
	l, err := views.New(newTable(t, nil), views.Upsert(customers, views.On("customer-created"), func(e insideout.Event) (customer, error) {
		if e.ID == "r10" || e.ID == "r9" {
			return customer{}, views.Retry(nil)
		}
		return customer{ID: e.ID}, nil
	}))
	require.NoError(t, err)
	var batch events.DynamoDBEvent
	for _, sequence := range []string{"8", "10", "9", "11"} {
		batch.Records = append(batch.Records, streamRecord(t, sequence, "INSERT", "", row("")))
	}
	response, err := l.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, []events.DynamoDBBatchItemFailure{{ItemIdentifier: "10"}}, response.BatchItemFailures)
	require.EqualValues(t, 2, l.Stats().Applied) // those behind the failure as well: they need not wait
	batch.Records = batch.Records[:1]
	response, err = l.HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
}

// FuzzHandleDynamoDB: whatever a record is, it is applied, skipped or a fault that is a valid event.
func FuzzHandleDynamoDB(f *testing.F) {
	f.Add("INSERT", "", row(""))
	f.Add("MODIFY", row(""), row(tombstone))
	f.Add("REMOVE", row(`,"ttl":{"N":"1"}`), "")
	f.Add("INSERT", "", `{"sk":{"S":"EVENT"},"event":{"M":{"type":{"S":"customer-created"}}}}`)
	f.Add("INSERT", "", `{"sk":{"N":"1"},"timestamp":{"N":"1e400"},"discriminator":{"S":"customer"}}`)
	db := newTable(f, nil)
	f.Fuzz(func(t *testing.T, op, before, after string) {
		var r events.DynamoDBEventRecord
		r.EventID, r.EventName = "r", op
		_ = json.Unmarshal([]byte(before), &r.Change.OldImage)
		_ = json.Unmarshal([]byte(after), &r.Change.NewImage)
		var faults faultSink
		l, err := views.New(db, &views.Options{Faults: &faults}, views.Upsert(customers, views.On("customer-created", "customer-deleted"), func(e customerEvent) (customer, error) {
			return customer{ID: "ann"}, nil
		}))
		require.NoError(t, err)
		response, err := l.HandleDynamoDB(t.Context(), events.DynamoDBEvent{Records: []events.DynamoDBEventRecord{r}})
		require.NoError(t, err)
		require.Empty(t, response.BatchItemFailures)
		s := l.Stats()
		require.EqualValues(t, 1, s.Applied+s.Stale+s.Duplicate+s.Skipped+s.Faults)
		for _, e := range faults.events {
			require.NoError(t, e.Validate())
		}
	})
}
