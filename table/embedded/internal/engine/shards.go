package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// maxChildren is how many shards may follow one.
const maxChildren = 16

// route finds the open shard for a partition. The stream is locked.
func (s *stream) route(hash uint32) *shard {
	for _, sh := range s.shards {
		if !sh.meta.closed() && sh.meta.From <= hash && hash <= sh.meta.To {
			return sh
		}
	}
	return nil
}

// lockShards finds the shards of the records and locks them, in one order for
// all writers, and their streams, so that no shard ends meanwhile.
func (e *Engine) lockShards(records []*record, at time.Time) ([]*shard, error) {
	var streams []*stream
	for _, r := range records {
		if !slices.Contains(streams, r.stream) {
			streams = append(streams, r.stream)
			if err := e.roll(r.stream, at); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(streams, func(a, b *stream) int { return cmp.Compare(a.meta.ID, b.meta.ID) })
	for _, s := range streams {
		s.mu.RLock()
	}
	var shards []*shard
	for _, r := range records {
		if r.shard = r.stream.route(r.hash); !slices.Contains(shards, r.shard) {
			shards = append(shards, r.shard)
		}
	}
	slices.SortFunc(shards, func(a, b *shard) int {
		return cmp.Or(cmp.Compare(a.stream.meta.ID, b.stream.meta.ID), cmp.Compare(a.meta.No, b.meta.No))
	})
	for _, sh := range shards {
		sh.mu.Lock()
	}
	return shards, nil
}

// unlockShards undoes lockShards.
func unlockShards(shards []*shard) {
	for i, sh := range shards {
		sh.mu.Unlock()
		if i == 0 || shards[i-1].stream != sh.stream {
			sh.stream.mu.RUnlock()
		}
	}
}

// roll lets children take over from the shards that are old enough, as
// DynamoDB does about every four hours.
func (e *Engine) roll(s *stream, at time.Time) error {
	if due := s.due.Load(); due == 0 || at.UnixMilli() < due {
		return nil
	}
	return e.reshard(s, 1, at.Add(-e.opts.ShardAge))
}

// Reshard closes the open shards of a table's stream and puts children in the
// place of each.
func (e *Engine) Reshard(name string, children int) error {
	if children < 1 || children > maxChildren {
		return validation("A shard has 1 to %d children", maxChildren)
	}
	t, err := e.table(&name)
	if err != nil {
		return namedTableNotFound(name)
	}
	defer t.mu.RUnlock()
	if t.stream == nil {
		return notFound("Table %s has no stream", name)
	}
	return e.reshard(t.stream, uint64(children), now())
}

// reshard ends the shards that were opened up to a moment, and forgets those
// whose records are past their retention. Writers wait until the children are stored.
func (e *Engine) reshard(s *stream, children uint64, upto time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b kv.Batch
	at, before := now().UTC(), s.shards
	s.shards = s.kept(&b, at)
	var parents []*shard
	for _, parent := range s.shards {
		if !parent.meta.closed() && !parent.opened().After(upto) {
			parent.end(at)
			parents = append(parents, parent)
			s.shards = append(s.shards, s.children(parent, children, at)...)
		}
	}
	err := internal(s.save(&b))
	if err == nil {
		err = e.applyDurably(&b)
	}
	if err != nil {
		s.shards = before
		for _, parent := range parents {
			parent.reopen()
		}
	}
	s.schedule(e.opts.ShardAge)
	return err
}

// kept lists the shards that still have records to read, and removes what is stored of the
// others.
func (s *stream) kept(b *kv.Batch, at time.Time) []*shard {
	var kept []*shard
	for _, sh := range s.shards {
		if sh.meta.closed() && at.Sub(sh.meta.ClosedAt) > retention {
			b.DeleteRange(prefixRange(shardPrefix(s.meta.ID, sh.meta.No)))
		} else {
			kept = append(kept, sh)
		}
	}
	return kept
}

// children follow a parent that has ended, and share what it took.
func (s *stream) children(parent *shard, n uint64, at time.Time) []*shard {
	last := max(parent.last, parent.meta.Start) // the number at which the parent ends
	width := uint64(parent.meta.To) - uint64(parent.meta.From) + 1
	n = min(n, width)
	var all []*shard
	for i := range n {
		no := s.meta.NextShard
		s.meta.NextShard++
		all = append(all, &shard{stream: s, last: last, meta: shardMeta{
			No: no, ID: shardID(at, no), Parent: parent.meta.ID, Opened: at, Start: last + 1, Last: last,
			From: parent.meta.From + uint32(i*width/n),
			To:   parent.meta.From + uint32((i+1)*width/n-1),
		}})
	}
	return all
}

// schedule notes when the next shard is old enough to end. Negative: never.
func (s *stream) schedule(age time.Duration) {
	s.due.Store(0)
	if age < 0 {
		return
	}
	for _, sh := range s.shards {
		if sh.meta.closed() {
			continue
		}
		at := sh.opened().Add(age).UnixMilli()
		if due := s.due.Load(); due == 0 || at < due {
			s.due.Store(at)
		}
	}
}

// opened is when a shard began; folders of the time before shards ended by
// themselves have it only for the stream.
func (sh *shard) opened() time.Time {
	if sh.meta.Opened.IsZero() {
		return sh.stream.meta.Created
	}
	return sh.meta.Opened
}

// end closes a shard that is still open.
func (sh *shard) end(at time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.meta.closed() {
		sh.meta.ClosedAt, sh.meta.Last = at, sh.last
	}
}

// reopen undoes end.
func (sh *shard) reopen() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.meta.ClosedAt = time.Time{}
}

// forgetStreams removes the streams that were turned off so long ago that
// nothing of them can be read. e.mu is held for writing, or nobody else is there.
func (e *Engine) forgetStreams() error {
	at := now()
	var b kv.Batch
	for arn, s := range e.streams {
		if s.expired(at) {
			b.Delete(streamMetaKey(s.meta.ID))
			b.DeleteRange(prefixRange(streamPrefix(s.meta.ID)))
			delete(e.streams, arn)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return e.applyDurably(&b)
}
