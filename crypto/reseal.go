package crypto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout"
)

// ResealProgress counts what Reseal has found, in fields but for Rows.
type ResealProgress struct {
	Rows     int    // seen
	Fields   int    // seen
	Resealed int    // moved to the current key of their subject
	Plain    int    // of those, the ones that were plain text
	Dead     int    // of a key that is shredded, restricted or disabled; they stay as they are
	Exposed  int    // plain text of a subject whose keys do not seal any more: to be erased
	Left     int    // of rows that changed meanwhile: for another run
	Refused  int    // damaged, or not of here: the error names the first ones
	Cursor   string // to go on from: keep it, and give it to the next call. Empty at the end.
}

const (
	// maxReplaces is how many rows are written at a time. Throttling is the client's to wait for.
	maxReplaces = 16
	// maxRefusals is how many of the fields that were refused an error names.
	maxRefusals = 10
)

// Reseal moves every field to the current key of its subject, and seals those that are plain text: after RotateSubject, or when a
// model begins to seal. Rows are those of table's DB.Sealed. A row whose fields are all of current keys is not written, and no row that somebody writes
// meanwhile loses anything: it is left for another run. Other processes seal with the older key until SubjectTTL after a rotation: wait for that.
//
// From is "" or the cursor of an earlier call that was interrupted; progress, which may be nil, hears of
// every page, and ends the job by an error. A job that is run again does what is left and nothing twice. It costs the reading of
// the rows, a request of the key table a hundred subjects, and a write of each row that has to change.
//
// A field that does not open stays as it is and holds up no other one; at the end, when the Cursor is empty, Reseal fails and names the first
// of them. Other errors end the job at once, to be gone on with from the Cursor.
func (s *Sealer) Reseal(ctx context.Context, rows insideout.SealedRows, from string, progress func(ResealProgress) error) (ResealProgress, error) {
	j := resealing{s: s, rows: rows, ResealProgress: ResealProgress{Cursor: from}}
	s.keys.subjects.evictAll(func(k subjectKey) bool { return k.namespace == s.namespace }) // another process may have rotated
	for {
		page, next, err := rows.Page(ctx, j.Cursor)
		if err == nil {
			err = j.page(ctx, page)
		}
		if err == nil {
			j.Cursor = next
			if progress != nil {
				err = progress(j.ResealProgress)
			}
		}
		if err != nil {
			return j.ResealProgress, s.fault("reseal", err)
		}
		if next == "" {
			return j.ResealProgress, j.refusal()
		}
	}
}

// resealing is a job under way.
type resealing struct {
	ResealProgress
	s       *Sealer
	rows    insideout.SealedRows
	refused []error
}

// moving is a field on its way to the current key.
type moving struct {
	insideout.SealedField
	row, at int
	plain   bool // until now
}

// page reseals the rows of a page: the keys of all subjects are loaded together, and rows are written side by side.
func (j *resealing) page(ctx context.Context, page []insideout.SealedRow) error {
	todo, err := j.stale(ctx, page)
	if err != nil {
		return err
	}
	if todo, err = j.open(ctx, todo); err != nil {
		return err
	}
	if err := j.seal(ctx, todo); err != nil {
		return err
	}
	return j.replace(ctx, page, todo)
}

// stale picks the fields that are plain text, or not of the current key of their subject.
func (j *resealing) stale(ctx context.Context, page []insideout.SealedRow) ([]moving, error) {
	var all []insideout.SealedField
	for _, row := range page {
		all = append(all, row.Fields...)
	}
	j.Rows, j.Fields = j.Rows+len(page), j.Fields+len(all)
	keys, err := j.s.load(ctx, all, false)
	if err != nil {
		return nil, err
	}
	var todo []moving
	for r, row := range page {
		for at, f := range row.Fields {
			if j.isStale(f, keys.of(f.Origin.Subject)) {
				todo = append(todo, moving{f, r, at, f.Ciphertext == nil})
			}
		}
	}
	return todo, nil
}

func (j *resealing) isStale(f insideout.SealedField, found loaded) bool {
	switch {
	case f.Err != nil:
		j.refuse(j.s.fieldFault("reseal", f.Origin, f.Err))
	case f.Ciphertext != nil:
		id, err := readHead(f.Ciphertext)
		return err != nil || found.err != nil || found.keys.current == nil || found.keys.current.id != id
	case f.Plaintext == nil:
		j.Left++
	case found.err == nil && usable(found.keys.state) != nil:
		j.Exposed++
	default:
		return true
	}
	return false
}

// open opens what is not plain text, and leaves out what does not open.
func (j *resealing) open(ctx context.Context, todo []moving) ([]moving, error) {
	var fields []insideout.SealedField
	for _, m := range todo {
		if !m.plain {
			fields = append(fields, m.SealedField)
		}
	}
	err := j.s.Open(ctx, fields)
	if err != nil && !errors.Is(err, ErrAuthentication) {
		return nil, err
	}
	opened := todo[:0]
	for _, m := range todo {
		if !m.plain {
			m.SealedField, fields = fields[0], fields[1:]
		}
		switch {
		case m.Err == nil:
			opened = append(opened, m)
		case outcome(m.Err):
			j.Dead++
		default:
			j.refuse(m.Err)
		}
	}
	return opened, nil
}

// seal seals all with one call.
func (j *resealing) seal(ctx context.Context, todo []moving) error {
	fields := make([]insideout.SealedField, len(todo))
	for i, m := range todo {
		fields[i] = insideout.SealedField{Origin: m.Origin, Plaintext: m.Plaintext}
	}
	if err := j.s.Seal(ctx, fields); err != nil {
		return err
	}
	for i := range todo {
		todo[i].SealedField = fields[i]
	}
	return nil
}

// replace writes the rows that have fields to move, several at a time.
func (j *resealing) replace(ctx context.Context, page []insideout.SealedRow, todo []moving) error {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxReplaces)
	for from := 0; from < len(todo); {
		row, fields, plain := page[todo[from].row], 0, 0
		row.Fields = slices.Clone(row.Fields)
		for to := from; from < len(todo) && todo[from].row == todo[to].row; from++ {
			row.Fields[todo[from].at] = todo[from].SealedField
			fields++
			if todo[from].plain {
				plain++
			}
		}
		g.Go(func() error {
			done, err := j.rows.Replace(ctx, row)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
			case done:
				j.Resealed, j.Plain = j.Resealed+fields, j.Plain+plain
			default:
				j.Left += fields
			}
			return err
		})
	}
	return g.Wait()
}

func (j *resealing) refuse(err error) {
	if j.Refused++; len(j.refused) < maxRefusals {
		j.refused = append(j.refused, err)
	}
}

// refusal is the error of a job that is through, and has met fields that do not open.
func (j *resealing) refusal() error {
	if j.Refused == 0 {
		return nil
	}
	return &Error{Op: "reseal", Namespace: j.s.namespace, Err: fmt.Errorf("%d fields stay as they are, the first of them: %w", j.Refused, errors.Join(j.refused...))}
}
