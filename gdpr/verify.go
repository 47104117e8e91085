package gdpr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout/table"
)

// unitBytes is what one unit of a consistent read is for, and writeBytes one of a write.
const (
	unitBytes  = 4096
	writeBytes = 1024
)

// costOf is about what it takes to read a row consistently and to write it.
func costOf(item table.Item) Cost {
	size := 0
	for name, value := range item {
		size += len(name) + sizeOf(value)
	}
	return Cost{Reads: float64(1 + size/unitBytes), Writes: float64(1 + size/writeBytes)}
}

// sizeOf is about the size of a value.
func sizeOf(value types.AttributeValue) int {
	n := 0
	visit(value, func(s string) { n += len(s) + 1 })
	if b, ok := value.(*types.AttributeValueMemberB); ok {
		n += len(b.Value)
	}
	return n + 1
}

// visit calls f with every text and number in a value, at any depth.
func visit(value types.AttributeValue, f func(string)) {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		f(v.Value)
	case *types.AttributeValueMemberN:
		f(v.Value)
	case *types.AttributeValueMemberSS:
		for _, s := range v.Value {
			f(s)
		}
	case *types.AttributeValueMemberNS:
		for _, s := range v.Value {
			f(s)
		}
	case *types.AttributeValueMemberL:
		for _, e := range v.Value {
			visit(e, f)
		}
	case *types.AttributeValueMemberM:
		for _, name := range slices.Sorted(maps.Keys(v.Value)) {
			visit(v.Value[name], f)
		}
	}
}

// Verify reads the whole table, consistently and within the budget. A row is found if it carries the subject's reference, or their id in a key or an attribute that is
// not reviewed as impersonal, and no action of the plan keeps it. Tombstones that hold nothing but their key are counted in the note.
func (t *rows) Verify(ctx context.Context, task *Task) (Check, error) {
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	check := Check{Route: "scan of the table, consistent reads"}
	left := leftovers{}
	rows := t.count(ctx)
	for segment := range t.opts.Segments {
		group.Go(func() error {
			return t.scan(ctx, task, segment, rows, func(item table.Item) error {
				what, err := t.judge(task, item)
				mu.Lock()
				defer mu.Unlock()
				check.Seen++
				if left[what]++; what == remaining {
					check.Found++
				}
				return err
			})
		})
	}
	err := group.Wait()
	check.Note = left.note()
	return check, err
}

// leftover is what a row is to the verification.
type leftover string

const (
	unrelated leftover = ""
	remaining leftover = "rows that should be gone"
	keptRow   leftover = "rows kept"
	tombstone leftover = "tombstones with nothing but a key"
)

type leftovers map[leftover]int

func (l leftovers) note() string {
	var parts []string
	for _, what := range []leftover{keptRow, tombstone} {
		if l[what] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", l[what], what))
		}
	}
	return strings.Join(parts, ", ")
}

// describer is a client that knows about how many rows a table has: DynamoDB counts them every six hours.
type describer interface {
	DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error)
}

// count is about how many rows there are, or zero where nobody knows.
func (t *rows) count(ctx context.Context) int {
	d, ok := t.db.Client().(describer)
	if !ok {
		return 0
	}
	out, err := d.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: new(t.db.Name())})
	if err != nil || out.Table == nil || out.Table.ItemCount == nil {
		return 0
	}
	return int(*out.Table.ItemCount)
}

func (t *rows) scan(ctx context.Context, task *Task, segment, rows int, each func(table.Item) error) error {
	in := &dynamodb.ScanInput{
		TableName: new(t.db.Name()), ConsistentRead: new(true), Segment: new(int32(segment)), TotalSegments: new(int32(t.opts.Segments)),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	for {
		out, err := t.db.Client().Scan(ctx, in)
		if err == nil {
			err = task.Spend(ctx, Cost{Reads: unitsOf(out.ConsumedCapacity)})
		}
		if err != nil {
			return err
		}
		for _, item := range out.Items {
			if err := each(item); err != nil {
				return err
			}
		}
		task.Looked(len(out.Items), rows)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

func (t *rows) judge(task *Task, item table.Item) (leftover, error) {
	referred := concerns(item, task.Ref)
	if !referred && !t.mentions(item, task) {
		return unrelated, nil
	}
	if bare(item) {
		return tombstone, nil
	}
	if !referred {
		return t.judgeGuard(task, item), nil
	}
	a, err := t.action(task, item)
	if err != nil {
		return remaining, err
	}
	planned, ok := task.Planned(t.name, a.Target)
	if a.Do == KeepRow || ok && planned.Hold != "" {
		return keptRow, nil
	}
	return remaining, nil
}

// judgeGuard is about a row that names the subject and has no reference to them: the guard of a unique value names the key of its holder, and stays as long as that.
func (t *rows) judgeGuard(task *Task, item table.Item) leftover {
	holder, err := json.Marshal([2]string{textOf(item["holderPk"]), textOf(item["holderSk"])})
	if err != nil {
		return remaining
	}
	a, ok := task.Planned(t.name, string(holder))
	if ok && (a.Hold != "" || slices.ContainsFunc(a.Fields, func(f FieldAction) bool { return f.Do == doKeep })) {
		return keptRow
	}
	return remaining
}

// mentions reports whether a row holds the subject's id where the policies do not rule out that it is one.
func (t *rows) mentions(item table.Item, task *Task) bool {
	meta, _ := table.ReadMeta(item)
	m := t.models[meta.Discriminator]
	for name, value := range item {
		if isSystem(name) || m != nil && m.reviewed[name] {
			continue
		}
		found := false
		visit(value, func(s string) {
			found = found || task.is(s) || isKey(name) && slices.ContainsFunc(strings.Split(s, "|"), task.is)
		})
		if found {
			return true
		}
	}
	return false
}

// bare reports whether a row is a tombstone that holds nothing but its key.
func bare(item table.Item) bool {
	deleted, ok := item["deleted"].(*types.AttributeValueMemberBOOL)
	if !ok || !deleted.Value {
		return false
	}
	for name := range item {
		if !isKey(name) && (!isSystem(name) || isRef(name)) {
			return false
		}
	}
	return true
}

// witness is a row of somebody else as it was when the plan was made: an erasure must not change it.
type witness struct {
	Place  string `dynamo:"place"`
	Target string `dynamo:"target"`
	Seen   string `dynamo:"seen"`
	Digest string `dynamo:"digest"`
}

// maxWitnesses is how many rows of a table are looked at.
const maxWitnesses = 50

// witnesses takes a sample of rows that are not the subject's.
func (t *rows) witnesses(ctx context.Context, task *Task) ([]witness, error) {
	out, err := t.db.Client().Scan(ctx, &dynamodb.ScanInput{
		TableName: new(t.db.Name()), ConsistentRead: new(true), Limit: new(int32(maxWitnesses)), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return nil, setupFault(err)
	}
	var list []witness
	for _, item := range out.Items {
		if concerns(item, task.Ref) || t.mentions(item, task) {
			continue
		}
		meta, err := table.ReadMeta(item)
		if err != nil {
			return nil, err
		}
		key, err := json.Marshal([2]string{meta.Key.PK, meta.Key.SK})
		if err != nil {
			return nil, err
		}
		list = append(list, witness{Place: t.name, Target: string(key), Seen: versionOf(item), Digest: digestOf(item)})
	}
	return list, task.Spend(ctx, Cost{Reads: unitsOf(out.ConsumedCapacity)})
}

// unchanged looks at the sample again. A row that others wrote meanwhile has another version, and says nothing.
func (t *rows) unchanged(ctx context.Context, task *Task, list []witness) (Check, error) {
	check := Check{Place: t.name, Route: "sample of other subjects' rows"}
	var r Result
	for _, w := range list {
		key, err := keyOf(w.Target)
		if err != nil {
			return check, err
		}
		item, err := t.read(ctx, task, key, &r)
		if err != nil {
			return check, err
		}
		if versionOf(item) != w.Seen {
			continue
		}
		if check.Seen++; digestOf(item) != w.Digest {
			check.Found++
		}
	}
	return check, nil
}

// digestOf is a digest of every attribute of a row.
func digestOf(item table.Item) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(item)) {
		fmt.Fprintf(h, "%d:%s", len(name), name)
		if b, ok := item[name].(*types.AttributeValueMemberB); ok {
			fmt.Fprintf(h, "%d:%s", len(b.Value), b.Value)
		}
		fmt.Fprintf(h, "%T", item[name])
		visit(item[name], func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) })
	}
	return hex.EncodeToString(h.Sum(nil))
}
