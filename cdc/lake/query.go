package lake

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout"
)

// Query says which events to read. The zero value is every event.
type Query struct {
	From          time.Time         // events that happened at From or later; the zero time: from the first one on
	To            time.Time         // events that happened before To; the zero time: to the last one
	Region        string            // events in that region's folder; empty: in every region
	Types         []string          // events of these types, by their whole names; empty: of every type
	PartitionKeys []string          // events with these partition keys; empty: with any
	Tags          map[string]string // events with all of these tags

	// After begins behind the object of that name, in the order of reading: where an earlier reading has ended. See Done.
	After string
	// Done is called when all events of an object were read, or skipped since the index says that there are none for the query. A
	// reading that begins after the object continues there. It runs in the reader's goroutine. Default: none.
	Done func(Object)
	// Read is called as the reading goes on, in the reader's goroutine, with the compressed bytes that the events handed out since the
	// call before it took; skipped objects count too, so that all calls sum up to the objects' sizes. Default: none.
	Read func(bytes int64)
	// Damaged decides about what cannot be read: nil goes on behind it, with the next line or, where the compressed data is
	// damaged, the next object; an error ends the reading with that error. Default: every damage ends it.
	Damaged func(error) error
}

// filter is a query in the form that every event is held against.
type filter struct {
	Query
	hashes []uint32 // of the partition keys
}

func (q Query) filter() *filter {
	f := &filter{Query: q}
	for _, key := range q.PartitionKeys {
		f.hashes = append(f.hashes, keyHash(key))
	}
	return f
}

// selective reports whether the index may help.
func (q Query) selective() bool { return len(q.Types)+len(q.PartitionKeys) > 0 }

func (q Query) wants(e *insideout.Event) bool {
	if !q.From.IsZero() && e.Timestamp.Before(q.From) || !q.To.IsZero() && !e.Timestamp.Before(q.To) ||
		len(q.Types) > 0 && !slices.Contains(q.Types, e.Type) ||
		len(q.PartitionKeys) > 0 && !slices.Contains(q.PartitionKeys, e.PartitionKey) {
		return false
	}
	for name, text := range q.Tags {
		if got, ok := e.Tags[name]; !ok || got != text {
			return false
		}
	}
	return true
}

// touches reports whether an object may have events of the query, by its place alone.
func (q Query) touches(p place) bool {
	late, early := time.Duration(0), time.Duration(0)
	if !p.ours() {
		late, early = lateBy, earlyBy
	}
	return (q.From.IsZero() || p.start.Add(time.Hour+early).After(q.From)) && (q.To.IsZero() || p.start.Add(-late).Before(q.To))
}

// check refuses what cannot be meant.
func (q Query) check() (after place, err error) {
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return after, fmt.Errorf("lake: the query ends at %s, not after %s, where it begins", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	}
	if q.Region != "" && !validRegion(q.Region) {
		return after, fmt.Errorf("lake: region %q is not made of letters, digits and \"-\"", q.Region)
	}
	if q.After == "" {
		return after, nil
	}
	after, ok := placeOf(q.After)
	if !ok {
		return after, fmt.Errorf("lake: %q, to begin after, is no object of the form REGION/yyyy/mm/dd/hh/NAME", q.After)
	}
	return after, nil
}

// hour is the objects of one hour and region that a query has to look at.
type hour struct {
	place
	objects []Object
	index   *Object // the object that has the index, if there is one
	err     error   // one of the objects lies where none should
}

// hours yields the objects that the query may concern by their places: in time order, regions of the same hour by name.
func (l *Lake) hours(ctx context.Context, q Query) iter.Seq2[*hour, error] {
	return func(yield func(*hour, error) bool) {
		after, err := q.check()
		if err != nil {
			yield(nil, err)
			return
		}
		regions, err := l.store.Folders(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		regions = slices.DeleteFunc(regions, func(r string) bool { return !validRegion(r) || q.Region != "" && r != q.Region })
		sources := make([]*source, 0, len(regions))
		for _, region := range regions {
			next, stop := iter.Pull2(l.regionHours(ctx, region, after, q))
			defer stop()
			sources = append(sources, &source{next: next})
		}
		merge(sources, yield)
	}
}

// source is the hours of one region.
type source struct {
	next func() (*hour, error, bool)
	head *hour
	done bool
}

// merge yields the hours of all sources in their order.
func merge(sources []*source, yield func(*hour, error) bool) {
	for {
		var first *source
		for _, s := range sources {
			if s.head == nil && !s.done {
				h, err, ok := s.next()
				if err != nil {
					yield(nil, err)
					return
				}
				s.head, s.done = h, !ok
			}
			if !s.done && (first == nil || s.head.compare(first.head.place) < 0) {
				first = s
			}
		}
		if first == nil || !yield(first.head, nil) {
			return
		}
		first.head = nil
	}
}

// regionHours yields the hours of one region in time order.
func (l *Lake) regionHours(ctx context.Context, region string, after place, q Query) iter.Seq2[*hour, error] {
	return func(yield func(*hour, error) bool) {
		var at *hour
		for object, err := range l.regionObjects(ctx, region, after, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			p, ok := placeOf(object.Name)
			if !ok {
				stray := fmt.Errorf("%w: %q is not of the form REGION/yyyy/mm/dd/hh/NAME", ErrDamaged, object.Name)
				if !yield(&hour{place: strayPlace(at, region), err: stray}, nil) {
					return
				}
				continue
			}
			if at != nil && p.start != at.start {
				if !yield(at, nil) {
					return
				}
				at = nil
			}
			if at == nil {
				at = &hour{place: place{start: p.start, region: region}}
			}
			at.add(object, p, after, q)
		}
		if at != nil {
			yield(at, nil)
		}
	}
}

func strayPlace(at *hour, region string) place {
	if at == nil {
		return place{region: region}
	}
	return at.place
}

func (h *hour) add(object Object, p, after place, q Query) {
	switch {
	case p.file == indexName:
		h.index = &object
	case p.hidden(), p.compare(after) <= 0 && after != place{}, !q.touches(p):
	default:
		h.objects = append(h.objects, object)
	}
}

// regionObjects lists what lies in the years of a region, within the range. Folders that are no years belong to others.
func (l *Lake) regionObjects(ctx context.Context, region string, after place, q Query) iter.Seq2[Object, error] {
	prefix := region + "/"
	from, to := prefix+"/", prefix+":" // what comes before and after the digits
	if start := after.start; q.After != "" {
		from = prefix + hourPath(start)
	}
	if !q.From.IsZero() {
		from = max(from, prefix+hourPath(q.From.Add(-time.Hour-earlyBy)))
	}
	if last := q.To.Add(lateBy); !q.To.IsZero() && last.UTC().Year() <= 9999 { // names of later years would sort before
		to = min(to, prefix+hourPath(last)+"/\xff")
	}
	return func(yield func(Object, error) bool) {
		for object, err := range l.store.List(ctx, prefix, from) {
			if err == nil && object.Name >= to {
				return
			}
			if strings.HasSuffix(object.Name, "/") { // what a console makes of a folder
				continue
			}
			if !yield(object, err) || err != nil {
				return
			}
		}
	}
}
