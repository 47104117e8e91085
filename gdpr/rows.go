package gdpr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// bySubject reads every page of the indexes over _sid and its like.
func (t *rows) bySubject(ctx context.Context, task *Task) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		refs := t.refs()
		for i, ref := range refs {
			for item, err := range t.byReference(ctx, task, ref) {
				if err == nil && slices.ContainsFunc(refs[:i], func(before string) bool { return isText(item[before], task.Ref) }) {
					continue // a row that leads from somebody to themselves was there before
				}
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// refs are the attributes that refer to people, in the order of their numbers.
func (t *rows) refs() []string {
	list := []string{subjectIndex}
	for _, m := range t.models {
		if len(m.refs) > len(list) {
			list = m.refs
		}
	}
	return list
}

func (t *rows) byReference(ctx context.Context, task *Task, ref string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		in := &dynamodb.QueryInput{
			TableName: new(t.db.Name()), IndexName: new(ref), KeyConditionExpression: new("#s = :s"),
			ExpressionAttributeNames:  map[string]string{"#s": ref},
			ExpressionAttributeValues: table.Item{":s": text(task.Ref)},
			ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
		}
		for {
			out, err := t.db.Client().Query(ctx, in)
			if err == nil {
				err = task.Spend(ctx, Cost{Reads: unitsOf(out.ConsumedCapacity)})
			}
			if err != nil {
				yield(nil, setupFault(err))
				return
			}
			for _, item := range out.Items {
				if !yield(item, nil) {
					return
				}
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
				return
			}
		}
	}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func unitsOf(used *types.ConsumedCapacity) float64 {
	if used == nil || used.CapacityUnits == nil {
		return 0
	}
	return *used.CapacityUnits
}

// maxTries is how often a row is read again that somebody writes meanwhile.
const maxTries = 10

// Do erases a row, or some fields of it. It reads the row first and writes under the condition that it is still that one and still the subject's; a row
// that changed since the plan was made is judged again, and no field is touched that the plan does not name.
func (t *rows) Do(ctx context.Context, task *Task, a Action) (Result, error) {
	r := Result{State: ActionKept}
	if a.Do == KeepRow {
		return r, nil
	}
	key, err := keyOf(a.Target)
	if err != nil {
		return r, err
	}
	for range maxTries {
		item, err := t.read(ctx, task, key, &r)
		if err != nil || !concerns(item, task.Ref) {
			r.State = ActionGone
			return r, err
		}
		now, err := t.action(task, item)
		if err != nil {
			return r, err
		}
		if now = now.within(a); now.Do == KeepRow {
			r.State, r.Note = ActionKept, "it changed, and has to be kept now"
			return r, nil
		}
		if err = t.write(ctx, task, item, now, &r); !lost(err) {
			r.State = ActionDone
			return r, err
		}
	}
	return r, errors.New("other writers kept changing the row: run the job again")
}

// within leaves of an action what was approved.
func (a Action) within(approved Action) Action {
	keeps := slices.ContainsFunc(approved.Fields, func(f FieldAction) bool { return f.Do == doKeep })
	if a.Do == DeleteRow && (approved.Do == DeleteRow || approved.Do == MoveRow && !keeps) {
		return a
	}
	if a.Do == DeleteRow {
		a.Do = approved.Do
	}
	a.Fields = slices.DeleteFunc(a.Fields, func(f FieldAction) bool {
		return f.Do == doKeep || !slices.ContainsFunc(approved.Fields, func(g FieldAction) bool { return f.Field == g.Field && f.Do == g.Do })
	})
	return a
}

func (t *rows) read(ctx context.Context, task *Task, key table.Item, r *Result) (table.Item, error) {
	out, err := t.db.Client().GetItem(ctx, &dynamodb.GetItemInput{
		TableName: new(t.db.Name()), Key: key, ConsistentRead: new(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return nil, err
	}
	used := Cost{Reads: unitsOf(out.ConsumedCapacity)}
	r.Spent = r.Spent.plus(used)
	return out.Item, task.Spend(ctx, used)
}

// lost reports whether a write did not happen because somebody else wrote the row meanwhile.
func lost(err error) bool {
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return slices.ContainsFunc(canceled.CancellationReasons, func(r types.CancellationReason) bool {
			return r.Code != nil && (*r.Code == "ConditionalCheckFailed" || *r.Code == "TransactionConflict")
		})
	}
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}

func (t *rows) write(ctx context.Context, task *Task, item table.Item, a Action, r *Result) error {
	next, err := t.after(ctx, task, item, a)
	if err != nil {
		return err
	}
	if next != nil && !sameKey(item, next) {
		return t.move(ctx, task, item, next, r)
	}
	if err := t.unguard(ctx, task, item, next, r); err != nil {
		return err
	}
	in := t.update(task, item, next)
	out, err := t.db.Client().UpdateItem(ctx, in)
	used := Cost{Writes: costOf(item).Writes}
	if err == nil {
		used.Writes = unitsOf(out.ConsumedCapacity)
	}
	r.Spent = r.Spent.plus(used)
	return errors.Join(err, task.Spend(ctx, used))
}

// guardsOf are the guards of unique values of a row. A row that is gone has none.
func (t *rows) guardsOf(item table.Item) ([]table.RowKey, error) {
	discriminator, _ := item["discriminator"].(*types.AttributeValueMemberS)
	if discriminator == nil || t.models[discriminator.Value] == nil {
		return nil, nil
	}
	return t.models[discriminator.Value].model.Guards(item)
}

const isHolder = "holderPk = :pk AND holderSk = :sk"

// unguard removes the guards of unique values that go. They go before the row: a stop in between leaves a row that is erased next time, and no value
// without one.
func (t *rows) unguard(ctx context.Context, task *Task, item, next table.Item, r *Result) error {
	guards, err := t.guardsOf(item)
	if err != nil || len(guards) == 0 {
		return err
	}
	stay, err := t.guardsOf(next)
	if err != nil {
		return err
	}
	for _, g := range guards {
		if slices.Contains(stay, g) {
			continue
		}
		_, err := t.db.Client().DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: new(t.db.Name()), Key: table.Item{"pk": text(g.PK), "sk": text(g.SK)},
			ConditionExpression: new(isHolder), ExpressionAttributeValues: table.Item{":pk": item["pk"], ":sk": item["sk"]},
		})
		if _, others := errors.AsType[*types.ConditionalCheckFailedException](err); err != nil && !others {
			return err
		}
		r.Spent.Writes++
		if err := task.Spend(ctx, Cost{Writes: 1}); err != nil {
			return err
		}
	}
	return nil
}

// update is the request that carries out an action on a row: a partial update, under the condition that the row is still as it was read. What is to be there afterwards is
// next, or nil for a tombstone.
func (t *rows) update(task *Task, item, next table.Item) *dynamodb.UpdateItemInput {
	u := &update{names: map[string]string{}, values: table.Item{}}
	u.when(item)
	if next == nil {
		t.tombstone(u, item)
	} else {
		u.become(item, next)
	}
	if !isLatched(item) { // a command's row: its trigger publishes the change
		u.stamp(task, item)
	}
	return &dynamodb.UpdateItemInput{
		TableName: new(t.db.Name()), Key: table.Item{"pk": item["pk"], "sk": item["sk"]},
		UpdateExpression: new(u.text()), ConditionExpression: new(strings.Join(u.conditions, " AND ")),
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
}

func isLatched(item table.Item) bool {
	latched, ok := item["latched"].(*types.AttributeValueMemberBOOL)
	return ok && latched.Value
}

// tombstone leaves what the lock and the trigger need, and nothing else.
func (t *rows) tombstone(u *update, item table.Item) {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		switch {
		case isSystem(name) && !isRef(name) && name != "eem" && name != "_sealed":
			if lane, ok := strings.CutPrefix(name, "_v_"); ok {
				u.set("_d_"+lane, &types.AttributeValueMemberBOOL{Value: true})
			}
		case !isKey(name):
			u.remove(name)
		}
	}
	u.set("deleted", &types.AttributeValueMemberBOOL{Value: true})
	u.set("ttl", &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(t.opts.Tombstones).Unix(), 10)})
}

// become changes what is different.
func (u *update) become(item, next table.Item) {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if _, left := next[name]; !left {
			u.remove(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if !reflect.DeepEqual(item[name], next[name]) {
			u.set(name, next[name])
		}
	}
}

// isSystem reports whether the library writes an attribute itself.
func isSystem(name string) bool {
	switch name {
	case "discriminator", "timestamp", "lastModifiedBy", "awsregion", "latched", "deleted", "ttl", "eem", "_sealed":
		return true
	}
	return isRef(name) || strings.HasPrefix(name, "_v") || strings.HasPrefix(name, "_d_")
}

// update collects the clauses of an expression.
type update struct {
	sets, removes, conditions []string
	names                     map[string]string
	values                    table.Item
}

func (u *update) name(attribute string) string {
	alias := "#" + strconv.Itoa(len(u.names))
	for known, name := range u.names {
		if name == attribute {
			return known
		}
	}
	u.names[alias] = attribute
	return alias
}

func (u *update) value(v types.AttributeValue) string {
	alias := ":" + strconv.Itoa(len(u.values))
	u.values[alias] = v
	return alias
}

func (u *update) set(attribute string, v types.AttributeValue) {
	u.sets = append(u.sets, u.name(attribute)+" = "+u.value(v))
}

func (u *update) remove(attribute string) {
	if name := u.name(attribute); !slices.Contains(u.removes, name) {
		u.removes = append(u.removes, name)
	}
}

// when is the condition that the row is still the subject's, and in every lane of the version that was read.
func (u *update) when(item table.Item) {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if isRef(name) || name == "timestamp" || strings.HasPrefix(name, "_v") {
			u.conditions = append(u.conditions, u.name(name)+" = "+u.value(item[name]))
		}
	}
}

// stamp says who and when. The timestamp of a row always grows.
func (u *update) stamp(task *Task, item table.Item) {
	for name, value := range stamps(task, item) {
		u.set(name, value)
	}
}

func stamps(task *Task, item table.Item) table.Item {
	now := time.Now().UnixMilli()
	if n, ok := item["timestamp"].(*types.AttributeValueMemberN); ok {
		was, _ := strconv.ParseInt(n.Value, 10, 64)
		now = max(now, was+1)
	}
	return table.Item{
		"timestamp": &types.AttributeValueMemberN{Value: strconv.FormatInt(now, 10)}, "lastModifiedBy": text(strings.TrimSpace("gdpr " + task.Job)),
	}
}

func (u *update) text() string {
	var clauses []string
	if len(u.sets) > 0 {
		clauses = append(clauses, "SET "+strings.Join(u.sets, ", "))
	}
	if len(u.removes) > 0 {
		clauses = append(clauses, "REMOVE "+strings.Join(u.removes, ", "))
	}
	return strings.Join(clauses, " ")
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func isText(v types.AttributeValue, want string) bool {
	s, ok := v.(*types.AttributeValueMemberS)
	return ok && s.Value == want
}

func keyOf(target string) (table.Item, error) {
	var key [2]string
	if err := json.Unmarshal([]byte(target), &key); err != nil {
		return nil, fmt.Errorf("the target of the action is no row key: %w", err)
	}
	return table.Item{"pk": text(key[0]), "sk": text(key[1])}, nil
}

// subjectIndex is the sparse index over _sid.
const subjectIndex = "_sid"

// ready asks for a change that can never be made: whoever lacks the right to write hears of it now, and not when the keys are gone.
func (t *rows) ready(ctx context.Context) error {
	_, err := t.db.Client().UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: new(t.db.Name()), Key: table.Item{"pk": text("gdpr"), "sk": text("rights")}, UpdateExpression: new("REMOVE nothing"),
		ConditionExpression: new("attribute_exists(pk) AND attribute_not_exists(pk)"),
	})
	if _, can := errors.AsType[*types.ConditionalCheckFailedException](err); can {
		return nil
	}
	return setupFault(err)
}
