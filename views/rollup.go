package views

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// Rollup keeps totals over the edges of a node, in a named lane of the node: an exact count, sum or whatever fold makes
// of them. The edges are contributions: rules of the same listener write one for each event or entity that counts, by
// the id of what it stands for, so that an event that comes twice is one contribution, and one that is corrected or
// withdrawn is corrected or withdrawn in the totals. One that goes over to another node takes two rules, for an event that tells both: Upsert
// of the edge of the new node, and, behind it, Remove of the old one's.
//
// fold gets a node that has nothing but its id, and every contribution that is not deleted, in the order of their keys.
// It sets the fields of the lane; the others are not written. It must be a function of its arguments.
//
// After the contributions of a batch are written, each node of which one was touched is rolled up once: a read of the
// lane's version, a read of all its edges, and a write if they changed since the totals were made. This costs reads in
// proportion to the number of contributions of the node, and is meant for up to a few thousand.
//
// # Why the totals are exact
//
// The version of the lane has a digest of the edges, of each one's key and versions, tombstones included, from which
// the totals were made. To roll up is: read the version v of the lane; then read the edges, consistently; then either
//
//   - find that v has the digest of the edges just read, and write nothing; or
//   - write totals and digest on the condition that the lane's version is still v, and start again if it is not.
//
// A contribution is always written before the roll-up that its listener makes for it, also if the write found it there:
// so an event that is delivered again, since a listener was killed in between, makes up for the missing roll-up.
//
// Take a contribution c. Its roll-up ends with totals that have c in them: if it wrote, it had read the edges after c
// was there; if it did not, the digest says that the totals were made with c. Let a later roll-up, anyone's, replace
// these totals. It wrote on the condition that the version was still the one of the totals it replaces, hence it had
// read that version after those totals were written, and so after c was; and it read the edges after the version. So
// its totals have c in them as well, and by induction all later ones, the last ones too. The digest must cover the
// tombstones: without them, edges that come and go make an old digest true again while a slower roll-up with other
// edges is still under way. That the edges are read in several pages does not matter, since the argument needs no
// snapshot.
func Rollup[C, O any](contributions *table.Edge[C], nodes *table.Node[O], lane idempotence.Lane, fold func(node *O, contributions []C)) Part {
	if contributions == nil || nodes == nil || fold == nil {
		return &rollup{wrong: errors.New("views: Rollup needs an edge, a node and a function that folds")}
	}
	return &rollup{
		name:  "rollup-" + nodes.Name() + "-" + string(lane),
		edges: contributions,
		lane:  lane,
		run: func(ctx context.Context, db *table.DB, pk string, anew bool) (rolled, error) {
			return rollUp(ctx, db, pk, contributions, nodes, lane, fold, anew)
		},
	}
}

// rollup is one Rollup of a listener.
type rollup struct {
	name  string
	edges any
	lane  idempotence.Lane
	wrong error
	run   func(ctx context.Context, db *table.DB, pk string, anew bool) (rolled, error)
}

// rolled is what one attempt to roll up did.
type rolled struct {
	reads, writes int64
	written       bool
	conflict      bool
}

func (r *rollup) apply(l *Listener) error {
	if r.wrong != nil {
		return r.wrong
	}
	l.rollups = append(l.rollups, r)
	if r.lane == "" {
		return fmt.Errorf("views: %s needs a named lane: the unnamed one belongs to what registers the node", r.name)
	}
	return r.lane.Valid()
}

func (r *rollup) check(l *Listener) error {
	for _, rule := range l.rules {
		if rule.model == r.edges {
			return nil
		}
	}
	return fmt.Errorf("views: %s: no rule of the listener writes its contributions", r.name)
}

// total is a node to roll up, with the events that touched it.
type total struct {
	rollup  *rollup
	pk      string
	sources []int
}

// rollUp rolls up each node of which the batch touched a contribution.
func (b *batch) rollUp(ctx context.Context) {
	totals := b.touchedTotals()
	b.each(len(totals), func(i int) { b.rollUpOne(ctx, totals[i]) })
}

func (b *batch) touchedTotals() []*total {
	var totals []*total
	index := map[string]*total{}
	for n, r := range b.rollups {
		for _, first := range b.rows {
			for work := first; work != nil; work = work.next {
				if !work.done || work.first.rule.model != r.edges {
					continue
				}
				id := strconv.Itoa(n) + " " + work.key.PK
				t := index[id]
				if t == nil {
					t = &total{rollup: r, pk: work.key.PK}
					index[id], totals = t, append(totals, t)
				}
				work.all(func(m *mutation) { t.sources = append(t.sources, m.source) })
			}
		}
	}
	return totals
}

// maxAttempts bounds the rounds against other listeners that write the same totals.
const maxAttempts = 100

var errContended = errors.New("views: other listeners kept writing the same totals")

func (b *batch) rollUpOne(ctx context.Context, t *total) {
	for attempt := range maxAttempts {
		done, err := limited(ctx, b, func(time.Time) (rolled, error) { return t.rollup.run(ctx, b.db, t.pk, b.anew) })
		b.countRolled(done)
		if err != nil {
			b.failTotal(t, err)
			return
		}
		if !done.conflict {
			return
		}
		if err := pause(ctx, attempt); err != nil {
			b.failTotal(t, err)
			return
		}
	}
	b.failTotal(t, errContended)
}

// pause lets the others get through: a random time that grows with the attempts.
func pause(ctx context.Context, attempt int) error {
	limit := min(100*time.Millisecond, time.Millisecond<<min(attempt, 10))
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (b *batch) countRolled(done rolled) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Reads += done.reads
	b.stats.Writes += done.writes
	if done.written {
		b.stats.RolledUp++
	}
	if done.conflict {
		b.stats.Conflicted++
	}
}

// failTotal has the events come again that touched the node, or makes faults of them if folding can never succeed.
func (b *batch) failTotal(t *total, err error) {
	v := judgeWrite(err)
	for _, source := range t.sources {
		b.judge(source, t.rollup.name, err, v)
	}
}
