package gdpr

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// after is a row as an action leaves it, under another key perhaps; nil is a tombstone.
func (t *rows) after(ctx context.Context, task *Task, item table.Item, a Action) (table.Item, error) {
	if a.Do == DeleteRow {
		return nil, nil
	}
	m := t.models[a.Kind]
	texts, err := m.model.Texts(item)
	if err != nil {
		return nil, err
	}
	next, left, hashed := maps.Clone(item), map[string]bool{}, map[string]string{}
	for _, f := range a.Fields {
		attribute := m.attribute(f.Field)
		left[attribute] = f.Do != doKeep && !isKey(attribute)
		switch {
		case f.Do == doKeep:
		case f.Do == doPseudonymise || isKey(attribute):
			hashed[f.Field] = task.pseudonym(texts[f.Field])
		case f.Do == doRedact:
			next[attribute] = text(redactedText)
			drop(next, m.derived[attribute]...)
		default:
			drop(next, append(slices.Clone(m.derived[attribute]), attribute)...)
		}
	}
	if len(hashed) > 0 {
		if next, err = m.model.Rewritten(ctx, t.db, next, hashed); err != nil {
			return nil, err
		}
	}
	m.release(next, left, hashed, stakeIn(item, task.Ref))
	return next, nil
}

func drop(item table.Item, names ...string) {
	for _, name := range names {
		delete(item, name)
	}
}

// release takes the references to the subject out of a row in which nothing is kept of them, and what tells of sealed values that are gone.
func (m *personal) release(item table.Item, left map[string]bool, hashed map[string]string, s stake) {
	keeps := false
	for _, p := range m.policies {
		value, there := item[p.Attribute]
		_, gone := hashed[p.Field]
		keeps = keeps || there && !gone && !left[p.Attribute] && p.Do != doNothing && s.covers(p) && !replaced(value)
	}
	if !keeps {
		drop(item, s.mine...)
	}
	for name, value := range item {
		envelope, ok := value.(*types.AttributeValueMemberM)
		if !ok || name != "eem" && !strings.HasPrefix(name, "eem_") {
			continue
		}
		entries := maps.Clone(envelope.Value)
		maps.DeleteFunc(entries, func(attribute string, _ types.AttributeValue) bool { _, there := item[attribute]; return !there })
		if item[name] = (&types.AttributeValueMemberM{Value: entries}); len(entries) == 0 {
			delete(item, name)
		}
	}
}

// move writes a row under its new key, and leaves a tombstone under the old one, in one transaction: the trigger publishes both. The guards of its unique values hold for the
// new row, or go. Whatever is there under the new key was put there by this job, since nobody else has the key of its hashes.
func (t *rows) move(ctx context.Context, task *Task, item, next table.Item, r *Result) error {
	old := t.update(task, item, nil)
	if !isLatched(next) {
		maps.Copy(next, stamps(task, item))
	}
	writes := []types.TransactWriteItem{
		{Update: &types.Update{
			TableName: old.TableName, Key: old.Key, UpdateExpression: old.UpdateExpression, ConditionExpression: old.ConditionExpression,
			ExpressionAttributeNames: old.ExpressionAttributeNames, ExpressionAttributeValues: old.ExpressionAttributeValues,
		}},
		{Put: &types.Put{TableName: old.TableName, Item: next}},
	}
	guards, err := t.moveGuards(ctx, task, item, next, r)
	if err != nil {
		return err
	}
	out, err := t.db.Client().TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: append(writes, guards...), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	used := Cost{Writes: 4*costOf(item).Writes + 2*float64(len(guards))}
	if err == nil && len(out.ConsumedCapacity) > 0 {
		used.Writes = 0
		for _, u := range out.ConsumedCapacity {
			used.Writes += unitsOf(&u)
		}
	}
	r.Spent = r.Spent.plus(used)
	return errors.Join(err, task.Spend(ctx, used))
}

// moveGuards hands the guards of unique values over to the row's new key. A value that goes takes its guard along.
func (t *rows) moveGuards(ctx context.Context, task *Task, item, next table.Item, r *Result) ([]types.TransactWriteItem, error) {
	guards, err := t.guardsOf(item)
	if err != nil || len(guards) == 0 {
		return nil, err
	}
	stay, err := t.guardsOf(next)
	if err != nil {
		return nil, err
	}
	var writes []types.TransactWriteItem
	for _, g := range guards {
		key, values := table.Item{"pk": text(g.PK), "sk": text(g.SK)}, table.Item{":pk": item["pk"], ":sk": item["sk"]}
		guard, err := t.read(ctx, task, key, r)
		if err != nil {
			return nil, err
		}
		if !reflect.DeepEqual(guard["holderPk"], item["pk"]) || !reflect.DeepEqual(guard["holderSk"], item["sk"]) {
			continue // another row's, or there is none
		}
		if !slices.Contains(stay, g) {
			writes = append(writes, types.TransactWriteItem{Delete: &types.Delete{
				TableName: new(t.db.Name()), Key: key, ConditionExpression: new(isHolder), ExpressionAttributeValues: values,
			}})
			continue
		}
		values[":newPk"], values[":newSk"] = next["pk"], next["sk"]
		writes = append(writes, types.TransactWriteItem{Update: &types.Update{
			TableName: new(t.db.Name()), Key: key, ConditionExpression: new(isHolder),
			UpdateExpression: new("SET holderPk = :newPk, holderSk = :newSk"), ExpressionAttributeValues: values,
		}})
	}
	return writes, nil
}

func sameKey(a, b table.Item) bool {
	return reflect.DeepEqual(a["pk"], b["pk"]) && reflect.DeepEqual(a["sk"], b["sk"])
}

// pseudonym stands for a text within this job. Its key goes with the job, so that nobody can make it again.
func (t *Task) pseudonym(text string) string {
	mac := hmac.New(sha256.New, t.salt)
	mac.Write([]byte(text))
	return pseudonym + hex.EncodeToString(mac.Sum(nil)[:16])
}
