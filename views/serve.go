package views

import (
	"context"
	"errors"
)

// Source feeds a listener outside of Lambda, as Lambda's event source mappings do: package sqs below this one has the source
// for queues, kinesis the one for streams.
type Source interface {
	// Run hands what comes in to one of l's handlers, and has it come again as the answer says, until ctx ends. It then
	// takes in nothing more, finishes what it has in hand, and returns the error of ctx. Any other error is one that a
	// retry does not mend.
	Run(ctx context.Context, l *Listener) error
}

// Serve runs the listener on a source until ctx ends, which is no error: what was in hand then is finished, and answered. It
// is the main function of a program that is not a Lambda function:
//
//	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
//	defer stop()
//	err := views.Serve(ctx, source, listener)
//
// A listener may be served on several sources at a time, and a queue by any number of programs. Whatever is killed on the
// way comes again; nothing is lost, and what was applied before changes nothing.
func Serve(ctx context.Context, source Source, l *Listener) error {
	if source == nil || l == nil {
		return errors.New("views: Serve needs a source and a listener")
	}
	err := source.Run(ctx, l)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}
