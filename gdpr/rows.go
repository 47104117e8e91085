package gdpr

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// bySubject reads every page of the index over _sid.
func (t *rows) bySubject(ctx context.Context, task *Task) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		in := &dynamodb.QueryInput{
			TableName: new(t.db.Name()), IndexName: new(subjectIndex), KeyConditionExpression: new("#s = :s"),
			ExpressionAttributeNames:  map[string]string{"#s": "_sid"},
			ExpressionAttributeValues: table.Item{":s": text(task.Ref)},
			ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
		}
		for {
			out, err := t.db.Client().Query(ctx, in)
			if err == nil {
				err = task.Spend(ctx, Cost{Reads: unitsOf(out.ConsumedCapacity)})
			}
			if err != nil {
				yield(nil, err)
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
		if err != nil || len(item) == 0 || !isText(item["_sid"], task.Ref) {
			r.State = ActionGone
			return r, err
		}
		now, err := t.action(item)
		if err != nil {
			return r, err
		}
		if now = now.within(a); now.Do == KeepRow {
			r.State, r.Note = ActionKept, "it changed, and has to be kept now"
			return r, nil
		}
		err = t.write(ctx, task, item, now, &r)
		if _, lost := errors.AsType[*types.ConditionalCheckFailedException](err); !lost {
			r.State = ActionDone
			return r, err
		}
	}
	return r, errors.New("other writers kept changing the row: run the job again")
}

// within leaves of an action what was approved.
func (a Action) within(approved Action) Action {
	if a.Do == DeleteRow && approved.Do == DeleteRow {
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

func (t *rows) write(ctx context.Context, task *Task, item table.Item, a Action, r *Result) error {
	if err := t.unguard(ctx, task, item, a, r); err != nil {
		return err
	}
	in := t.update(task, item, a)
	out, err := t.db.Client().UpdateItem(ctx, in)
	used := Cost{Writes: costOf(item).Writes}
	if err == nil {
		used.Writes = unitsOf(out.ConsumedCapacity)
	}
	r.Spent = r.Spent.plus(used)
	return errors.Join(err, task.Spend(ctx, used))
}

// unguard removes the guards of unique values that go. They go before the row: a stop in between leaves a row that is erased next time, and no value
// without one.
func (t *rows) unguard(ctx context.Context, task *Task, item table.Item, a Action, r *Result) error {
	m := t.models[a.Kind]
	guards, err := m.guards(item)
	if err != nil || len(guards) == 0 {
		return err
	}
	if a.Do != DeleteRow {
		left := maps.Clone(item)
		for _, f := range a.Fields {
			delete(left, m.attribute(f.Field))
		}
		stay, err := m.guards(left)
		if err != nil {
			return err
		}
		guards = slices.DeleteFunc(guards, func(k table.RowKey) bool { return slices.Contains(stay, k) })
	}
	for _, g := range guards {
		_, err := t.db.Client().DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: new(t.db.Name()), Key: table.Item{"pk": text(g.PK), "sk": text(g.SK)},
			ConditionExpression: new("holderPk = :pk AND holderSk = :sk"), ExpressionAttributeValues: table.Item{":pk": item["pk"], ":sk": item["sk"]},
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

// update is the request that carries out an action on a row: a partial update, under the condition that the row is still as it was read.
func (t *rows) update(task *Task, item table.Item, a Action) *dynamodb.UpdateItemInput {
	u := &update{names: map[string]string{}, values: table.Item{}}
	u.when(item)
	if latched, ok := item["latched"].(*types.AttributeValueMemberBOOL); !ok || !latched.Value {
		u.stamp(task, item) // a command's row: its trigger publishes the change
	}
	if a.Do == DeleteRow {
		t.tombstone(u, item)
	} else {
		t.edit(u, task, item, a)
	}
	return &dynamodb.UpdateItemInput{
		TableName: new(t.db.Name()), Key: table.Item{"pk": item["pk"], "sk": item["sk"]},
		UpdateExpression: new(u.text()), ConditionExpression: new(strings.Join(u.conditions, " AND ")),
		ExpressionAttributeNames: u.names, ExpressionAttributeValues: u.values,
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
}

// tombstone leaves what the lock and the trigger need, and nothing else.
func (t *rows) tombstone(u *update, item table.Item) {
	for _, name := range slices.Sorted(maps.Keys(item)) {
		switch {
		case isSystem(name) && name != "_sid" && name != "eem":
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

// edit changes the fields that the action names, and the index keys that are made of them. The reference to the subject stays as long as something is kept.
func (t *rows) edit(u *update, task *Task, item table.Item, a Action) {
	m := t.models[a.Kind]
	left := map[string]bool{}
	for _, f := range a.Fields {
		attribute := m.attribute(f.Field)
		left[attribute] = true
		switch f.Do {
		case doRedact:
			u.set(attribute, text(redactedText))
		case doPseudonymise:
			u.set(attribute, text(task.pseudonym(item[attribute])))
		default:
			u.remove(attribute)
		}
		for _, derived := range m.derived[attribute] {
			if _, there := item[derived]; there {
				u.remove(derived)
			}
		}
	}
	keeps, seals := false, false
	for _, p := range m.policies {
		_, there := item[p.Attribute]
		keeps = keeps || there && !left[p.Attribute] && p.Do != doNothing
		seals = seals || there && !left[p.Attribute] && p.Sealed != ""
	}
	if !keeps {
		u.remove("_sid")
	}
	if _, there := item["eem"]; there && !seals {
		u.remove("eem")
	}
}

// pseudonym stands for a text within this job. Its key goes with the job, so that nobody can make it again.
func (t *Task) pseudonym(value types.AttributeValue) string {
	s, _ := value.(*types.AttributeValueMemberS)
	mac := hmac.New(sha256.New, t.salt)
	if s != nil {
		mac.Write([]byte(s.Value))
	}
	return pseudonym + hex.EncodeToString(mac.Sum(nil)[:16])
}

// isSystem reports whether the library writes an attribute itself.
func isSystem(name string) bool {
	switch name {
	case "discriminator", "timestamp", "lastModifiedBy", "awsregion", "latched", "deleted", "ttl", "_sid", "eem":
		return true
	}
	return strings.HasPrefix(name, "_v") || strings.HasPrefix(name, "_d_")
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
		if name == "_sid" || name == "timestamp" || strings.HasPrefix(name, "_v") {
			u.conditions = append(u.conditions, u.name(name)+" = "+u.value(item[name]))
		}
	}
}

// stamp says who and when. The timestamp of a row always grows.
func (u *update) stamp(task *Task, item table.Item) {
	now := time.Now().UnixMilli()
	if n, ok := item["timestamp"].(*types.AttributeValueMemberN); ok {
		was, _ := strconv.ParseInt(n.Value, 10, 64)
		now = max(now, was+1)
	}
	u.set("timestamp", &types.AttributeValueMemberN{Value: strconv.FormatInt(now, 10)})
	u.set("lastModifiedBy", text(strings.TrimSpace("gdpr "+task.Job)))
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
