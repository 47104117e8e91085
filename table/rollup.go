package table

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout/idempotence"
)

// What follows is for totals over the edges of a node, which are kept in a named lane of it: the version of the lane,
// the edges as they are stored, and a write that goes through only if the version is still the one that was read.
// Package views keeps totals with it.

// LaneVersion reads the version of one lane of a node's row, consistently: "" if the lane was never written. pk is the
// node's partition key, as RowKey has it.
func (n *Node[T]) LaneVersion(ctx context.Context, db *DB, pk string, lane idempotence.Lane) (idempotence.Version, error) {
	return n.m.laneVersion(ctx, db, pk, lane)
}

func (m *model) laneVersion(ctx context.Context, db *DB, pk string, lane idempotence.Lane) (idempotence.Version, error) {
	key := RowKey{PK: pk, SK: m.name}
	if err := db.opened(); err != nil {
		return "", m.fail("get lane", key, err)
	}
	attr, projection, consistent := lane.VersionAttribute(), "#v", true
	out, err := db.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:                &db.name,
		Key:                      key.Item(),
		ConsistentRead:           &consistent,
		ProjectionExpression:     &projection,
		ExpressionAttributeNames: map[string]string{"#v": attr},
	})
	if err != nil {
		return "", m.fail("get lane", key, err)
	}
	switch stored := out.Item[attr].(type) {
	case nil:
		return "", nil
	case *types.AttributeValueMemberS:
		return idempotence.Version(stored.Value), nil
	default:
		return "", m.fail("get lane", key, invalid("attribute %q holds no version", attr))
	}
}

// SwapLane writes a named lane of a node on the condition that its version is still the stored one ("" for a lane that
// was never written), and tells whether it was. next must be greater than stored. fill gets a node that has only its id
// and sets the fields of the lane. One request, no read.
func (n *Node[T]) SwapLane(
	ctx context.Context, db *DB, pk string, lane idempotence.Lane, stored, next idempotence.Version, fill func(*T),
) (swapped bool, err error) {
	v := new(T)
	var call func()
	if fill != nil {
		call = func() { fill(v) }
	}
	return n.m.swapLane(ctx, db, pk, lane, stored, next, reflect.ValueOf(v).Elem(), call)
}

// swapLane has fill set the fields of rv.
func (m *model) swapLane(
	ctx context.Context, db *DB, pk string, lane idempotence.Lane, stored, next idempotence.Version, rv reflect.Value, fill func(),
) (swapped bool, err error) {
	key := RowKey{PK: pk, SK: m.name}
	if fill == nil {
		return false, m.fail("swap lane", key, invalid("there is no function that fills the lane"))
	}
	if err := m.decodeKey(key, rv); err != nil {
		return false, m.fail("swap lane", key, invalid("%w", err))
	}
	fill()
	in, err := swapInput(ctx, db, m, key, rv, lane, stored, next)
	if err != nil {
		return false, m.fail("swap lane", key, err)
	}
	_, err = db.client.UpdateItem(ctx, in)
	if failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		// The client may have sent the request twice, since the first answer was lost: then it was this very write that
		// won.
		return textOf(failed.Item[lane.VersionAttribute()]) == string(next), nil
	}
	return err == nil, m.fail("swap lane", key, err)
}

func swapInput(
	ctx context.Context, db *DB, m *model, key RowKey, rv reflect.Value, lane idempotence.Lane, stored, next idempotence.Version,
) (*dynamodb.UpdateItemInput, error) {
	if m.keys != nil {
		return nil, invalid("the keys of %q are made by a function, and not from a partition key", m.name)
	}
	if lane == "" || next <= stored {
		return nil, invalid("it takes a named lane and a version greater than the stored one")
	}
	r, err := db.listenerRow(m, key, next, []WriteOption{InLane(string(lane))})
	if err != nil {
		return nil, err
	}
	if err := r.fill(rv); err != nil {
		return nil, err
	}
	if err := db.seal(ctx, r); err != nil {
		return nil, err
	}
	in, err := r.input(&db.name)
	if err != nil {
		return nil, err
	}
	version := "#" + strconv.Itoa(r.versionSlot())
	condition := "attribute_not_exists(" + version + ")"
	if stored != "" {
		condition = version + " = :stored"
		in.ExpressionAttributeValues[":stored"] = &types.AttributeValueMemberS{Value: string(stored)}
	}
	in.ConditionExpression = &condition
	return in, nil
}

// Collection reads every edge of a partition as it is stored, tombstones included, in the order of their keys:
// consistently, all pages.
func (e *Edge[T]) Collection(ctx context.Context, db *DB, pk string) iter.Seq2[Item, error] {
	return e.m.collection(ctx, db, pk)
}

//go:noinline
func (m *model) collection(ctx context.Context, db *DB, pk string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := db.opened(); err != nil {
			yield(nil, m.fail("collection", RowKey{PK: pk}, err))
			return
		}
		condition, consistent := "#pk = :pk AND begins_with(#sk, :role)", true
		in := &dynamodb.QueryInput{
			TableName:                &db.name,
			ConsistentRead:           &consistent,
			KeyConditionExpression:   &condition,
			ExpressionAttributeNames: map[string]string{"#pk": attrPK, "#sk": attrSK},
			ExpressionAttributeValues: Item{
				":pk":   &types.AttributeValueMemberS{Value: pk},
				":role": &types.AttributeValueMemberS{Value: m.role + delimiter},
			},
		}
		for {
			out, err := db.client.Query(ctx, in)
			if err != nil {
				yield(nil, m.fail("collection", RowKey{PK: pk}, err))
				return
			}
			for _, item := range out.Items {
				if m.matches(item) && !yield(item, nil) {
					return
				}
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
				return
			}
		}
	}
}

// Visible tells whether readers see a row: it is neither deleted nor expired, and its unnamed lane was written.
func (u *untyped) Visible(item Item) bool { return shown(item, time.Now()) }

// SetRoot puts a row of the root into v: the last image of a root that is gone from the table, for whoever still has
// something to say about it.
func (a *Aggregate[A]) SetRoot(v *A, item Item) error { return a.of.setRoot(v, item) }

func (a *aggregate) setRoot(v any, item Item) error {
	root, err := a.root.decode(item)
	if err == nil {
		err = a.root.put(v, root.Interface())
	}
	return a.root.model.fail("decode", keyOfItem(item), err)
}
