package views_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
	"github.com/insideout-go/insideout/table/embedded"
	"github.com/stretchr/testify/require"
)

// A model of the lock, small enough to look at everything that can happen. A row is a map of attributes. A write is one step,
// since the table makes it so. Listeners take events off a queue, write, and acknowledge; one that is killed between the two
// steps leaves its event to be taken again, by anyone.

// algebra says how the model writes; the tests switch off one part of the algebra at a time.
type algebra struct {
	tieBreak    bool // versions have the event's id, not the time alone
	replacement bool // attributes that the event does not have are removed
	lanes       bool // each source has its version
}

// step is an event of the model: a source's full state at a time; a nil state is a deletion.
type step struct {
	id     string
	millis int
	lane   idempotence.Lane
	state  map[string]string
}

// lanes and the attributes that they own.
var modelLanes = map[idempotence.Lane][]string{"": {"name", "email"}, "address": {"street"}}

// cell is a row of the model.
type cell map[string]string

func (a algebra) version(s step) string {
	if a.tieBreak {
		return fmt.Sprintf("%013d#%s", s.millis, s.id)
	}
	return fmt.Sprintf("%013d", s.millis)
}

func (a algebra) versionAttribute(s step) string {
	if a.lanes {
		return s.lane.VersionAttribute()
	}
	return idempotence.Lane("").VersionAttribute()
}

// apply is the conditional write: it returns the next row.
func (a algebra) apply(row cell, s step) cell {
	at := a.versionAttribute(s)
	if stored, ok := row[at]; ok && stored >= a.version(s) {
		return row
	}
	next := maps.Clone(row)
	next[at] = a.version(s)
	delete(next, s.lane.TombstoneAttribute())
	if s.state == nil {
		next[s.lane.TombstoneAttribute()] = "true"
	}
	for _, name := range modelLanes[s.lane] {
		if value, ok := s.state[name]; ok {
			next[name] = value
		} else if a.replacement || s.state == nil {
			delete(next, name)
		}
	}
	return next
}

// world is what there is at one moment: the row, how often each event may still be delivered, and whether it was
// acknowledged.
type world struct {
	row  cell
	left []int
	done []bool
}

func (w world) key() string { return fmt.Sprint(w.row, w.left, w.done) }

// explore goes through every order in which deliveries can be made, with every event delivered at least once, written
// again after a crash before the acknowledgement, and returns the rows in which it can all end.
func (a algebra) explore(history []step, deliveries int) map[string]cell {
	ends, seen := map[string]cell{}, map[string]bool{}
	start := world{row: cell{}, left: make([]int, len(history)), done: make([]bool, len(history))}
	for i := range start.left {
		start.left[i] = deliveries
	}
	var visit func(w world)
	visit = func(w world) {
		if seen[w.key()] {
			return
		}
		seen[w.key()] = true
		if !slices.Contains(w.done, false) {
			ends[fmt.Sprint(w.row)] = w.row
		}
		for i, s := range history {
			if w.left[i] == 0 {
				continue
			}
			next := world{a.apply(w.row, s), slices.Clone(w.left), slices.Clone(w.done)}
			next.left[i]--
			if next.left[i] > 0 { // killed between the write and the acknowledgement
				visit(next)
			}
			acknowledged := world{next.row, next.left, slices.Clone(next.done)}
			acknowledged.done[i] = true
			visit(acknowledged)
		}
	}
	visit(start)
	return ends
}

// inOrder is the row after one pass in order, once each.
func (a algebra) inOrder(history []step) cell {
	row := cell{}
	for _, s := range slices.SortedFunc(slices.Values(history), func(x, y step) int {
		return cmp.Or(cmp.Compare(x.millis, y.millis), cmp.Compare(x.id, y.id))
	}) {
		row = a.apply(row, s)
	}
	return row
}

// histories are all histories of n events out of states and deletions of two lanes, at two times.
func histories(n int) [][]step {
	kinds := []step{
		{state: map[string]string{"name": "a", "email": "b"}},
		{state: map[string]string{"name": "c"}},
		{},
		{lane: "address", state: map[string]string{"street": "d"}},
		{lane: "address"},
	}
	all := [][]step{nil}
	for i := range n {
		var longer [][]step
		for _, history := range all {
			for _, s := range kinds {
				for millis := range 2 {
					s.id, s.millis = fmt.Sprint("e", i), millis
					longer = append(longer, append(slices.Clone(history), s))
				}
			}
		}
		all = longer
	}
	return all
}

// diverging counts the histories that can end otherwise than one pass in order.
func (a algebra) diverging(events, deliveries int) (count, all int) {
	for _, history := range histories(events) {
		ends := a.explore(history, deliveries)
		want := a.inOrder(history)
		if len(ends) != 1 || ends[fmt.Sprint(want)] == nil {
			count++
		}
		all++
	}
	return count, all
}

// TestEveryInterleaving: in all histories of up to three events of two lanes, with ties and deletions, in every order, with
// every event delivered up to twice and listeners killed at every step, the row ends as after one pass in order.
func TestEveryInterleaving(t *testing.T) {
	t.Parallel()
	for events := range 4 {
		bad, all := algebra{true, true, true}.diverging(events, 2)
		require.Zero(t, bad, "of %d histories of %d events", all, events)
	}
}

// TestModelFindsFaults: without any one of its parts, the lock does not converge, and the model shows it.
func TestModelFindsFaults(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]algebra{
		"tie-break": {replacement: true, lanes: true}, "replacement": {tieBreak: true, lanes: true}, "lanes": {tieBreak: true, replacement: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, _ := a.diverging(2, 1)
			require.Positive(t, bad)
		})
	}
}

// TestModelIsTheListener holds the model to what the listener does: all histories of two events, in both orders, one at a
// time and in one batch.
func TestModelIsTheListener(t *testing.T) {
	t.Parallel()
	client := &counting{}
	db := newTable(t, func(e *embedded.DB) table.Client { client.DB = e; return client })
	l := newListener(t, db)
	whole := algebra{true, true, true}
	for n, history := range histories(2) {
		for order, batches := range [][][]int{{{0}, {1}}, {{1}, {0}}, {{0, 1}}, {{1, 0}}} {
			id := fmt.Sprintf("c%d-%d", n, order)
			for _, batch := range batches {
				var events []insideout.Event
				for _, i := range batch {
					events = append(events, history[i].event(id))
				}
				require.NoError(t, l.Handle(t.Context(), events))
			}
			require.Equal(t, whole.inOrder(history), stored(t, db, client, id), "%v in the order %v", history, batches)
		}
	}
}

// event is what the listener of the tests gets for a step.
func (s step) event(customer string) insideout.Event {
	kind := map[bool]string{true: "customer-registered", false: "customer-closed"}[s.state != nil]
	if s.lane != "" {
		kind = map[bool]string{true: "address-changed", false: "address-cleared"}[s.state != nil]
	}
	body := map[string]string{"id": customer}
	maps.Copy(body, s.state)
	e := event(s.id, kind, 0, "customer", body)
	e.Timestamp = time.UnixMilli(int64(s.millis))
	return e
}

// stored is the row of a customer in the terms of the model.
func stored(t *testing.T, db *table.DB, client table.Client, customer string) cell {
	t.Helper()
	name := db.Name()
	out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &name, Key: table.RowKey{PK: customer, SK: "customer"}.Item()})
	require.NoError(t, err)
	row := cell{}
	for lane, attributes := range modelLanes {
		for _, name := range slices.Concat(attributes, []string{lane.VersionAttribute()}) {
			if text, ok := out.Item[name].(*types.AttributeValueMemberS); ok {
				row[name] = text.Value
			}
		}
		if _, ok := out.Item[lane.TombstoneAttribute()]; ok {
			row[lane.TombstoneAttribute()] = "true"
		}
	}
	return row
}
