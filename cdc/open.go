package cdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// opened is the change with both images decoded and opened.
func (r *imageRule[T]) opened(ctx context.Context, o insideout.Opener, c *change) (Change[T], error) {
	typed := describe[T](c)
	latest, last := c.latest(), c.last()
	var items []table.Item
	if latest != nil {
		items = append(items, latest)
	}
	if last != nil {
		if _, err := r.model.Decode(last); err == nil || latest == nil {
			items = append(items, last)
		}
	}
	list, err := r.model.DecodeOpen(ctx, judging{o}, items...)
	if err != nil {
		return typed, err
	}
	if latest != nil {
		typed.New, list = &list[0], list[1:]
	}
	if len(list) > 0 {
		typed = typed.WithOld(&list[0])
	}
	return typed, nil
}

// judging is an Opener whose errors tell a value that does not open, and never will, from keys that are not to be had now.
type judging struct{ insideout.Opener }

func (j judging) Open(ctx context.Context, fields []insideout.SealedField) error {
	err := j.Opener.Open(ctx, fields)
	if err == nil {
		return nil
	}
	for i := range fields {
		fault := fields[i].Err
		erased := errors.Is(fault, insideout.ErrShredded) || errors.Is(fault, insideout.ErrRestricted)
		if fault != nil && !erased && !table.Retryable(fault) {
			return fmt.Errorf("%w: %v", errNotOpened, err) // not %w: that one value was erased says nothing of the others
		}
	}
	return fmt.Errorf("%w: %v", errNoKeys, err)
}

var (
	errNotOpened = errors.New("cdc: what is sealed in the row does not open")
	errNoKeys    = errors.New("cdc: the keys for what is sealed in the row could not be had")
)
