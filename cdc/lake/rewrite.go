package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/insideout-go/insideout"
)

// Edit says what becomes of an event when objects are rewritten.
type Edit int

// What [Lake.Rewrite] does with an event.
const (
	Keep    Edit = iota // leave it as it is, byte by byte
	Drop                // take it out
	Replace             // put what the editor made of it in its place
)

// RewriteOptions adjust a rewrite. Nil and zero values are the defaults.
type RewriteOptions struct {
	// DryRun counts what would be done, and writes nothing.
	DryRun bool
}

// Rewritten counts what a rewrite did.
type Rewritten struct {
	Objects   int    // that were looked at
	Skipped   int    // that the index said have no event of the query
	Changed   int    // that were written anew
	Dropped   int    // events that were taken out
	Replaced  int    // events that others were put in the place of
	LastDone  string // the last object that is done, for [Query.After]
	BytesRead int64  // of objects, compressed
}

// Rewrite hands every event of the query to edit, and writes the objects in which something is to change anew: without the events
// that are dropped, with others in the place of those that are replaced, and else as they were, byte by byte. It is for erasing
// what an event says in plain. edit gets a copy of the event that it may change; it must leave ID, Timestamp, Type and
// PartitionKey as they are, must give the same answer for the same event, and must not write to the lake, but for [Lake.Discard].
//
// Each object is replaced whole, on the condition that nobody has changed it meanwhile; else it is looked at again. Readers see it as
// it was or as it will be. The index follows. In a folder, the one writer may be at work. Calling again goes on where a call has
// ended and finds nothing to do where all is done. An event in an envelope of EventBridge is replaced within its envelope; what a
// claim check stands for is not looked at, see [ClaimOf] and [Lake.Discard]. Earlier versions that a bucket keeps, and backups, are not
// in its reach.
//
// What cannot be read is an error, unless q.Damaged lets it pass; it then stays as it is.
func (l *Lake) Rewrite(ctx context.Context, q Query, edit func(e *insideout.Event) (Edit, error), opts *RewriteOptions) (Rewritten, error) {
	var done Rewritten
	if err := l.checkWrite(ctx); err != nil {
		return done, err
	}
	dry := opts != nil && opts.DryRun
	f := q.filter()
	for h, err := range l.hours(ctx, q) {
		if err == nil {
			err = l.rewriteHour(ctx, h, &rewriting{lake: l, filter: f, edit: edit, dry: dry, done: &done})
		}
		if err != nil {
			if err = f.damaged(err); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// rewriting is the rewrite of an hour.
type rewriting struct {
	lake   *Lake
	filter *filter
	edit   func(e *insideout.Event) (Edit, error)
	dry    bool
	done   *Rewritten
}

func (l *Lake) rewriteHour(ctx context.Context, h *hour, r *rewriting) error {
	known, err := l.hourIndex(ctx, h)
	if err != nil {
		return err
	}
	var lines []indexLine
	stale := false
	for _, object := range h.objects {
		object.Summary = known.summary(object)
		_, listed := known.lines[path.Base(object.Name)]
		stale = stale || listed && object.Summary == nil
		if object.Summary != nil && !r.filter.may(object.Summary) {
			r.done.Skipped++
		} else {
			line, err := r.object(ctx, object)
			if err != nil {
				err = r.filter.damaged(err)
			}
			if err != nil {
				return errors.Join(err, l.rewriteIndex(ctx, h, r, lines, stale))
			}
			if line != nil {
				lines = append(lines, *line)
			}
		}
		r.done.LastDone = object.Name
		if r.filter.Done != nil {
			r.filter.Done(object)
		}
	}
	return l.rewriteIndex(ctx, h, r, lines, stale)
}

// rewriteIndex takes out of the index what it says about objects that are no more, also after a rewrite that was broken off.
func (l *Lake) rewriteIndex(ctx context.Context, h *hour, r *rewriting, lines []indexLine, stale bool) error {
	if r.dry || len(lines) == 0 && !stale {
		return nil
	}
	return l.saveIndex(ctx, h.folder(), lines)
}

// object rewrites one object, and returns its line for the index if it was changed.
func (r *rewriting) object(ctx context.Context, object Object) (*indexLine, error) {
	for try := 1; ; try++ {
		if err := r.lake.check(ctx); err != nil {
			return nil, err
		}
		put := r.lake.store.Put
		folder, _ := r.lake.store.(*Folder)
		release := func() error { return nil }
		if folder != nil && try > 2 {
			// Its writer is faster: it waits for this once.
			var err error
			if release, err = folder.turn(ctx); err != nil {
				return nil, err
			}
			put = func(_ context.Context, name string, data []byte, version string) (string, error) {
				return folder.put(name, data, version)
			}
		}
		before := *r.done
		line, err := r.once(ctx, object, put)
		err = errors.Join(err, release())
		if errors.Is(err, ErrChanged) && try < maxTries {
			*r.done = before
			continue
		}
		return line, err
	}
}

type putFunc func(ctx context.Context, name string, data []byte, version string) (string, error)

// once makes one attempt.
func (r *rewriting) once(ctx context.Context, object Object, put putFunc) (*indexLine, error) {
	c, err := r.lake.store.Open(ctx, object.Name)
	if err != nil {
		return nil, err
	}
	r.done.Objects++
	r.done.BytesRead += c.Bytes
	data, summary, err := r.content(ctx, c)
	if err = errors.Join(err, c.Close()); err != nil || data == nil {
		return nil, err
	}
	r.done.Changed++
	if r.dry {
		return nil, nil
	}
	now := c.Object
	if now.Version, err = put(ctx, object.Name, data, c.Version); err != nil {
		return nil, err
	}
	if summary == nil {
		return nil, nil
	}
	summary.sort()
	line := summary.line(now)
	return &line, nil
}

// content returns the object as it is to be, nil if it may stay, and the summary of that, nil if a part is damaged.
func (r *rewriting) content(ctx context.Context, c Content) ([]byte, *Summary, error) {
	var out bytes.Buffer
	summary, changed, line := newSummary(), false, 1
	for m, err := range members(c) {
		if err != nil {
			// Nothing is known of what lies behind it, so that nothing may be cut off.
			return nil, nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("lake: %w", err)
		}
		text, s, err := r.text(c.Name, m.data, line)
		if err != nil {
			return nil, nil, err
		}
		line += bytes.Count(m.data, newline)
		if s == nil || summary == nil {
			summary = nil
		} else {
			summary.merge(s)
		}
		part := make([]byte, m.end-m.start)
		switch {
		case text != nil && m.plain:
			changed, part = true, text
		case text != nil:
			changed = true
			if part, err = r.lake.gzip(text); err != nil {
				return nil, nil, err
			}
		default:
			if _, err := c.ReadAt(part, m.start); err != nil {
				return nil, nil, fmt.Errorf("lake: %q: %w", c.Name, err)
			}
		}
		out.Write(part)
	}
	if !changed {
		return nil, nil, nil
	}
	// An object whose events are all gone stays, empty: its name tells a publisher who tries again that the batch was there.
	return append([]byte{}, out.Bytes()...), summary, nil
}

// text edits the events in a text. It returns nil if nothing is to change.
func (r *rewriting) text(name string, text []byte, line int) ([]byte, *Summary, error) {
	var d decoder
	var out []byte
	changed, at := false, 0
	summary, keys := newSummary(), map[string]uint32{}
	for v := range values(text, line) {
		verdict, edited, kept := Keep, []byte(nil), insideout.Event{}
		err := v.err
		if err == nil {
			verdict, edited, kept, err = r.value(&d, v)
		}
		if own, ok := errors.AsType[*editError](err); ok {
			return nil, nil, own.err
		}
		if err != nil {
			if err = r.filter.damaged(damage(name, v.line, 0, err)); err != nil {
				return nil, nil, err
			}
			summary = nil
		}
		if verdict != Keep && !changed {
			changed, out = true, slices.Clone(text[:at])
		}
		at += len(v.text)
		switch {
		case verdict == Replace:
			before, after, _ := bytes.Cut(v.text, v.json)
			out = append(append(append(out, before...), edited...), after...)
		case verdict == Keep && changed:
			out = append(out, v.text...)
		}
		if verdict != Drop && summary != nil {
			summary.add(&kept, keys)
		}
	}
	if summary != nil {
		for _, hash := range keys {
			summary.keys = append(summary.keys, hash)
		}
	}
	if !changed {
		return nil, summary, nil
	}
	return append(out, text[at:]...), summary, nil
}

// editError tells an error of the editor from damage.
type editError struct{ err error }

func (e *editError) Error() string { return e.err.Error() }

// value asks the editor about one event.
func (r *rewriting) value(d *decoder, v value) (Edit, []byte, insideout.Event, error) {
	e, wanted, err := d.decode(v.json, r.filter)
	if err != nil || !wanted {
		return Keep, nil, e, err
	}
	edited := e.Clone()
	verdict, err := r.edit(&edited)
	if err != nil {
		return Keep, nil, e, &editError{fmt.Errorf("lake: event %q: %w", e.ID, err)}
	}
	switch verdict {
	case Drop:
		r.done.Dropped++
	case Replace:
		if edited.ID != e.ID || !edited.Timestamp.Equal(e.Timestamp) || edited.Type != e.Type || edited.PartitionKey != e.PartitionKey {
			return Keep, nil, e, &editError{fmt.Errorf("lake: event %q: its id, timestamp, type and partition key must stay", e.ID)}
		}
		line, err := edited.MarshalJSON()
		if err != nil {
			return Keep, nil, e, &editError{fmt.Errorf("lake: %w", err)}
		}
		line = rewrap(v.json, line)
		if bytes.Equal(line, v.json) {
			return Keep, nil, e, nil
		}
		r.done.Replaced++
		return Replace, line, edited, nil
	}
	return verdict, nil, e, nil
}
