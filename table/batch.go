package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout/internal/backoff"
)

// item is the whole row, for BatchWriteItem, which knows no updates.
func (r *row) item() Item {
	item := r.keyItem(r.present())
	for i, av := range r.values {
		if av != nil {
			item[r.names[i]] = av
		}
	}
	return item
}

// lastOf keeps the last operation of each row, in the order of the last ones.
func lastOf(ops []Op) []Op {
	last := make(map[RowKey]int, len(ops))
	for i, o := range ops {
		last[o.key] = i
	}
	kept := make([]Op, 0, len(last))
	for _, i := range slices.Sorted(maps.Values(last)) {
		kept = append(kept, ops[i])
	}
	return kept
}

// DynamoDB's limits of one BatchWriteItem.
const (
	maxBatchWrite = 25
	maxBatchBytes = 16 << 20
)

// errStillUnprocessed: DynamoDB gave items back, and the context ended before it took them.
var errStillUnprocessed = errors.New("table: the context ended while items were unprocessed")

type pendingOp struct {
	op      Op
	request types.WriteRequest
	size    int
}

// batchWorkers is how many chunks of one Batch are under way at a time.
const batchWorkers = 4

// Batch writes rows in chunks of 25 and 16 MB, four chunks at a time and each row by itself: not a transaction, and without
// conditions, so that it replaces whole rows and neither keeps attributes of others nor makes a timestamp grow beyond a later
// one. It takes Put without options, for models without unique fields. Of several operations on one row the last wins.
//
// What DynamoDB leaves unprocessed is sent again with a growing, jittered pause until the context ends; then, or when a
// request fails, the error is an *UnprocessedError with the operations that are left.
func (db *DB) Batch(ctx context.Context, ops ...Op) error {
	if err := db.opened(); err != nil {
		return err
	}
	ops = lastOf(ops)
	rows := make([]*row, len(ops))
	for i, o := range ops {
		var err error
		if rows[i], err = o.plainRow(ctx, db); err != nil {
			return err
		}
	}
	if err := db.seeAll(ctx, rows); err != nil {
		return err
	}
	queue := make([]pendingOp, len(ops))
	for i, r := range rows {
		item := r.item()
		r.release()
		queue[i] = pendingOp{ops[i], types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}, sizeOf(item)}
	}
	chunks := chunksOf(queue)
	var failed atomic.Bool
	var group errgroup.Group
	group.SetLimit(batchWorkers)
	for i := range chunks {
		group.Go(func() (err error) {
			if failed.Load() {
				return nil // not begun, and so left
			}
			if chunks[i], err = db.writeChunk(ctx, chunks[i]); err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return &UnprocessedError{Ops: opsOf(slices.Concat(chunks...)), Err: err}
	}
	return nil
}

// writeChunk sends a chunk until nothing of it is left, and returns what is left with the error.
func (db *DB) writeChunk(ctx context.Context, queue []pendingOp) ([]pendingOp, error) {
	for pause := newPause(); ; {
		left, err := db.batchWrite(ctx, queue)
		if err != nil {
			return queue, err
		}
		if len(left) == 0 {
			return nil, nil
		}
		if len(left) < len(queue) {
			pause.Reset()
		}
		queue = left
		db.log.DebugContext(ctx, "table: unprocessed items are sent again", "items", len(left))
		if err := pause.Wait(ctx); err != nil {
			return left, fmt.Errorf("%w: %w", errStillUnprocessed, err)
		}
	}
}

// chunksOf cuts the queue into requests.
func chunksOf(queue []pendingOp) (chunks [][]pendingOp) {
	for len(queue) > 0 {
		n := chunk(queue)
		chunks, queue = append(chunks, queue[:n:n]), queue[n:]
	}
	return chunks
}

// chunk is the number of operations that fit into one request: at least one.
func chunk(queue []pendingOp) int {
	n, size := 0, 0
	for n < min(len(queue), maxBatchWrite) && (n == 0 || size+queue[n].size <= maxBatchBytes) {
		size += queue[n].size
		n++
	}
	return n
}

func opsOf(queue []pendingOp) []Op {
	ops := make([]Op, len(queue))
	for i, p := range queue {
		ops[i] = p.op
	}
	return ops
}

// batchWrite sends one request, and returns what came back unprocessed.
func (db *DB) batchWrite(ctx context.Context, batch []pendingOp) ([]pendingOp, error) {
	requests := make([]types.WriteRequest, len(batch))
	byKey := make(map[RowKey]pendingOp, len(batch))
	for i, p := range batch {
		requests[i] = p.request
		byKey[p.op.key] = p
	}
	out, err := db.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{db.name: requests},
	})
	if err != nil {
		return nil, err
	}
	var left []pendingOp
	for _, request := range out.UnprocessedItems[db.name] {
		if request.PutRequest == nil {
			continue
		}
		if p, ok := byKey[keyOfItem(request.PutRequest.Item)]; ok {
			left = append(left, p)
		}
	}
	return left, nil
}

// newPause is what every operation that is tried again waits by.
func newPause() backoff.Backoff {
	return backoff.Backoff{First: 50 * time.Millisecond, Most: 5 * time.Second}
}

// sizeOf is close to DynamoDB's size of an item, and never much less.
func sizeOf(item Item) int {
	n := 0
	for name, av := range item {
		n += len(name) + valueSize(av)
	}
	return n
}

func valueSize(av types.AttributeValue) int {
	switch av := av.(type) {
	case *types.AttributeValueMemberS:
		return len(av.Value)
	case *types.AttributeValueMemberN:
		return len(av.Value)
	case *types.AttributeValueMemberB:
		return len(av.Value)
	case *types.AttributeValueMemberSS:
		return textsSize(av.Value)
	case *types.AttributeValueMemberNS:
		return textsSize(av.Value)
	case *types.AttributeValueMemberBS:
		return textsSize(av.Value)
	case *types.AttributeValueMemberM:
		return 3 + len(av.Value) + sizeOf(av.Value)
	case *types.AttributeValueMemberL:
		n := 3 + len(av.Value)
		for _, v := range av.Value {
			n += valueSize(v)
		}
		return n
	}
	return 1
}

func textsSize[E string | []byte](set []E) int {
	n := 0
	for _, s := range set {
		n += len(s)
	}
	return n
}
