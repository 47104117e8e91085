package views

import (
	"context"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout"
)

// memberEEM is the member of an event that tells what is sealed in it, and where it was.
const memberEEM = "eem"

// unseal gives the Sealed values of what a mapper gets their origins, and opens them with o where there is one, in one call. v points to
// what the event was decoded into.
func unseal(ctx context.Context, o insideout.Opener, d *delivery, v any) error {
	if d.event.Body[memberEEM] == nil {
		return nil
	}
	if err := d.event.BindSealed(v); err != nil || o == nil {
		return err
	}
	if err := insideout.OpenSealed(ctx, judging{o}, v); err != nil {
		return fmt.Errorf("views: opening what is sealed in the event: %w", err)
	}
	return nil
}

// judging is an Opener whose errors tell what becomes of the event: a value that does not open will never do, keys that are not to
// be had may be later.
type judging struct{ insideout.Opener }

func (j judging) Open(ctx context.Context, fields []insideout.SealedField) error {
	err := j.Opener.Open(ctx, fields)
	switch {
	case err == nil:
		return nil
	case judgeMapper(err) == retry:
		return Retry(err)
	}
	for i := range fields {
		if fault := fields[i].Err; fault != nil && !erased(fault) && !passes(fault) {
			return Poison(err)
		}
	}
	return &verdictError{unsure, err}
}

// erased reports whether an error is what became of a value, and not a fault: its key was destroyed, or may not be used.
func erased(err error) bool {
	return errors.Is(err, insideout.ErrShredded) || errors.Is(err, insideout.ErrRestricted)
}
