// Orders is the main job of insideout, end to end: two autonomous services on one bus. The orders service takes commands from a
// file of invoices, and its trigger publishes what changed; the customers service listens, and keeps a lean view of what each
// customer bought.
//
//	command → row → change stream → domain event → listener → lean view → query
//
// It runs on the embedded engine, in memory or in a folder (-data), and on anything that speaks the DynamoDB API (-endpoint).
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed sample.csv
var sample []byte

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1   // the run failed
	exitBadInput    = 2   // a flag, a file, a folder or an endpoint is not usable
	exitInterrupted = 130 // stopped by Ctrl-C
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// badInput is an error that the user can mend: one line, exit code 2.
type badInput struct{ error }

func (b badInput) Unwrap() error { return b.error }

// options are the flags.
type options struct {
	in, data, endpoint, lake, dump string
	json                           bool
	chaos                          *uint64 // the seed
	erase                          []string
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	start := time.Now()
	opts, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	var summary Summary
	if err == nil {
		summary, err = runFlow(ctx, opts, stdin, stderr)
	}
	if err == nil {
		summary.ElapsedMS = time.Since(start).Milliseconds()
		err = summary.write(stdout, opts)
	}
	return report(ctx, err, opts, stderr)
}

// report says in one line what went wrong, and chooses the exit code.
func report(ctx context.Context, err error, opts options, stderr io.Writer) int {
	switch _, bad := errors.AsType[badInput](err); {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		again := ""
		if opts.data != "" || opts.endpoint != "" {
			again = "; the same command goes on where it stopped"
		}
		fmt.Fprintf(stderr, "orders: interrupted%s\n", again)
		return exitInterrupted
	case bad:
		fmt.Fprintf(stderr, "orders: %s\n", oneLine(err.Error()))
		return exitBadInput
	default:
		fmt.Fprintf(stderr, "orders: %s\n", oneLine(err.Error()))
		return exitFailure
	}
}

// oneLine is the first line of a text: what others put below it is for their developers.
func oneLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.in, "in", "", "read invoices from `FILE`, a CSV in the columns of the UCI Online Retail data set; - is standard input (default: the sample in the folder)")
	flags.StringVar(&opts.data, "data", "", "keep the embedded engine's data in `DIR` (default: memory)")
	flags.StringVar(&opts.endpoint, "endpoint", "", "use the DynamoDB endpoint at `URL` instead of the embedded engine; aws means the environment's region")
	flags.StringVar(&opts.lake, "lake", "", "keep every published event in `DIR`, as JSON lines")
	flags.Func("chaos", "deliver every event one to four times, shuffled across batches, to listeners that crash and whose table throttles and loses answers; `SEED` is an integer", opts.setChaos)
	flags.Func("erase", "erase the customers `ID[,ID…]` afterwards, wherever they are, and print the receipts", opts.setErase)
	flags.StringVar(&opts.dump, "dump", "", "write the view as CSV to `FILE`")
	flags.BoolVar(&opts.json, "json", false, "print the summary as one JSON object")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: orders [flags]")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return opts, err
	case err != nil:
		return opts, badInput{fmt.Errorf("%w; -h lists the flags", err)}
	case flags.NArg() > 0:
		return opts, badInput{fmt.Errorf("unexpected argument %q; the file of invoices goes to -in", flags.Arg(0))}
	case opts.data != "" && opts.endpoint != "":
		return opts, badInput{errors.New("-data and -endpoint exclude each other: the data is either in a folder or at the endpoint")}
	}
	return opts, checkDump(opts.dump)
}

func (o *options) setChaos(text string) error {
	seed, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return errors.New("the seed is not an integer")
	}
	o.chaos = new(uint64(seed))
	return nil
}

// checkDump finds out before the work, not after it, that the dump cannot be written.
func checkDump(file string) error {
	if file == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(file)); err != nil {
		return badInput{fmt.Errorf("-dump: %w", err)}
	} else if !info.IsDir() {
		return badInput{fmt.Errorf("-dump: %s is not a directory", filepath.Dir(file))}
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return badInput{fmt.Errorf("-dump: %s is a directory; name a file", file)}
	}
	return nil
}

// openInput returns the invoices, and the name under which their progress is noted.
func openInput(ctx context.Context, opts options, stdin io.Reader) (in io.Reader, name string, done func(), err error) {
	switch opts.in {
	case "":
		return bytes.NewReader(sample), "sample.csv", func() {}, nil
	case "-":
		return readOnce(ctx, func() (io.Reader, error) { return stdin, nil }), "", func() {}, nil
	}
	info, err := os.Stat(opts.in)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; it takes a file", opts.in)
	}
	if err != nil {
		return nil, "", nil, badInput{fmt.Errorf("-in: %w", err)}
	}
	if !info.Mode().IsRegular() {
		return readOnce(ctx, func() (io.Reader, error) { return os.Open(opts.in) }), "", func() {}, nil
	}
	file, err := os.Open(opts.in)
	if err != nil {
		return nil, "", nil, badInput{err}
	}
	return file, filepath.Base(opts.in), func() { _ = file.Close() }, nil
}

// readOnce reads from what may wait for ever, such as a terminal or a pipe without a writer, until the context ends.
func readOnce(ctx context.Context, open func() (io.Reader, error)) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	go func() {
		from, err := open()
		if err == nil {
			_, err = io.Copy(in, from)
		}
		in.CloseWithError(err)
	}()
	return out
}
