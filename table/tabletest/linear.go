package tabletest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func linearRules() []rule {
	return []rule{
		{"consistency/operations_on_one_item_are_linearizable", linearizable},
		{"consistency/concurrent_increments_are_all_counted", increments},
	}
}

// The writers and operations of one history. A set of operations is a number of 64 bits.
const (
	linearClients = 4
	linearEach    = 14
	linearItems   = 4
)

// operation is what one call on an item did, and when. absent is the state of
// an item that does not exist.
type operation struct {
	from, to time.Duration
	text     string
	// step gives the state after it, and whether it can have happened in that state with the answer it got.
	step func(state int) (next int, ok bool)
}

const absent = -1

// linearizable checks histories of concurrent calls on single items: for each there must be an order of the calls that
// explains every answer, and in which no call comes before one that had ended when it began.
func linearizable(c *check) {
	table := c.create("pk:S")
	start := time.Now()
	for i := range linearItems {
		key := item{"pk": fmt.Sprint("item", i)}
		histories := make([][]operation, linearClients)
		broken := make([]error, linearClients)
		var wg sync.WaitGroup
		for w := range linearClients {
			wg.Go(func() {
				for n := range linearEach {
					from := time.Since(start)
					op, err := c.operate(table, key, 100*w+n)
					if err != nil {
						broken[w] = err
						return
					}
					op.from, op.to = from, time.Since(start)
					histories[w] = append(histories[w], op)
				}
			})
		}
		wg.Wait()
		c.ok(errors.Join(broken...))
		history := slices.Concat(histories...)
		if !explained(history) {
			c.failf("no order explains the history of %v:\n%s", key["pk"], printHistory(history))
		}
	}
}

// operate does one call with a value that no other call writes.
func (c *check) operate(table string, key item, unique int) (operation, error) {
	expected := rand.IntN(100*linearClients) / 100 * 100
	switch rand.IntN(5) {
	case 0:
		_, err := c.tryPut(table, item{"pk": key["pk"], "n": unique})
		return operation{text: fmt.Sprint("put ", unique), step: func(int) (int, bool) { return unique, true }}, err
	case 1:
		_, err := c.tryDelete(table, key)
		return operation{text: "delete", step: func(int) (int, bool) { return absent, true }}, err
	case 2:
		return c.swap(table, key, expected, unique)
	default:
		out, err := c.DynamoDB.GetItem(c.ctx, &dynamodb.GetItemInput{TableName: &table, Key: row(key), ConsistentRead: new(true)})
		if err != nil {
			return operation{}, err
		}
		got := stateOf(out.Item)
		return operation{text: fmt.Sprint("get ", got), step: func(s int) (int, bool) { return s, s == got }}, nil
	}
}

// swap writes if the item has a value below expected+100, and learns from a refusal what it had.
func (c *check) swap(table string, key item, expected, unique int) (operation, error) {
	_, err := c.update(table, key, change{
		expr: "SET n = :n", cond: "n >= :low AND n < :high", values: item{":n": unique, ":low": expected, ":high": expected + 100},
		onFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	within := func(s int) bool { return s >= expected && s < expected+100 }
	if refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		had := stateOf(refused.Item)
		return operation{
			text: fmt.Sprintf("swap %d… for %d: refused, had %d", expected, unique, had),
			step: func(s int) (int, bool) { return s, s == had && !within(s) },
		}, nil
	}
	return operation{
		text: fmt.Sprintf("swap %d… for %d", expected, unique), step: func(s int) (int, bool) { return unique, within(s) },
	}, err
}

func stateOf(it attrs) int {
	var n int
	if v, ok := it["n"].(*types.AttributeValueMemberN); !ok {
		return absent
	} else if _, err := fmt.Sscan(v.Value, &n); err != nil {
		return absent
	}
	return n
}

// explained searches for an order, after Wing and Gong: of the calls that remain, one that began before any of them
// ended may come next. States that have been met with the same calls done are not searched again.
func explained(history []operation) bool {
	type place struct {
		done  uint64
		state int
	}
	seen := map[place]bool{}
	all := uint64(1)<<len(history) - 1
	var search func(at place) bool
	search = func(at place) bool {
		if at.done == all {
			return true
		}
		if seen[at] {
			return false
		}
		seen[at] = true
		end := time.Duration(1<<63 - 1)
		for i, op := range history {
			if at.done&(1<<i) == 0 {
				end = min(end, op.to)
			}
		}
		for i, op := range history {
			if at.done&(1<<i) != 0 || op.from > end {
				continue
			}
			if next, ok := op.step(at.state); ok && search(place{at.done | 1<<i, next}) {
				return true
			}
		}
		return false
	}
	return search(place{0, absent})
}

func printHistory(history []operation) string {
	slices.SortFunc(history, func(a, b operation) int { return int(a.from - b.from) })
	text := ""
	for _, op := range history {
		text += fmt.Sprintf("%v to %v: %s\n", op.from, op.to, op.text)
	}
	return text
}

func increments(c *check) {
	const writers, each = 4, 25
	table := c.create("pk:S")
	var wg sync.WaitGroup
	broken := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for range each {
				if _, err := c.update(table, item{"pk": "a"}, change{expr: "ADD n :one", values: item{":one": 1}}); err != nil {
					broken[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	c.ok(errors.Join(broken...))
	c.stored(table, item{"pk": "a"}, item{"pk": "a", "n": writers * each})
}
