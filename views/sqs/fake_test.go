package sqs_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/views"
	"github.com/stretchr/testify/require"
)

// queue is a queue in memory. One whose name ends with ".fifo" holds a group back while a message of it is in flight.
type queue struct {
	mu       sync.Mutex
	name     string
	messages []*message
	handles  int
	broken   func(op string) error // instead of the call
	refuse   func(op string) *bool // for one entry of a batch: whether the sender is to blame
	asked    []*sqs.ReceiveMessageInput
	deleted  int
	order    map[string][]string // the bodies of each group as they were deleted
}

type message struct {
	id, group, body, handle string
	sent, visible           time.Time
	received                int
}

func (q *queue) send(group, body string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = append(q.messages, &message{id: fmt.Sprint("m", len(q.messages)), group: group, body: body, sent: time.Now(), visible: time.Now()})
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages) - q.deleted
}

func (q *queue) fails(op string) error {
	if q.broken == nil {
		return nil
	}
	return q.broken(op)
}

func (q *queue) GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:" + q.name, "VisibilityTimeout": "30",
	}}, q.fails("GetQueueAttributes")
}

func (q *queue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	until := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	for {
		out, err := q.receive(in)
		if err != nil || len(out.Messages) > 0 || !time.Now().Before(until) {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (q *queue) receive(in *sqs.ReceiveMessageInput) (*sqs.ReceiveMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.fails("ReceiveMessage"); err != nil {
		return nil, err
	}
	q.asked = append(q.asked, in)
	out, now := &sqs.ReceiveMessageOutput{}, time.Now()
	held := map[string]bool{}
	for _, m := range q.messages {
		if m.group != "" && m.visible.After(now) {
			held[m.group] = true
		}
	}
	for _, m := range q.messages {
		if m.visible.After(now) || held[m.group] || len(out.Messages) == int(in.MaxNumberOfMessages) {
			continue
		}
		q.handles++
		m.received++
		m.handle, m.visible = fmt.Sprint("h", q.handles), now.Add(time.Duration(in.VisibilityTimeout)*time.Second)
		attributes := map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received), "SentTimestamp": fmt.Sprint(m.sent.UnixMilli())}
		if m.group != "" {
			attributes["MessageGroupId"] = m.group
		}
		out.Messages = append(out.Messages, types.Message{MessageId: &m.id, Body: &m.body, ReceiptHandle: aws.String(m.handle), Attributes: attributes})
	}
	return out, nil
}

// forever is when a deleted message is visible again.
var forever = time.Unix(1<<40, 0)

func (q *queue) settle(op, id, handle string, visible time.Time) (failed []types.BatchResultErrorEntry) {
	if q.refuse != nil {
		if sender := q.refuse(op); sender != nil {
			return []types.BatchResultErrorEntry{{Id: &id, SenderFault: *sender, Code: aws.String("Refused")}}
		}
	}
	i := slices.IndexFunc(q.messages, func(m *message) bool { return m.handle == handle })
	if i < 0 {
		return []types.BatchResultErrorEntry{{Id: &id, SenderFault: true, Code: aws.String("ReceiptHandleIsInvalid")}}
	}
	m := q.messages[i]
	m.visible = visible
	if visible.Equal(forever) {
		if q.order == nil {
			q.order = map[string][]string{}
		}
		q.order[m.group] = append(q.order[m.group], m.body)
		m.group = "gone"
		q.deleted++
	}
	return nil
}

func (q *queue) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := &sqs.DeleteMessageBatchOutput{}
	if err := q.fails("DeleteMessageBatch"); err != nil {
		return nil, err
	}
	for _, e := range in.Entries {
		out.Failed = append(out.Failed, q.settle("DeleteMessageBatch", *e.Id, *e.ReceiptHandle, forever)...)
	}
	return out, nil
}

func (q *queue) ChangeMessageVisibilityBatch(_ context.Context, in *sqs.ChangeMessageVisibilityBatchInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityBatchOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := &sqs.ChangeMessageVisibilityBatchOutput{}
	if err := q.fails("ChangeMessageVisibilityBatch"); err != nil {
		return nil, err
	}
	for _, e := range in.Entries {
		visible := time.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
		out.Failed = append(out.Failed, q.settle("ChangeMessageVisibilityBatch", *e.Id, *e.ReceiptHandle, visible)...)
	}
	return out, nil
}

// account is the view of the tests: the last value of each key.
type account struct {
	ID    string `dynamo:"id"`
	Value int    `dynamo:"value"`
}

var accounts = table.DefineNode("account", func(a *account, d *table.Def[account]) { d.ID(&a.ID) })

func newTable(t testing.TB) *table.DB {
	t.Helper()
	engine := embedded.New(nil)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	in, err := table.Schema(accounts).CreateTableInput("accounts")
	require.NoError(t, err)
	_, err = engine.CreateTable(context.Background(), in)
	require.NoError(t, err)
	db, err := table.Open(engine, "accounts", nil)
	require.NoError(t, err)
	return db
}

// seen keeps the values of each key, and when they came, in the order in which the listener got them.
type seen struct {
	mu      sync.Mutex
	values  map[string][]int
	times   []time.Time
	verdict func(key string, value int) error
}

func (s *seen) listener(t testing.TB, db *table.DB, opts *views.Options) *views.Listener {
	t.Helper()
	s.values = map[string][]int{}
	l, err := views.New(db, opts, views.Upsert(accounts, views.On("account-changed"), func(e insideout.Event) (account, error) {
		v, err := insideout.Body[int](e, "value")
		if err != nil {
			return account{}, err
		}
		s.mu.Lock()
		s.values[e.PartitionKey] = append(s.values[e.PartitionKey], v)
		s.times = append(s.times, time.Now())
		s.mu.Unlock()
		if s.verdict != nil {
			err = s.verdict(e.PartitionKey, v)
		}
		return account{ID: e.PartitionKey, Value: v}, err
	}))
	require.NoError(t, err)
	return l
}

// changed is the n-th event of a key. Its time lies behind all clocks, those of bubbles included.
func changed(key string, n int) string {
	e := insideout.Event{ID: fmt.Sprint(key, ".", n), Type: "account-changed", PartitionKey: key, Timestamp: time.UnixMilli(900_000_000_000 + int64(n))}
	if err := e.SetBody("value", n); err != nil {
		panic(err)
	}
	raw, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}
