package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/insideout-go/insideout/internal/backoff"
)

// explained says what is wrong with the flags of a command, or prints them if that was asked for.
func explained(err error, flags *flag.FlagSet, out io.Writer, command, operand string) error {
	if !errors.Is(err, flag.ErrHelp) {
		return fmt.Errorf("%w; insideout %s -h lists the flags", err, command)
	}
	fmt.Fprintf(out, "Usage: insideout %s [FLAG…]%s\n\nFlags:\n", command, operand)
	flags.SetOutput(out)
	flags.PrintDefaults()
	return err
}

// pace keeps a rate: what comes next comes no sooner than what was before it allows.
type pace struct{ next time.Time }

// longestPause keeps a very small rate from going round to none.
const longestPause = float64(100 * 365 * 24 * time.Hour)

// wait returns when n more may come, at so many a second; 0 is without bound.
func (p *pace) wait(ctx context.Context, rate float64, n int) error {
	if rate <= 0 {
		return ctx.Err()
	}
	if err := backoff.Sleep(ctx, time.Until(p.next)); err != nil {
		return err
	}
	p.next = time.Now().Add(time.Duration(min(longestPause, float64(n)/rate*float64(time.Second))))
	return nil
}
