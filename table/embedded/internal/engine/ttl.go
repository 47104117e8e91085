package engine

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

const (
	// maxExpired is the age beyond which DynamoDB takes an expiry for a mistake.
	maxExpired = 5 * 365 * 24 * time.Hour
	// sweepChunk is how many rows one removal takes.
	sweepChunk = 100
)

// expiryOf returns when an item expires, in seconds since 1970: a number,
// cut to whole seconds.
func expiryOf(item attr.Item, name string) (int64, bool) {
	v, ok := item[name]
	if !ok || v.Kind() != attr.Num {
		return 0, false
	}
	whole, _, _ := strings.Cut(v.Num().String(), ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	return seconds, err == nil && seconds > 0
}

// UpdateTimeToLive implements DynamoDB's operation.
func (e *Engine) UpdateTimeToLive(ctx context.Context, in *dynamodb.UpdateTimeToLiveInput) (*dynamodb.UpdateTimeToLiveOutput, error) {
	spec := in.TimeToLiveSpecification
	if err := checkTTL(in.TableName, spec); err != nil {
		return nil, err
	}
	name := tableName(in.TableName)
	e.mu.RLock()
	t := e.tables[name]
	e.mu.RUnlock()
	if t == nil {
		return nil, namedTableNotFound(name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch on := *spec.Enabled; {
	case t.dropped:
		return nil, namedTableNotFound(name)
	case on && t.meta.TTL == *spec.AttributeName:
		return nil, validation("TimeToLive is already enabled")
	case !on && t.meta.TTL == "":
		return nil, validation("TimeToLive is already disabled")
	case t.meta.TTL != "" && t.meta.TTL != *spec.AttributeName:
		return nil, validation("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.meta.TTL)
	case on:
		if err := e.enableTTL(t, *spec.AttributeName); err != nil {
			return nil, err
		}
	default:
		if err := e.disableTTL(t); err != nil {
			return nil, err
		}
	}
	return &dynamodb.UpdateTimeToLiveOutput{TimeToLiveSpecification: &types.TimeToLiveSpecification{
		AttributeName: new(*spec.AttributeName), Enabled: new(*spec.Enabled),
	}}, nil
}

func checkTTL(table *string, spec *types.TimeToLiveSpecification) error {
	var v violations
	v.table(table)
	const path = "timeToLiveSpecification"
	switch {
	case spec == nil:
		v.add(nil, path, notNull)
		return v.err()
	case spec.Enabled == nil:
		v.add(nil, path+".enabled", notNull)
	}
	switch name := spec.AttributeName; {
	case name == nil:
		v.add(nil, path+".attributeName", notNull)
	case *name == "":
		v.add("", path+".attributeName", "Member must have length greater than or equal to 1")
	case len(*name) > maxNameLength:
		v.add(*name, path+".attributeName", "Member must have length less than or equal to 255")
	}
	return v.err()
}

// enableTTL writes the expiry of every row, and then the description: if it
// breaks off, the entries are not used, and removed by the next attempt.
func (e *Engine) enableTTL(t *table, name string) error {
	var clear kv.Batch
	clear.DeleteRange(prefixRange(expiryPrefix(t.meta.ID)))
	if err := e.applyDurably(&clear); err != nil {
		return err
	}
	err := e.eachRow(t, func(b *kv.Batch, key []byte, item attr.Item, _ row) error {
		if seconds, ok := expiryOf(item, name); ok {
			b.Set(expiryKey(t.meta.ID, seconds, key), nil)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := e.saveTTL(t, &kv.Batch{}, name); err != nil {
		return err
	}
	e.startSweeper()
	return nil
}

func (e *Engine) disableTTL(t *table) error {
	var b kv.Batch
	b.DeleteRange(prefixRange(expiryPrefix(t.meta.ID)))
	return e.saveTTL(t, &b, "")
}

func (e *Engine) saveTTL(t *table, b *kv.Batch, name string) error {
	m := t.meta
	m.TTL = name
	if err := putJSON(b, tableMetaKey(m.Name), m); err != nil {
		return internal(err)
	}
	if err := e.applyDurably(b); err != nil {
		return err
	}
	t.meta.TTL = name
	return nil
}

// DescribeTimeToLive implements DynamoDB's operation.
func (e *Engine) DescribeTimeToLive(ctx context.Context, in *dynamodb.DescribeTimeToLiveInput) (*dynamodb.DescribeTimeToLiveOutput, error) {
	var v violations
	v.table(in.TableName)
	if err := v.err(); err != nil {
		return nil, err
	}
	t, err := e.table(in.TableName)
	if err != nil {
		return nil, namedTableNotFound(tableName(in.TableName))
	}
	defer t.mu.RUnlock()
	d := &types.TimeToLiveDescription{TimeToLiveStatus: types.TimeToLiveStatusDisabled}
	if t.meta.TTL != "" {
		d.TimeToLiveStatus, d.AttributeName = types.TimeToLiveStatusEnabled, new(t.meta.TTL)
	}
	return &dynamodb.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

// sweeper removes expired rows from time to time. It runs once a table has a
// time to live, and until the engine is closed.
type sweeper struct {
	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc
	done    chan struct{}
}

func (e *Engine) startSweeper() {
	s := &e.sweeper
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.cancel != nil || e.opts.TTLInterval < 0 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan struct{})
	go func() {
		defer close(s.done)
		tick := time.NewTicker(e.opts.TTLInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := e.Sweep(ctx); err != nil && ctx.Err() == nil {
				e.opts.Logger.Warn("embedded: removal of expired items failed", "error", err)
			}
		}
	}()
}

func (s *sweeper) stop() {
	s.mu.Lock()
	s.stopped = true
	cancel, done := s.cancel, s.done
	s.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// Sweep removes the rows that have expired by now.
func (e *Engine) Sweep(ctx context.Context) error {
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer e.leave()
	e.mu.RLock()
	names := sortedNames(e.tables)
	e.mu.RUnlock()
	for _, name := range names {
		for {
			n, err := e.sweepTable(ctx, name)
			if err != nil {
				return err
			}
			if n < sweepChunk {
				break
			}
		}
	}
	return nil
}

// sweepTable removes at most one chunk of rows, and returns how many it found.
func (e *Engine) sweepTable(ctx context.Context, name string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t, err := e.table(&name)
	if err != nil {
		return 0, nil // dropped meanwhile
	}
	defer t.mu.RUnlock()
	if t.meta.TTL == "" {
		return 0, nil
	}
	at := now()
	lo := expiryKey(t.meta.ID, max(at.Add(-maxExpired).Unix(), 0), make([]byte, rowPrefixLen))
	hi := expiryKey(t.meta.ID, at.Unix(), make([]byte, rowPrefixLen))
	var actions []*action
	for p, err := range e.store.Iterate(lo, hi, false) {
		if err != nil {
			return 0, internal(err)
		}
		a, err := t.expire(p.Key)
		if err != nil {
			return 0, err
		}
		if actions = append(actions, a); len(actions) == sweepChunk {
			break
		}
	}
	if len(actions) == 0 {
		return 0, nil
	}
	return len(actions), e.write(ctx, actions, nil, nil)
}

// expire makes the action of removing a row if it still has the expiry under
// which it was found.
func (t *table) expire(key []byte) (*action, error) {
	seconds := int64(binary.BigEndian.Uint64(key[rowPrefixLen:]))
	k := append(rowPrefix(t.meta.ID), key[expiryPrefixLen:]...)
	partition, sort, err := attr.DecodeKey(k[rowPrefixLen+4:])
	if err != nil {
		return nil, internal(err)
	}
	a := &action{t: t, expiry: true, key: rowKey{k, binary.BigEndian.Uint32(k[rowPrefixLen:]), partition, len(k) - len(sort)}}
	a.next = func(r *row) (attr.Item, error) {
		item, err := r.item()
		if err != nil {
			return nil, err
		}
		if is, ok := expiryOf(item, t.meta.TTL); ok && is == seconds {
			return nil, nil
		}
		return item, nil
	}
	return a, nil
}
