package lake

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/insideout-go/insideout"
)

// Query says which events to read. The zero value is every event.
type Query struct {
	From          time.Time // events that happened at From or later; the zero time: from the first one on
	To            time.Time // events that happened before To; the zero time: to the last one
	Region        string    // events in that region's folder; empty: in every region
	Types         []string  // events of these types, by their whole names; empty: of every type
	PartitionKeys []string  // events with these partition keys; empty: with any
}

// Events reads the events of the query: hour by hour, regions of the same hour by name, and within that in the order in which
// they were published, which need not be the order of their timestamps.
//
// It reads one batch at a time. A batch that is being written meanwhile may or may not be seen. An error is yielded once,
// as the last element: [ErrDamaged] wrapped if a file is damaged, ctx's if it ends. The sequence can be ranged over again
// and reads anew.
func (l *Lake) Events(ctx context.Context, q Query) iter.Seq2[insideout.Event, error] {
	return func(yield func(insideout.Event, error) bool) {
		if err := l.read(ctx, q, func(e insideout.Event) bool { return yield(e, nil) }); err != nil {
			yield(insideout.Event{}, err)
		}
	}
}

// read visits the events of the query until visit returns false.
func (l *Lake) read(ctx context.Context, q Query, visit func(insideout.Event) bool) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	l.leave()
	hours, err := l.hours(q)
	if err != nil {
		return err
	}
	for _, hour := range hours {
		names, err := l.files(hour.folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			more, err := l.readFile(ctx, name, q, visit)
			if err != nil || !more {
				return err
			}
		}
	}
	return nil
}

func (l *Lake) readFile(ctx context.Context, name string, q Query, visit func(insideout.Event) bool) (more bool, err error) {
	file, err := os.Open(filepath.Join(l.dir, filepath.FromSlash(name)))
	if err != nil {
		return false, fmt.Errorf("lake: %w", err)
	}
	defer file.Close()
	for m, err := range members(file, name) {
		if err != nil {
			return false, err
		}
		if err := ctx.Err(); err != nil {
			return false, fmt.Errorf("lake: %w", err)
		}
		for line := range bytes.Lines(m.data) {
			var e insideout.Event
			if err := e.UnmarshalJSON(line); err != nil {
				return false, fmt.Errorf("%w: file %q, in the batch that ends at byte %d: %w", ErrDamaged, name, m.end, err)
			}
			if q.wants(e) && !visit(e) {
				return false, nil
			}
		}
	}
	return true, nil
}

// touches reports whether an hour may have events of the query.
func (q Query) touches(start time.Time) bool {
	return (q.From.IsZero() || start.Add(time.Hour).After(q.From)) && (q.To.IsZero() || start.Before(q.To))
}

func (q Query) wants(e insideout.Event) bool {
	return (q.From.IsZero() || !e.Timestamp.Before(q.From)) &&
		(q.To.IsZero() || e.Timestamp.Before(q.To)) &&
		(len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) &&
		(len(q.PartitionKeys) == 0 || slices.Contains(q.PartitionKeys, e.PartitionKey))
}
