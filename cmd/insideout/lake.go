package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/s3"
)

const lakeUsage = `insideout lake looks into an event lake, and publishes its events again.

Usage:
  insideout lake ls     [FLAG…] LAKE        a line for each object
  insideout lake cat    [FLAG…] LAKE        the events, as JSON lines
  insideout lake replay [FLAG…] LAKE -to D  the events, to where listeners take them from

LAKE is a folder, or a bucket as s3://BUCKET or s3://BUCKET/PREFIX. It may be written to meanwhile. Objects that Firehose wrote from
EventBridge are read too.

Exit codes: 0 all went well; 1 something did not, and standard error says what: damage that was passed over or that ended the command,
an event that was not taken or that the destination refuses for good, an interrupt; 2 the arguments are wrong, or the lake or the destination cannot be opened.
`

// lakeSettings are the flags of all three commands.
type lakeSettings struct {
	verb, lake, endpoint string
	query                lake.Query
	types, keys          words
	json, index, skip    bool
	limit                int
	to                   string
	rate                 float64
	batch                int
	dryRun, quiet        bool
	redeem               bool
	damaged              int // places that were passed over
	out, errors          io.Writer
}

// lakeCommand runs one of the three commands.
func lakeCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(stdout, lakeUsage)
		return exitOK
	}
	s := &lakeSettings{verb: args[0], out: stdout, errors: stderr}
	name := "insideout lake " + s.verb
	run := map[string]func(context.Context, *lakeSettings, *lake.Lake) error{"ls": listLake, "cat": catLake, "replay": replayLake}[s.verb]
	if run == nil {
		return refuse(stderr, "insideout lake", fmt.Errorf("no command %q; there are ls, cat and replay", s.verb))
	}
	if err := s.parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil {
		return refuse(stderr, name, err)
	}
	l, err := s.open(ctx)
	if err != nil {
		return refuse(stderr, name, err)
	}
	err = errors.Join(run(ctx, s, l), l.Close())
	if usage, bad := errors.AsType[badArgument](err); bad {
		return refuse(stderr, name, usage)
	}
	if errors.Is(err, lake.ErrDamaged) {
		err = fmt.Errorf("%w; -skip-damaged goes on behind it", err)
	}
	if err != nil {
		fmt.Fprintln(stderr, name+": "+oneLine(err))
	}
	if err != nil || s.damaged > 0 {
		return exitFailed
	}
	return exitOK
}

func (s *lakeSettings) parse(args []string) error {
	flags := flag.NewFlagSet("insideout lake "+s.verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("since", "events of this `time` or later: 2026-11-21T10:00:00Z, 2026-11-21, or a duration such as 36h before now", lakeTime(&s.query.From))
	flags.Func("until", "events before this `time`", lakeTime(&s.query.To))
	flags.StringVar(&s.query.Region, "region", "", "events in the folder of this `region` (default: of all)")
	flags.Var(&s.types, "type", "events of these `types`, by their whole names, separated by commas")
	flags.Var(&s.keys, "key", "events with these partition `keys`, separated by commas")
	flags.Func("tag", "events with this `name=value` among their tags; may be given again for others", s.tag)
	flags.StringVar(&s.query.After, "after", "", "go on behind this `object`, as an earlier run has said")
	flags.StringVar(&s.endpoint, "endpoint", "", "the `URL` of a server of the S3 protocol on this machine, for s3://")
	flags.BoolVar(&s.json, "json", false, "print JSON: a line for each object, or a summary in the end")
	flags.BoolVar(&s.index, "index", false, "add to the lake's index what is missing in it, so that the next search by -type or -key is fast")
	flags.BoolVar(&s.skip, "skip-damaged", false, "tell of what cannot be read on standard error, and go on behind it (default: end there)")
	if s.verb != "ls" {
		flags.IntVar(&s.limit, "limit", 0, "stop after this `number` of events (default: all)")
		flags.BoolVar(&s.redeem, "redeem", false, "fetch the bodies of events that have a claim check of this lake")
	}
	if s.verb == "replay" {
		flags.StringVar(&s.to, "to", "", "publish to this `destination`: "+lakeDestinations)
		flags.Float64Var(&s.rate, "rate", 0, "at most this `number` of events a second (default: as fast as they are taken)")
		flags.IntVar(&s.batch, "batch", 500, "publish this `number` of events at a time")
		flags.BoolVar(&s.dryRun, "dry-run", false, "publish nothing, and say how many events of which types there are")
		flags.BoolVar(&s.quiet, "quiet", false, "no progress on standard error")
	}
	rest, err := parseAround(flags, args)
	if err != nil {
		return explained(err, flags, s.out, "lake "+s.verb, " LAKE")
	}
	return s.check(rest)
}

// parseAround parses flags before and behind other arguments.
func parseAround(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

func (s *lakeSettings) check(rest []string) error {
	s.query.Types, s.query.PartitionKeys = s.types, s.keys
	switch {
	case len(rest) == 0 || rest[0] == "":
		return fmt.Errorf("which lake? insideout lake %s [FLAG…] FOLDER, or s3://BUCKET/PREFIX", s.verb)
	case len(rest) > 1:
		return fmt.Errorf("unexpected argument %q; insideout lake %s -h lists the flags", rest[1], s.verb)
	case s.endpoint != "" && !strings.HasPrefix(rest[0], s3.Scheme):
		return fmt.Errorf("-endpoint is for lakes of the form s3://BUCKET/PREFIX, and %q is a folder", rest[0])
	case !s.query.From.IsZero() && !s.query.To.IsZero() && !s.query.From.Before(s.query.To):
		return errors.New("-since must be before -until")
	case s.limit < 0 || s.rate < 0:
		return errors.New("-limit and -rate cannot be negative")
	case s.verb == "replay" && s.batch < 1:
		return errors.New("-batch must be 1 or more")
	case s.verb == "replay" && s.to == "" && !s.dryRun:
		return fmt.Errorf("-to must say where the events go: %s; -dry-run only counts them", lakeDestinations)
	}
	s.lake = rest[0]
	if s.skip {
		s.query.Damaged = func(err error) error {
			s.damaged++
			fmt.Fprintf(s.errors, "insideout lake %s: passed over: %s\n", s.verb, oneLine(err))
			return nil
		}
	}
	return nil
}

func (s *lakeSettings) tag(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return errors.New("it is not of the form name=value")
	}
	if s.query.Tags == nil {
		s.query.Tags = map[string]string{}
	}
	if _, twice := s.query.Tags[name]; twice {
		return fmt.Errorf("the tag %q is given twice", name)
	}
	s.query.Tags[name] = value
	return nil
}

func lakeTime(to *time.Time) func(string) error {
	return func(text string) error {
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			*to = day
			return nil
		}
		return timeFlag(to)(text)
	}
}

// open opens the lake so that it does not matter who writes to it.
func (s *lakeSettings) open(ctx context.Context) (*lake.Lake, error) {
	opts := &lake.Options{ReadOnly: !s.index}
	if !strings.HasPrefix(s.lake, s3.Scheme) {
		l, err := lake.Open(s.lake, &lake.Options{ReadOnly: true})
		if err != nil || !s.index {
			return l, err
		}
		return lake.New(lake.NewFolder(s.lake), opts)
	}
	store, err := s3.Open(ctx, s.lake, s.endpoint)
	if err != nil {
		return nil, err
	}
	return lake.New(store, opts)
}
