package idempotence

import "context"

// Handler wraps a function such as the handler of a Lambda function so that it runs once for each key; see [Ledger.Do]. The lease is
// the time that the function has left, which Lambda gives as the context's deadline.
//
// The identify function gives the key of a request, and what must be the same whenever the key is: the request itself, the part of it
// that repetitions do not change, or nil for no check. Its error fails the call.
func Handler[In, Out any](
	l *Ledger[Out], identify func(In) (key string, payload any, err error), handle func(context.Context, In) (Out, error),
) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		var none Out
		if l == nil || identify == nil || handle == nil {
			return none, invalid("Handler needs a ledger and both functions")
		}
		key, payload, err := identify(in)
		if err != nil {
			return none, err
		}
		return l.Do(ctx, key, func(ctx context.Context) (Out, error) { return handle(ctx, in) }, Payload(payload))
	}
}
