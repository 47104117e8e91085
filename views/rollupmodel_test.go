package views_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A model of the roll-up, small enough to look at every interleaving. Contributions are rows under the lock; whoever has written one, or found
// it there, rolls up: it reads the version of the totals, then the contributions, one by one, and writes totals if the version is still the same.
// Listeners may be killed before any step; what they had taken is then delivered again.

// rollAlgebra says how the model rolls up; the tests switch off one part of it at a time.
type rollAlgebra struct {
	swap       bool // the write is conditional on the version that was read
	tombstones bool // the digest of the contributions has the deleted ones
	evenFound  bool // whoever finds its contribution there rolls up too
}

// contribution is a row: its version, and what it adds; deleted ones add nothing.
type contribution struct {
	version int
	amount  int
	deleted bool
}

// rollEvent is a change of one contribution.
type rollEvent struct {
	row int
	contribution
}

const rollRows = 2

// rollWorld is what is stored.
type rollWorld struct {
	rows    [rollRows]contribution
	version int    // of the totals: counts them
	digest  string // of the contributions that they were made of
	total   int
}

// roller is a listener on its way through one event.
type roller struct {
	event   rollEvent
	at      int // 0 take, 1 write, 2 read the version, 3… read the rows, then write the totals
	seen    int
	read    [rollRows]contribution
	crashes int
	done    bool
}

func (a rollAlgebra) digestOf(rows [rollRows]contribution) string {
	var b strings.Builder
	for i, c := range rows {
		if c.version > 0 && (a.tombstones || !c.deleted) {
			fmt.Fprint(&b, i, "@", c.version, " ")
		}
	}
	return b.String()
}

// step makes the roller's next step.
func (a rollAlgebra) step(w rollWorld, r roller) (rollWorld, roller) {
	switch {
	case r.at == 0:
		r.at++
		if w.rows[r.event.row].version < r.event.version {
			w.rows[r.event.row] = r.event.contribution
		} else if !a.evenFound {
			r.done = true
		}
	case r.at == 1:
		r.seen = w.version
		r.at++
	case r.at < 2+rollRows:
		r.read[r.at-2] = w.rows[r.at-2]
		r.at++
	default:
		digest := a.digestOf(r.read)
		switch {
		case a.swap && w.version != r.seen:
			r.at = 1 // start again
		case w.version == r.seen && w.digest == digest && w.version > 0:
			r.done = true
		default:
			w.version, w.digest, w.total = w.version+1, digest, 0
			for _, c := range r.read {
				if !c.deleted {
					w.total += c.amount
				}
			}
			r.done = true
		}
	}
	return w, r
}

// rollState is everything at one moment.
type rollState struct {
	rollWorld
	rollers [3]roller
}

// ends are the totals with which it can all end.
func (a rollAlgebra) ends(events []rollEvent, crashes int) map[int]bool {
	ends, seen := map[int]bool{}, map[rollState]bool{}
	var visit func(s rollState)
	visit = func(s rollState) {
		if seen[s] {
			return
		}
		seen[s] = true
		finished := true
		for i, r := range s.rollers {
			if r.done {
				continue
			}
			finished = false
			next := s
			next.rollWorld, next.rollers[i] = a.step(s.rollWorld, r)
			visit(next)
			if r.at > 0 && r.crashes < crashes { // killed, and its event delivered again
				next = s
				next.rollers[i] = roller{event: r.event, crashes: r.crashes + 1}
				visit(next)
			}
		}
		if finished {
			ends[s.total] = true
		}
	}
	var start rollState
	for i := range start.rollers {
		start.rollers[i].done = i >= len(events)
		if i < len(events) {
			start.rollers[i].event = events[i]
		}
	}
	visit(start)
	return ends
}

// rollHistories are histories in which contributions come, change, and go.
var rollHistories = map[string]struct {
	events []rollEvent
	want   int
}{
	"two contributions":      {[]rollEvent{{0, contribution{1, 1, false}}, {1, contribution{2, 10, false}}}, 11},
	"one is corrected":       {[]rollEvent{{0, contribution{1, 1, false}}, {0, contribution{2, 5, false}}, {1, contribution{3, 10, false}}}, 15},
	"one goes":               {[]rollEvent{{0, contribution{1, 1, false}}, {0, contribution{2, 0, true}}, {1, contribution{3, 10, false}}}, 10},
	"one comes twice":        {[]rollEvent{{0, contribution{1, 1, false}}, {0, contribution{1, 1, false}}, {1, contribution{2, 10, false}}}, 11},
	"one comes and goes":     {[]rollEvent{{0, contribution{1, 1, false}}, {1, contribution{2, 10, false}}, {1, contribution{3, 0, true}}}, 1},
	"all go":                 {[]rollEvent{{0, contribution{1, 1, false}}, {0, contribution{2, 0, true}}}, 0},
	"it goes, comes, and is": {[]rollEvent{{0, contribution{1, 1, false}}, {0, contribution{2, 0, true}}, {0, contribution{3, 7, false}}}, 7},
}

// TestRollupInEveryInterleaving: whatever the order of the steps of three listeners, of which each may be killed once before any of
// them, the totals end as those of the contributions.
func TestRollupInEveryInterleaving(t *testing.T) {
	t.Parallel()
	for name, h := range rollHistories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, map[int]bool{h.want: true}, rollAlgebra{true, true, true}.ends(h.events, 1))
		})
	}
}

// TestRollupModelFindsFaults: without any one of its parts, the totals can come out wrong, and the model shows it.
func TestRollupModelFindsFaults(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]rollAlgebra{
		"swap":        {tombstones: true, evenFound: true},
		"tombstones":  {swap: true, evenFound: true},
		"roll up too": {swap: true, tombstones: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := 0
			for _, h := range rollHistories {
				if ends := a.ends(h.events, 1); len(ends) != 1 || !ends[h.want] {
					wrong++
				}
			}
			require.Positive(t, wrong)
		})
	}
}
