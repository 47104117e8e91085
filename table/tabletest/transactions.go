package tabletest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func transactionRules() []rule {
	return []rule{
		{"transactions/write/all_kinds_commit_together", transactCommit},
		{"transactions/write/one_failed_condition_cancels_all", transactCancel},
		{"transactions/write/reasons_come_in_order_with_their_items", transactReasons},
		{"transactions/write/refuses_one_item_twice", transactTwice},
		{"transactions/write/100_actions_fit_and_101_do_not", transactLimit},
		{"transactions/write/refuses_an_action_of_two_kinds", transactTwoKinds},
		{"transactions/write/a_bad_update_cancels", transactBadUpdate},
		{"transactions/write/an_unknown_table_is_not_found", transactUnknown},
		{"transactions/write/a_token_applies_once", transactToken},
		{"transactions/write/a_token_with_another_request_is_a_mismatch", transactMismatch},
		{"transactions/write/a_repeated_token_costs_reads", transactTokenCost},
		{"transactions/get/reads_in_order_with_gaps", transactGet},
		{"transactions/get/refuses_one_item_twice", transactGetTwice},
		{"transactions/are_isolated", transactIsolated},
	}
}

func txPut(table string, it item, cond string) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{TableName: &table, Item: row(it), ConditionExpression: text(cond)}}
}

func txUpdate(table string, key item, expr string, values item) types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: row(key), UpdateExpression: &expr, ExpressionAttributeValues: row(values),
	}}
}

func txDelete(table string, key item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{TableName: &table, Key: row(key)}}
}

func txCheck(table string, key item, cond string) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &table, Key: row(key), ConditionExpression: &cond,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}}
}

// transact retries on conflicts, which DynamoDB may report at any time.
func (c *check) transact(writes ...types.TransactWriteItem) error {
	_, err := c.DynamoDB.TransactWriteItems(c.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	return err
}

func transactCommit(c *check) {
	one, two := c.create("pk:S"), c.create("pk:S sk:N")
	c.put(one, item{"pk": "u", "n": 1}, item{"pk": "d"}, item{"pk": "c"})
	c.ok(c.transact(
		txPut(two, item{"pk": "a", "sk": 1, "n": 1}, "attribute_not_exists(pk)"),
		txUpdate(one, item{"pk": "u"}, "SET n = n + :v", item{":v": 1}),
		txDelete(one, item{"pk": "d"}),
		txCheck(one, item{"pk": "c"}, "attribute_exists(pk)"),
	))
	c.stored(two, item{"pk": "a", "sk": 1}, item{"pk": "a", "sk": 1, "n": 1})
	c.stored(one, item{"pk": "u"}, item{"pk": "u", "n": 2})
	c.missing(one, item{"pk": "d"})
	c.stored(one, item{"pk": "c"}, item{"pk": "c"})
}

func transactCancel(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "b"})
	err := c.transact(txPut(table, item{"pk": "a"}, ""), txPut(table, item{"pk": "b", "n": 1}, "attribute_not_exists(pk)"))
	c.fails(err, canceled, "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]")
	c.missing(table, item{"pk": "a"})
	c.stored(table, item{"pk": "b"}, item{"pk": "b"})
}

func transactReasons(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "b", "n": 1})
	err := c.transact(
		txCheck(table, item{"pk": "a"}, "attribute_exists(pk)"),
		txPut(table, item{"pk": "new"}, ""),
		txCheck(table, item{"pk": "b"}, "attribute_not_exists(pk)"),
	)
	c.fails(err, canceled)
	failed, ok := errors.AsType[*types.TransactionCanceledException](err)
	c.that(ok && len(failed.CancellationReasons) == 3, "reasons are %v", failed)
	reasons := failed.CancellationReasons
	codes := fmt.Sprint(*reasons[0].Code, " ", *reasons[1].Code, " ", *reasons[2].Code)
	c.equal("codes", codes, "ConditionalCheckFailed None ConditionalCheckFailed")
	c.equal("message", *reasons[2].Message, "The conditional request failed")
	c.equal("item", reasons[2].Item, item{"pk": "b", "n": 1})
	c.equal("item that is missing", len(reasons[0].Item), 0)
}

func transactTwice(c *check) {
	table := c.create("pk:N")
	err := c.transact(txPut(table, item{"pk": 1}, ""), txDelete(table, item{"pk": num("1.0")}))
	c.invalid(err, "Transaction request cannot include multiple operations on one item")
}

func transactLimit(c *check) {
	table := c.create("pk:N")
	var writes []types.TransactWriteItem
	for i := range 101 {
		writes = append(writes, txPut(table, item{"pk": i}, ""))
	}
	c.invalid(c.transact(writes...))
	c.ok(c.transact(writes[:100]...))
	items, _ := c.scan(&dynamodb.ScanInput{TableName: &table, ConsistentRead: new(true)})
	c.equal("items", len(items), 100)
}

func transactTwoKinds(c *check) {
	table := c.create("pk:S")
	both := txPut(table, item{"pk": "a"}, "")
	both.Delete = txDelete(table, item{"pk": "b"}).Delete
	c.invalid(c.transact(both))
	c.missing(table, item{"pk": "a"})
}

func transactBadUpdate(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "b", "s": "text"})
	err := c.transact(txPut(table, item{"pk": "a"}, ""), txUpdate(table, item{"pk": "b"}, "SET s = s + :v", item{":v": 1}))
	c.fails(err, canceled, "[None, ValidationError]")
	c.missing(table, item{"pk": "a"})
}

func transactUnknown(c *check) {
	table, none := c.create("pk:S"), c.unique()
	c.fails(c.transact(txPut(table, item{"pk": "a"}, ""), txPut(none, item{"pk": "a"}, "")), notFound)
	c.missing(table, item{"pk": "a"})
}

// add adds one to the counter "a" under a token.
func (c *check) add(table, token string, n int) error {
	_, err := c.DynamoDB.TransactWriteItems(c.ctx, &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: &token,
		TransactItems:      []types.TransactWriteItem{txUpdate(table, item{"pk": "a"}, "ADD n :v", item{":v": n})},
	})
	return err
}

func transactToken(c *check) {
	table := c.create("pk:S")
	for range 3 {
		c.ok(c.add(table, "token-"+table[:20], 1))
	}
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 1})
	c.ok(c.add(table, "other-"+table[:20], 1))
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 2})
}

func transactTokenCost(c *check) {
	table := c.create("pk:S")
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: new("token-" + table[:20]), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
		TransactItems: []types.TransactWriteItem{txUpdate(table, item{"pk": "a"}, "ADD n :v", item{":v": 1})},
	}
	out, err := c.DynamoDB.TransactWriteItems(c.ctx, in)
	c.ok(err)
	cc := out.ConsumedCapacity[0]
	c.that(cc.WriteCapacityUnits != nil && *cc.WriteCapacityUnits > 0 && cc.ReadCapacityUnits == nil, "the first call costs %v", cc)
	c.that(cc.Table.WriteCapacityUnits != nil && *cc.Table.WriteCapacityUnits > 0, "the first call costs the table %v", cc.Table)
	out, err = c.DynamoDB.TransactWriteItems(c.ctx, in)
	c.ok(err)
	cc = out.ConsumedCapacity[0]
	c.that(cc.ReadCapacityUnits != nil && *cc.ReadCapacityUnits == 2 && cc.WriteCapacityUnits == nil, "the second call costs %v", cc)
}

func transactMismatch(c *check) {
	table := c.create("pk:S")
	c.ok(c.add(table, "token-"+table[:20], 1))
	c.fails(c.add(table, "token-"+table[:20], 2), "IdempotentParameterMismatchException")
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": 1})
}

func (c *check) transactGet(table string, keys ...item) ([]types.ItemResponse, error) {
	in := &dynamodb.TransactGetItemsInput{}
	for _, k := range keys {
		in.TransactItems = append(in.TransactItems, types.TransactGetItem{Get: &types.Get{TableName: &table, Key: row(k)}})
	}
	out, err := c.DynamoDB.TransactGetItems(c.ctx, in)
	if err != nil {
		return nil, err
	}
	return out.Responses, nil
}

func transactGet(c *check) {
	table := c.create("pk:S")
	c.put(table, item{"pk": "a", "n": 1}, item{"pk": "b", "n": 2})
	got, err := c.transactGet(table, item{"pk": "b"}, item{"pk": "none"}, item{"pk": "a"})
	c.ok(err)
	c.equal("responses", len(got), 3)
	c.equal("first", got[0].Item, item{"pk": "b", "n": 2})
	c.equal("second", len(got[1].Item), 0)
	c.equal("third", got[2].Item, item{"pk": "a", "n": 1})
}

func transactGetTwice(c *check) {
	_, err := c.transactGet(c.create("pk:S"), item{"pk": "a"}, item{"pk": "a"})
	c.invalid(err, "Transaction request cannot include multiple operations on one item")
}

// transactIsolated moves amounts between accounts: no reader may see a sum that is not
// the one at the start.
func transactIsolated(c *check) {
	const accounts, workers, moves, each = 4, 4, 25, 100
	table := c.create("pk:N")
	for i := range accounts {
		c.put(table, item{"pk": i, "n": each})
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var failed sync.Map
	for w := range workers {
		wg.Go(func() {
			for m := range moves {
				from, to := (w+m)%accounts, (w+2*m+1)%accounts
				if from == to {
					continue
				}
				err := c.transact(txUpdate(table, item{"pk": from}, "ADD n :v", item{":v": -1}), txUpdate(table, item{"pk": to}, "ADD n :v", item{":v": 1}))
				if _, conflict := errors.AsType[*types.TransactionCanceledException](err); err != nil && !conflict {
					failed.Store(err.Error(), true)
				}
			}
		})
	}
	go func() { wg.Wait(); close(stop) }()
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		c.sum(table, accounts, accounts*each)
	}
	failed.Range(func(text, _ any) bool { c.failf("transfer: %v", text); return false })
}

// sum reads all accounts in one transaction and compares their total; a conflict is no answer.
func (c *check) sum(table string, accounts, want int) {
	var keys []item
	for i := range accounts {
		keys = append(keys, item{"pk": i})
	}
	got, err := c.transactGet(table, keys...)
	if _, conflict := errors.AsType[*types.TransactionCanceledException](err); conflict {
		return
	}
	c.ok(err)
	total := 0
	for _, r := range got {
		var n int
		_, err := fmt.Sscan(show(r.Item["n"]), &n)
		c.ok(err)
		total += n
	}
	c.equal("sum", total, want)
}
