package views

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// rebuildRow is how far a job is.
type rebuildRow struct {
	ID    string `dynamo:"id"`
	Below string `dynamo:"below"` // rows with a hash of the partition key up to this one, in hexadecimal, are written
}

var rebuildRows = table.DefineNode("rebuild", func(r *rebuildRow, d *table.Def[rebuildRow]) { d.ID(&r.ID) })

// rebuildState is the noted progress of a job.
type rebuildState struct {
	db      *table.DB
	row     rebuildRow
	started bool
	until   uint64 // what earlier runs wrote
	saved   time.Time
}

const saveEvery = time.Second

func loadState(ctx context.Context, db *table.DB, name string) (*rebuildState, error) {
	if idempotence.Lane(name).Valid() != nil {
		return nil, fmt.Errorf("views: the name %q of the rebuild is not made of letters, digits and \"-\", a letter first", name)
	}
	s := &rebuildState{db: db, row: rebuildRow{ID: "rebuild-" + name}, saved: time.Now()}
	stored, err := patient(ctx, func() (rebuildRow, error) { return rebuildRows.Get(ctx, db, s.row.ID) })
	if errors.Is(err, table.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("views: how far the rebuild %q is could not be read: %w", name, err)
	}
	if s.until, err = strconv.ParseUint(stored.Below, 16, 64); err != nil {
		return nil, fmt.Errorf("views: the rebuild %q has noted %q, which is no place", name, stored.Below)
	}
	s.row, s.started = stored, true
	return s, nil
}

// wrote tells whether an earlier run wrote the rows of a hash.
func (s *rebuildState) wrote(hash uint64) bool { return s.started && hash <= s.until }

// save notes that all rows up to a hash are written: about once a second, and at the end of a range.
func (s *rebuildState) save(ctx context.Context, hash uint64, now bool) error {
	if s.wrote(hash) || !now && time.Since(s.saved) < saveEvery {
		return nil
	}
	s.row.Below, s.saved = fmt.Sprintf("%016x", hash), time.Now()
	if _, err := patient(ctx, func() (struct{}, error) { return struct{}{}, rebuildRows.Save(ctx, s.db, s.row) }); err != nil {
		return fmt.Errorf("views: how far the rebuild is could not be noted: %w", err)
	}
	return nil
}

// delete forgets the job.
func (s *rebuildState) delete(ctx context.Context) error {
	_, err := patient(ctx, func() (struct{}, error) { return struct{}{}, rebuildRows.DeletePermanently(ctx, s.db, s.row.ID) })
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return fmt.Errorf("views: the rebuild is done, but what it noted could not be deleted: %w", err)
	}
	return nil
}

// patient makes a request again while it fails for a reason that may pass.
func patient[T any](ctx context.Context, request func() (T, error)) (T, error) {
	for attempt := 0; ; attempt++ {
		result, err := request()
		if err == nil || attempt == rebuildTries || !table.Retryable(err) || pauseLong(ctx, attempt) != nil {
			return result, err
		}
	}
}

// Phases of a rebuild, as Progress has them.
const (
	reading   = "reading"
	writing   = "writing"
	verifying = "verifying"
)

// Progress is how far a rebuild is.
type Progress struct {
	Phase     string  // "reading" events, "writing" lanes of rows, "verifying" rows
	Pass      int     // how often the history was begun
	Done      int64   // of the phase: events, lanes, or rows
	Total     int64   // of the phase; 0 where it is not known
	Rate      float64 // a second
	Remaining time.Duration
	ETA       time.Time // when the phase will be done; zero where it is not known
}

// progressMeter counts, and reports about once a second.
type progressMeter struct {
	call        func(Progress)
	phase       string
	pass        int
	done, total int64
	guessed     bool
	oldest      time.Time
	began, told time.Time
	share       float64
}

func (m *progressMeter) begin(phase string, pass int, total int64) {
	*m = progressMeter{call: m.call, phase: phase, pass: pass, total: total, began: time.Now(), told: time.Now(), guessed: total == 0}
}

// guess takes from the time of an event how much of the history is read: histories are in the order of time, about.
func (m *progressMeter) guess(at time.Time) {
	if m.oldest.IsZero() || at.Before(m.oldest) {
		m.oldest = at
	}
	if span := m.began.Sub(m.oldest); m.guessed && span > 0 {
		m.share = float64(at.Sub(m.oldest)) / float64(span)
	}
}

func (m *progressMeter) add(n int) {
	m.done += int64(n)
	if m.call == nil || time.Since(m.told) < time.Second {
		return
	}
	m.told = time.Now()
	m.call(m.progress())
}

func (m *progressMeter) progress() Progress {
	p := Progress{Phase: m.phase, Pass: m.pass, Done: m.done, Total: m.total}
	took := m.told.Sub(m.began)
	p.Rate = float64(m.done) / max(took.Seconds(), 1e-9)
	if m.guessed && m.share > 0.001 {
		p.Total = int64(float64(m.done) / min(m.share, 1))
	}
	if left := p.Total - p.Done; left >= 0 && p.Total > 0 && p.Rate > 0 {
		p.Remaining = time.Duration(float64(left) / p.Rate * float64(time.Second))
		p.ETA = m.told.Add(p.Remaining)
	}
	return p
}
