package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insideout-go/insideout/cdc/lake/s3"
)

const faultsUsage = `insideout faults looks at the fault events that listeners and triggers publish, and sends their events again.

Usage:
  insideout faults list     [FLAG…]        a line for each fault
  insideout faults show     [FLAG…] ID…    whole faults, with the record of each
  insideout faults resubmit [FLAG…] -to D  the events of the faults, to where listeners take them from

Faults are read from a lake (-lake) or from a file of JSON lines (-in). Those of aws-lambda-stream are read too.

Exit codes: 0 all went well; 1 something did not, and standard error says what: a damaged line, a fault without an event, an event
that was not taken; 2 the arguments are wrong, or the faults cannot be opened.
`

// faultSettings are the flags of all three commands.
type faultSettings struct {
	verb        string
	in, lake    string
	endpoint    string
	filter      faultFilter
	json        bool
	limit       int
	to, as      string
	journal     string
	rate        float64
	dryRun      bool
	stdin       io.Reader
	out, errors io.Writer
}

// faultFilter says which faults are meant. Zero values mean all.
type faultFilter struct {
	ids, functions, pipelines, types words
	message                          string
	since, until                     time.Time
}

// words is a flag with several values, separated by commas.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }
func (w *words) Set(text string) error {
	*w = append(*w, strings.Split(text, ",")...)
	return nil
}

func (w words) take(word string) bool { return len(w) == 0 || slices.Contains(w, word) }

func (f faultFilter) takes(x fault) bool {
	return f.ids.take(x.ID) && f.functions.take(x.Function) && f.pipelines.take(x.Pipeline) && f.takesType(x) &&
		strings.Contains(x.Error.Message, f.message) &&
		(f.since.IsZero() || !x.Time.Before(f.since)) && (f.until.IsZero() || x.Time.Before(f.until))
}

func (f faultFilter) takesType(x fault) bool {
	return len(f.types) == 0 || slices.ContainsFunc(x.Types(), func(t string) bool { return slices.Contains(f.types, t) })
}

// faults runs one of the three commands.
func faults(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(stdout, faultsUsage)
		return exitOK
	}
	s := faultSettings{verb: args[0], stdin: stdin, out: stdout, errors: stderr}
	name := "insideout faults " + s.verb
	run := map[string]func(context.Context, faultSettings, faultSource) (int, error){
		"list": listFaults, "show": showFaults, "resubmit": resubmitFaults,
	}[s.verb]
	if run == nil {
		return refuse(stderr, "insideout faults", fmt.Errorf("no command %q; there are list, show and resubmit", s.verb))
	}
	if err := s.parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return refuse(stderr, name, err)
	}
	source, err := openFaults(ctx, s)
	if err != nil {
		return refuse(stderr, name, err)
	}
	defer source.close()
	wrong, err := run(ctx, s, source)
	if usage, bad := errors.AsType[badArgument](err); bad {
		return refuse(stderr, name, usage)
	}
	if err != nil {
		fmt.Fprintln(stderr, name+": "+oneLine(err))
	}
	if err != nil || wrong > 0 {
		return exitFailed
	}
	return exitOK
}

// badArgument is an error that shows before anything was done.
type badArgument struct{ error }

func (s *faultSettings) parse(args []string) error {
	flags := flag.NewFlagSet("insideout faults "+s.verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.lake, "lake", "", "read the faults of the lake in this `folder` or bucket, s3://BUCKET/PREFIX, also while it is written to")
	flags.StringVar(&s.endpoint, "endpoint", "", "the `URL` of a server of the S3 protocol on this machine, for s3://")
	flags.StringVar(&s.in, "in", "", "read the faults of this `file` of JSON lines, compressed if its name ends in .gz; - is standard input")
	flags.Var(&s.filter.functions, "function", "only faults of these `functions`, by their whole names, separated by commas")
	flags.Var(&s.filter.pipelines, "pipeline", "only faults of these `pipelines`")
	flags.Var(&s.filter.types, "type", "only faults of events of these `types`")
	flags.StringVar(&s.filter.message, "error", "", "only faults whose error message has this `text` in it")
	flags.Func("since", "only faults of this `time` or later: 2026-11-21T10:00:00Z, or a duration such as 36h before now", timeFlag(&s.filter.since))
	flags.Func("until", "only faults before this `time`", timeFlag(&s.filter.until))
	flags.BoolVar(&s.json, "json", false, "print JSON")
	if s.verb != "show" {
		flags.Var(&s.filter.ids, "id", "only the faults with these `ids`")
		flags.IntVar(&s.limit, "limit", 0, "stop after this `number` of faults (default: all)")
	}
	if s.verb == "resubmit" {
		flags.StringVar(&s.to, "to", "", "send to this `destination`: "+lakeDestinations)
		flags.StringVar(&s.as, "as", "events", "send `events`, or records: the payload {\"Records\":[…]} for the function that failed; records go to stdout or file: only")
		flags.Float64Var(&s.rate, "rate", 0, "at most this `number` of faults a second (default: as fast as they are taken)")
		flags.BoolVar(&s.dryRun, "dry-run", false, "send nothing, and list what would be sent")
		flags.StringVar(&s.journal, "journal", "", "note in this `file` what was sent, and pass over what it has: so the same command goes on after a kill")
	}
	err := flags.Parse(args)
	if err != nil {
		return explained(err, flags, s.out, "faults "+s.verb, "")
	}
	return s.check(flags.Args())
}

func (s *faultSettings) check(rest []string) error {
	switch {
	case s.verb == "show" && len(rest) == 0:
		return errors.New("whose faults? name their ids; insideout faults list shows them")
	case s.verb == "show":
		s.filter.ids = rest
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q; insideout faults %s -h lists the flags", rest[0], s.verb)
	}
	switch {
	case (s.in == "") == (s.lake == ""):
		return errors.New("one of -lake LAKE and -in FILE must say where the faults are")
	case s.endpoint != "" && !strings.HasPrefix(s.lake, s3.Scheme):
		return errors.New("-endpoint is for lakes of the form s3://BUCKET/PREFIX")
	case !s.filter.since.IsZero() && !s.filter.until.IsZero() && !s.filter.since.Before(s.filter.until):
		return errors.New("-since must be before -until")
	case s.limit < 0 || s.rate < 0:
		return errors.New("-limit and -rate cannot be negative")
	case math.IsNaN(s.rate):
		return errors.New("-rate must be a number")
	case s.verb == "resubmit" && s.to == "" && !s.dryRun:
		return fmt.Errorf("-to must say where the events go: %s; -dry-run only shows them", lakeDestinations)
	case s.verb == "resubmit" && s.as != "events" && s.as != "records":
		return fmt.Errorf("-as %q is neither events nor records", s.as)
	}
	return nil
}

func timeFlag(to *time.Time) func(string) error {
	return func(text string) (err error) {
		if ago, failed := time.ParseDuration(text); failed == nil {
			*to = time.Now().Add(-ago)
			return nil
		}
		*to, err = time.Parse(time.RFC3339, text)
		if err != nil {
			return errors.New("it is neither a time such as 2026-11-21T10:00:00Z nor a duration such as 36h")
		}
		return nil
	}
}

// listed is a fault as list prints it in JSON.
type listed struct {
	ID       string     `json:"id"`
	Time     time.Time  `json:"time"`
	Function string     `json:"function"`
	Pipeline string     `json:"pipeline"`
	Types    []string   `json:"types"`
	Events   []string   `json:"events"`
	Error    faultCause `json:"error"`
	Where    string     `json:"where,omitempty"`
	Problem  string     `json:"problem,omitempty"` // why its events cannot be sent again
}

// listFaults prints a line for each fault.
func listFaults(ctx context.Context, s faultSettings, source faultSource) (wrong int, err error) {
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !s.json {
		fmt.Fprintln(table, "TIME\tFUNCTION\tPIPELINE\tTYPE\tFAULT\tERROR")
	}
	total := 0
	wrong, err = source.each(ctx, s, func(f fault) error {
		total++
		return f.list(s, table)
	})
	if !s.json {
		err = errors.Join(err, table.Flush())
		fmt.Fprintf(s.errors, "%d faults\n", total)
	}
	return wrong, err
}

func (f fault) list(s faultSettings, table io.Writer) error {
	if s.json {
		events, err := f.resubmission()
		l := listed{
			ID: f.ID, Time: f.Time, Function: f.Function, Pipeline: f.Pipeline, Types: f.Types(), Events: []string{}, Error: f.Error, Where: f.where,
		}
		for _, e := range events {
			l.Events = append(l.Events, e.ID)
		}
		if err != nil {
			l.Problem = err.Error()
		}
		return json.NewEncoder(s.out).Encode(l)
	}
	message := []rune(oneLine(errors.New(f.Error.Message)))
	if len(message) > maxShown {
		message = append(message[:maxShown], '…')
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Time.UTC().Format(time.RFC3339), f.Function, f.Pipeline,
		strings.Join(f.Types(), ","), f.ID, strings.Map(printable, string(message)))
	return err
}

const maxShown = 100 // characters of a message

// printable keeps what events say from steering the terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
		return ' '
	}
	return r
}

// showFaults prints whole faults.
func showFaults(ctx context.Context, s faultSettings, source faultSource) (wrong int, err error) {
	seen := map[string]bool{}
	wrong, err = source.each(ctx, s, func(f fault) error {
		seen[f.ID] = true
		raw, err := f.event.MarshalJSON()
		if err == nil && !s.json {
			var pretty []byte
			if pretty, err = json.MarshalIndent(json.RawMessage(raw), "", "  "); err == nil {
				raw = pretty
			}
		}
		if err == nil {
			_, err = fmt.Fprintf(s.out, "%s\n", raw)
		}
		return err
	})
	for _, id := range s.filter.ids {
		if err == nil && !seen[id] {
			fmt.Fprintf(s.errors, "insideout faults show: there is no fault %q\n", id)
			wrong++
		}
	}
	return wrong, err
}
