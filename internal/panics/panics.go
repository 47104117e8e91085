// Package panics turns a panic of what a user has written into an error that is the same on every delivery, and shows no values but a text.
package panics

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Error is a panic that was caught.
type Error struct {
	// Stack names the functions that led to it. It has no addresses, no arguments and no goroutine numbers, which tell secrets or differ from
	// delivery to delivery.
	Stack string

	what  string
	value any
}

// Error has the value of the panic only where it is a text or an error: another value may be a row, with all that is in it.
func (e *Error) Error() string {
	switch v := e.value.(type) {
	case string, error:
		return fmt.Sprintf("%s: %v", e.what, v)
	default:
		return fmt.Sprintf("%s with a value of the type %T", e.what, v)
	}
}

// Caught is what f returns; or an *Error, whose text starts with what, where f panics.
func Caught[T any](what string, f func() (T, error)) (result T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Error{Stack: stack(), what: what, value: v}
		}
	}()
	return f()
}

func stack() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)]) // behind the deferred function and the runtime's own
	var b strings.Builder
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "panics.Caught[...]") || !more {
			return b.String()
		}
		fmt.Fprintf(&b, "%s (%s:%d)\n", frame.Function, filepath.Base(frame.File), frame.Line)
	}
}
