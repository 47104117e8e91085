package views_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// packed is a JSON text as the JavaScript library compresses it.
func packed(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return "COMPRESSED" + base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestCompressedMembers(t *testing.T) {
	t.Parallel()
	damaged := packed(t, `"Ann"`)
	damaged = damaged[:len(damaged)-8] + "AAAAAAA="
	for name, c := range map[string]struct {
		customer any
		want     string
	}{
		"the entity":        {packed(t, `{"id":"ann","name":"Ann"}`), "Ann"},
		"within the entity": {map[string]any{"id": "ann", "name": packed(t, `"Ann"`)}, "Ann"},
		"not base64":        {map[string]any{"id": "ann", "name": "COMPRESSED AIR"}, "COMPRESSED AIR"},
		"not gzip":          {map[string]any{"id": "ann", "name": "COMPRESSEDAIR5"}, "COMPRESSEDAIR5"},
		"not JSON":          {map[string]any{"id": "ann", "name": packed(t, "Ann")}, packed(t, "Ann")},
		"damaged":           {map[string]any{"id": "ann", "name": damaged}, damaged},
		"only the mark":     {map[string]any{"id": "ann", "name": "COMPRESSED"}, "COMPRESSED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newTable(t, nil)
			l := newListener(t, db)
			e := event("e1", "customer-registered", 1, "customer", c.customer)
			before := e.Clone()
			require.NoError(t, l.Handle(t.Context(), []insideout.Event{e}))
			require.Equal(t, before, e, "the caller's event is not changed")
			ann, err := customers.Get(t.Context(), db, "ann")
			require.NoError(t, err)
			require.Equal(t, c.want, ann.Name)
		})
	}
}

// TestBomb: a small event does not fill the memory.
func TestBomb(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l := newListener(t, newTable(t, nil), &views.Options{Faults: &faults})
	bomb := packed(t, `"`+strings.Repeat("x", 33<<20)+`"`)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{event("e1", "customer-registered", 1, "customer", map[string]any{"id": "ann", "name": bomb})}))
	require.Len(t, faults.events, 1)
	require.Contains(t, faultOf(t, faults.events[0]).Err.Message, `the member "customer": what is compressed has more than 32 MiB`)
}

// bucket is a store of claim checks that ends as the key says.
type bucket map[string]string

func (b bucket) Redeem(_ context.Context, name, key string) ([]byte, error) {
	switch key {
	case "gone":
		return nil, fmt.Errorf("%s/%s: %w", name, key, fs.ErrNotExist)
	case "no such key":
		return nil, &smithy.GenericAPIError{Code: "NoSuchKey", Fault: smithy.FaultClient}
	case "slow":
		return nil, &types.ProvisionedThroughputExceededException{}
	case "denied":
		return nil, errors.New("access denied")
	case "panic":
		panic("out of cheese")
	}
	return []byte(b[key]), nil
}

func claimed(n int, customer, key string) insideout.Event {
	e := registered(n, customer, "")
	delete(e.Body, "customer")
	e.Body["s3"] = json.RawMessage(fmt.Sprintf(`{"bucket":"lake","key":%q}`, key))
	return e
}

func TestClaimChecks(t *testing.T) {
	t.Parallel()
	store := bucket{
		"ann": body(t, registered(1, "ann", "Ann")), "packed": `{"id":"e1","customer":"` + packed(t, `{"id":"ann","name":"Ann"}`) + `"}`,
		"other": body(t, registered(7, "ann", "Ann")), "text": "once upon a time",
	}
	for key, c := range map[string]struct{ fault, failure string }{
		"ann":         {},
		"packed":      {},
		"gone":        {`views: the body of the event was in the object "gone" of the bucket "lake": the object is gone`, ""},
		"no such key": {"the object is gone; objects of claim checks are kept for a limited time", ""},
		"other":       {`the object "other" of the bucket "lake" holds another event, "e7"`, ""},
		"text":        {`the object "text" of the bucket "lake" holds no event`, ""},
		"panic":       {"out of cheese", ""},
		"slow":        {"", "fetching the event's body"},
		"denied":      {"", "access denied"},
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			db := newTable(t, nil)
			l := newListener(t, db, &views.Options{Faults: &faults, ClaimChecks: store})
			e := claimed(1, "ann", key)
			err := l.Handle(t.Context(), []insideout.Event{e, registered(2, "bob", "Bob")})
			_, missing := customers.Get(t.Context(), db, "bob")
			require.NoError(t, missing, "the rest of the batch goes on")
			switch {
			case c.failure != "":
				require.ErrorContains(t, err, c.failure)
				require.Empty(t, faults.events)
			case c.fault != "":
				require.NoError(t, err)
				f := faultOf(t, faults.events[0])
				require.Contains(t, f.Err.Message, c.fault)
				require.Equal(t, e, *f.UOW.Event)
			default:
				require.NoError(t, err)
				ann, err := customers.Get(t.Context(), db, "ann")
				require.NoError(t, err)
				require.Equal(t, "Ann", ann.Name)
			}
		})
	}
}

// failingStore is a store of claim checks that fails.
type failingStore struct{ err error }

func (s failingStore) Redeem(context.Context, string, string) ([]byte, error) {
	return nil, fmt.Errorf("lake: %w", s.err)
}

// TestStoreIsDown: what passes is tried again for ever; of what may not, a fault is made after some attempts.
func TestStoreIsDown(t *testing.T) {
	t.Parallel()
	unavailable := &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 503}}, Err: errors.New("no answer of a service")}
	for name, c := range map[string]struct {
		err    error
		passes bool
	}{
		"throttled": {&smithy.GenericAPIError{Code: "SlowDown"}, true}, "unavailable": {unavailable, true},
		"late": {context.DeadlineExceeded, true}, "cut off": {&net.OpError{Op: "read", Err: io.EOF}, true},
		"denied": {&smithy.GenericAPIError{Code: "AccessDenied"}, false}, "no bucket": {&smithy.GenericAPIError{Code: "NoSuchBucket"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults faultSink
			l := newListener(t, newTable(t, nil), &views.Options{Faults: &faults, ClaimChecks: failingStore{c.err}, MaxAttempts: 3})
			for attempt := range 5 {
				err := l.Handle(t.Context(), []insideout.Event{claimed(1, "ann", "ann")})
				require.Equal(t, c.passes || attempt != 2, err != nil, "attempt %d", attempt)
			}
			require.Equal(t, c.passes, len(faults.events) == 0)
		})
	}
}

// TestClaimCheckUnredeemed: nothing is fetched for events of no rule, and without a store the event is a fault that says so.
func TestClaimCheckUnredeemed(t *testing.T) {
	t.Parallel()
	var faults faultSink
	l := newListener(t, newTable(t, nil), &views.Options{Faults: &faults})
	other := claimed(1, "ann", "ann")
	other.Type = "thing-submitted"
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{other, claimed(2, "ann", "ann")}))
	require.Equal(t, views.Stats{In: 2, Skipped: 1, Faults: 1}, l.Stats())
	require.Contains(t, faultOf(t, faults.events[0]).Err.Message, "has no ClaimChecks to fetch it")
}

// TestEntityCalledS3 is one that has no bucket, and so is no claim check.
func TestEntityCalledS3(t *testing.T) {
	t.Parallel()
	db := newTable(t, nil)
	l, err := views.New(db, views.Upsert(customers, views.On("s3-made"), func(e struct {
		S3 struct{ Name string }
	},
	) (customer, error) {
		return customer{ID: e.S3.Name}, nil
	}))
	require.NoError(t, err)
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{event("e1", "s3-made", 1, "s3", map[string]string{"name": "ann"})}))
	_, err = customers.Get(t.Context(), db, "ann")
	require.NoError(t, err)
}

// TestFaultOfClaimedEvent: the fault of a mapper has the claim check as it came, and not the large body.
func TestFaultOfClaimedEvent(t *testing.T) {
	t.Parallel()
	var faults faultSink
	store := bucket{"ann": body(t, registered(1, "ann", "error"))}
	l := judging(t, newTable(t, nil), &views.Options{Faults: &faults, ClaimChecks: store})
	e := claimed(1, "ann", "ann")
	require.NoError(t, l.Handle(t.Context(), []insideout.Event{e}))
	f := faultOf(t, faults.events[0])
	require.Equal(t, "no such street", f.Err.Message)
	require.Equal(t, e, *f.UOW.Event)
}

var _ views.ClaimChecks = bucket{}

// FuzzInflate: whatever stands behind the mark, the event is applied or a fault.
func FuzzInflate(f *testing.F) {
	f.Add("COMPRESSED")
	f.Add(packed(f, `"Ann"`))
	f.Add(packed(f, `{"id":1}`))
	db := newTable(f, nil)
	f.Fuzz(func(t *testing.T, text string) {
		var faults faultSink
		l, err := views.New(db, &views.Options{Faults: &faults}, rules()[0])
		require.NoError(t, err)
		raw, err := json.Marshal(text)
		require.NoError(t, err)
		e := registered(1, "ann", "")
		e.Body["customer"] = json.RawMessage(`{"id":"ann","name":` + string(raw) + `}`)
		require.NoError(t, l.Handle(t.Context(), []insideout.Event{e}))
		_, err = customers.Get(t.Context(), db, "ann")
		require.True(t, err == nil || errors.Is(err, table.ErrNotFound))
	})
}
