// Command insideout is the toolkit's program: a DynamoDB endpoint on this
// machine for any SDK, the AWS CLI and NoSQL Workbench; and what one does by hand
// with a lake of events and with the faults of listeners.
//
// Usage:
//
//	insideout serve [-addr 127.0.0.1:8000] [-dir DIR]
//	insideout lake ls|cat|replay [FLAG…] LAKE
//	insideout faults list|show|resubmit [FLAG…]
//
// Each explains its flags with -h. Start reading at [run]. It guarantees that whatever is wrong with its
// arguments, its port or its folder is one line on standard error and exit
// code 2, and that an interrupt ends it cleanly with 0.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it ran, and then something broke
	exitUsage  = 2 // it cannot start like this
)

const usage = `insideout turns the database inside out.

Usage: insideout COMMAND [FLAG…]

Commands:
  serve   a DynamoDB endpoint on this machine
  faults  list, show and resubmit what listeners and triggers could not apply
  lake    list, print and replay the events of a lake
  help    this text

insideout COMMAND -h describes the flags of a command.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// From the first signal on, a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes a command line until it is done or ctx ends, and returns the
// exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		return serve(ctx, rest, stdout, stderr)
	case "faults":
		return faults(ctx, rest, os.Stdin, stdout, stderr)
	case "lake":
		return lakeCommand(ctx, rest, stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return exitOK
	default:
		return refuse(stderr, "insideout", fmt.Errorf("no command %q; insideout help lists them", command))
	}
}

// refuse prints why a command cannot start, in one line.
func refuse(stderr io.Writer, command string, err error) int {
	fmt.Fprintln(stderr, command+": "+oneLine(err))
	return exitUsage
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
