package views

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// watched is a client that sees what each write of a kept lane makes of its row.
type watched struct{ table.Client }

type keptKey struct{}

func (w watched) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if see, ok := ctx.Value(keptKey{}).(func(*dynamodb.UpdateItemInput)); ok {
		see(in)
	}
	return w.Client.UpdateItem(ctx, in, opts...)
}

// writeOf is the write of a kept lane, from which the rebuild learns what it makes of the row.
func (r *rebuild) writeOf(k *kept) func(context.Context, *table.DB) (idempotence.Outcome, error) {
	see := func(in *dynamodb.UpdateItemInput) { r.see(k, in) }
	return func(ctx context.Context, db *table.DB) (idempotence.Outcome, error) {
		outcome, err := k.m.write(context.WithValue(ctx, keptKey{}, see), db)
		k.withheld = err == nil && outcome == idempotence.Withheld || err != nil && judgeWrite(err) == skip
		return outcome, err
	}
}

// foresee is for a lane that an earlier run wrote: the request that would be sent tells. It is false where there is no telling.
func (r *rebuild) foresee(ctx context.Context, k *kept) bool {
	requests, err := r.db.Params(func(db *table.DB) error {
		_, err := k.m.write(ctx, db)
		return err
	})
	if err != nil {
		return false
	}
	k.withheld = len(requests) == 0
	for _, request := range requests {
		if in, ok := request.(*dynamodb.UpdateItemInput); ok {
			r.see(k, in)
		}
	}
	return true
}

// see takes from a request what the row will be like.
func (r *rebuild) see(k *kept, in *dynamodb.UpdateItemInput) {
	k.shape = r.shapeOf(k.m.rule, in)
	k.content = k.shape.ofRequest(in)
	k.expires = time.Time{}
	if at := slices.Index(k.shape.names, attributeTTL); at >= 0 {
		k.expires = expiryOf(in.ExpressionAttributeValues[k.shape.values[at]])
	}
}

// shapeOf is the shape of a request, which the requests of a rule nearly always share.
func (r *rebuild) shapeOf(of *rule, in *dynamodb.UpdateItemInput) *laneShape {
	r.shapesMu.RLock()
	shape := r.shapes[of]
	r.shapesMu.RUnlock()
	if shape.fits(in) {
		return shape
	}
	shape = shapeOf(in)
	r.shapesMu.Lock()
	defer r.shapesMu.Unlock()
	r.shapes[of] = shape
	return shape
}

func expiryOf(ttl types.AttributeValue) time.Time {
	n, ok := ttl.(*types.AttributeValueMemberN)
	if !ok {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// verify compares the table with what a fold has kept. Rows that an earlier run wrote, of which the history has got more since, or which
// the table has lost, are written before all is compared again.
func (r *rebuild) verify(ctx context.Context, f *fold) error {
	verified, digests := r.done.Verified, r.digests
	for {
		if err := r.compare(ctx, f); err != nil || len(r.lost) == 0 {
			return err
		}
		lost := r.lost
		slices.SortFunc(lost, compareKept)
		r.lost, r.done.Verified, r.digests = nil, verified, digests
		r.done.Resumed -= int64(len(lost))
		r.done.Lanes -= int64(len(lost))
		if err := r.writeRange(ctx, f, lost); err != nil {
			return err
		}
	}
}

func (r *rebuild) compare(ctx context.Context, f *fold) error {
	r.meter.begin(verifying, r.done.Passes, 0)
	r.done.Verified.Lanes += int64(len(f.lanes))
	for _, k := range f.lanes {
		r.digests[0].add(k.content)
		k.found = false
	}
	c := &check{rebuild: r, fold: f}
	errs := make([]error, verifySegments)
	var segments sync.WaitGroup
	for n := range verifySegments {
		segments.Go(func() { errs[n] = c.scan(ctx, int32(n)) })
	}
	segments.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("views: the rebuilt table could not be read: %w", err)
	}
	for id, k := range f.lanes {
		if !k.found {
			r.verifyMissing(id, k)
		}
	}
	return nil
}

const verifySegments = 4 // of the table, read at a time

// check is one reading of the table.
type check struct {
	*rebuild
	fold *fold
	mu   sync.Mutex // guards the result, and whether a lane was found
}

// scan reads a segment of the table, page by page.
func (c *check) scan(ctx context.Context, segment int32) error {
	in := dynamodb.ScanInput{
		TableName: new(c.db.Name()), ConsistentRead: new(true), Segment: &segment, TotalSegments: new(int32(verifySegments)),
	}
	for {
		page, err := patient(ctx, func() (*dynamodb.ScanOutput, error) {
			in := in // the client may change it
			return c.db.Client().Scan(ctx, &in)
		})
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			c.row(item)
		}
		c.mu.Lock()
		c.meter.add(len(page.Items))
		c.mu.Unlock()
		if len(page.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// row looks at every lane of a row.
func (c *check) row(item table.Item) {
	pk, _ := item["pk"].(*types.AttributeValueMemberS)
	sk, _ := item["sk"].(*types.AttributeValueMemberS)
	if pk == nil || sk == nil {
		return
	}
	if h := hashOf(pk.Value); h < c.fold.from || h > c.fold.to {
		return
	}
	id := laneKey{key: table.RowKey{PK: pk.Value, SK: sk.Value}}
	c.foreign(id, item)
	for name, value := range item {
		if !isVersion(name) {
			continue
		}
		if text, ok := value.(*types.AttributeValueMemberS); ok {
			id.lane = laneOf(name)
			c.lane(id, idempotence.Version(text.Value), item)
		}
	}
}

// lane looks at a lane that a row has.
func (c *check) lane(id laneKey, stored idempotence.Version, item table.Item) {
	k := c.fold.lanes[id]
	if k == nil && !c.kinds[kindOfLane(id)] {
		return
	}
	var have [contentBytes]byte
	if k != nil && stored == k.version() && k.shape != nil {
		have = k.shape.ofRow(item)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case k == nil:
		c.verifyUnknown(id, stored)
	case !k.found:
		k.found = true
		c.verifyLane(id, k, stored, have)
	}
}

// foreign finds rows that another program has written since, which leaves a time and no version: see table's Adopt.
func (c *check) foreign(id laneKey, item table.Item) {
	k := c.fold.lanes[id]
	if k == nil {
		return
	}
	if stored, ok := item[id.lane.VersionAttribute()].(*types.AttributeValueMemberS); ok && idempotence.Version(stored.Value) >= k.version() {
		return
	}
	meta, err := table.ReadMeta(item)
	at := k.version().Time()
	if err != nil || meta.Timestamp.Before(at) || meta.Timestamp.Equal(at) && meta.Version != "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.found = true
	c.done.Verified.Newer++
	c.digests[0].subtract(k.content)
}

func (r *rebuild) verifyLane(id laneKey, k *kept, stored idempotence.Version, have [contentBytes]byte) {
	v := &r.done.Verified
	switch {
	case stored > k.version():
		v.Newer++
		r.digests[0].subtract(k.content)
	case stored < k.version() || k.shape == nil:
		r.verifyMissing(id, k)
	default:
		r.digests[1].add(have)
		if have != k.content {
			v.Wrong++
			note(&v.First, fmt.Sprintf("%s has other attributes than the event %q makes", place(id), k.eventID()))
		}
	}
}

// verifyMissing is for a lane that is not there, which is as it should be if its time is over.
func (r *rebuild) verifyMissing(id laneKey, k *kept) {
	v := &r.done.Verified
	if k.withheld {
		v.Withheld++
		return
	}
	if !k.expires.IsZero() && k.expires.Before(time.Now()) {
		v.Expired++
		r.digests[0].subtract(k.content)
		return
	}
	if !k.anew && r.state.wrote(k.hash) {
		k.anew = true
		r.lost = append(r.lost, k)
		return
	}
	v.Missing++
	note(&v.First, fmt.Sprintf("%s does not have what the event %q makes", place(id), k.eventID()))
}

// verifyUnknown is for a lane of which the history has no event. The live listener may have had one since.
func (r *rebuild) verifyUnknown(id laneKey, stored idempotence.Version) {
	v := &r.done.Verified
	if stored.Time().After(r.began.Add(-r.Listener.opts.MaxSkew)) {
		v.Newer++
		return
	}
	v.Unexplained++
	note(&v.First, fmt.Sprintf("%s was made by the event %q, which the history does not have", place(id), stored.EventID()))
}

func place(id laneKey) string {
	text := fmt.Sprintf("the row %q, %q", id.key.PK, id.key.SK)
	if id.lane != "" {
		text += fmt.Sprintf(", lane %q,", string(id.lane))
	}
	return text
}

func laneOf(attribute string) idempotence.Lane {
	owner := idempotence.Lane("").VersionAttribute()
	return idempotence.Lane(strings.TrimPrefix(strings.TrimPrefix(attribute, owner), "_"))
}

// sortKind is what the sort keys of a model's rows have in common.
func sortKind(sk string) string {
	kind, _, edge := strings.Cut(sk, "|")
	if edge {
		kind += "|"
	}
	return kind
}
