package crypto

import (
	"context"

	"github.com/insideout-go/insideout"
)

// Rows is what Reseal walks: the rows of a model with their sealed fields.
type Rows interface {
	// Page is some of the rows behind a cursor, "" being the start, and the cursor behind them, "" being the end. A field has its
	// Origin and Ciphertext; or Plaintext and no Ciphertext, where it was stored in plain text before the model sealed it.
	Page(ctx context.Context, cursor string) (rows []Row, next string, err error)
	// Replace stores the new Ciphertexts of a row, if the row still has those that Page read. It reports false if it has not.
	Replace(ctx context.Context, row Row) (bool, error)
}

// Row is a row with its sealed fields. Key is the walker's own.
type Row struct {
	Key    any
	Fields []insideout.SealedField
}

// ResealProgress counts what Reseal has found. Left is what another run has to look at.
type ResealProgress struct {
	Rows     int    // seen
	Fields   int    // seen
	Resealed int    // moved to the current key of their subject
	Plain    int    // of those, the ones that were plain text
	Dead     int    // fields whose key is shredded, restricted or disabled; they stay as they are
	Left     int    // fields of rows that changed meanwhile
	Cursor   string // to go on from: keep it, and give it to the next call. Empty at the end.
}

// Reseal moves every field to the current key of its subject, and seals those that are plain text: after RotateSubject, or when a
// model begins to seal. A row whose fields are all of current keys is not written. From is "" or the cursor of an earlier call that was
// interrupted; progress, which may be nil, hears of every page, and ends the job by an error. A job that is run again does what is
// left and nothing twice. An error names the field that does not open; what came before it is done.
func (s *Sealer) Reseal(ctx context.Context, rows Rows, from string, progress func(ResealProgress) error) (ResealProgress, error) {
	p := ResealProgress{Cursor: from}
	for {
		page, next, err := rows.Page(ctx, p.Cursor)
		if err != nil {
			return p, s.fault("reseal", err)
		}
		for _, row := range page {
			if err := s.resealRow(ctx, rows, row, &p); err != nil {
				return p, s.fault("reseal", err)
			}
		}
		p.Cursor = next
		if progress != nil {
			if err := progress(p); err != nil {
				return p, s.fault("reseal", err)
			}
		}
		if next == "" {
			return p, nil
		}
	}
}

func (s *Sealer) resealRow(ctx context.Context, rows Rows, row Row, p *ResealProgress) error {
	p.Rows++
	p.Fields += len(row.Fields)
	stale, dead, plain, err := s.stale(ctx, row.Fields)
	p.Dead += dead
	if err != nil || len(stale) == 0 {
		return err
	}
	fields := make([]insideout.SealedField, 0, len(stale))
	for _, i := range stale {
		fields = append(fields, row.Fields[i])
	}
	if err := s.Seal(ctx, fields); err != nil {
		return err
	}
	row.Fields = fields
	done, err := rows.Replace(ctx, row)
	switch {
	case err != nil:
		return err
	case !done:
		p.Left += len(fields)
	default:
		p.Resealed += len(fields)
		p.Plain += plain
	}
	return nil
}

// stale opens the fields that are not of the current key of their subject, and gives their places.
func (s *Sealer) stale(ctx context.Context, fields []insideout.SealedField) (at []int, dead, plain int, err error) {
	keys, err := s.load(ctx, fields, false)
	if err != nil {
		return nil, 0, 0, err
	}
	for i := range fields {
		if fields[i].Ciphertext == nil {
			at, plain = append(at, i), plain+1
			continue
		}
		id, err := readHead(fields[i].Ciphertext)
		if err != nil {
			return nil, 0, 0, s.fieldFault("reseal", fields[i].Origin, err)
		}
		found := keys.of(fields[i].Origin.Subject)
		if found.err == nil && found.keys.current != nil && found.keys.current.id == id {
			continue
		}
		one := []insideout.SealedField{fields[i]}
		if err := s.Open(ctx, one); err != nil {
			return nil, 0, 0, err
		}
		if one[0].Err != nil {
			dead++
			continue
		}
		fields[i].Plaintext = one[0].Plaintext
		at = append(at, i)
	}
	return at, dead, plain, nil
}
