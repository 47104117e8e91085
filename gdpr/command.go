package gdpr

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/insideout-go/insideout/table"
)

// Exit codes of Command.
const (
	exitDone     = 0 // done, or shown
	exitFailed   = 1 // stopped by an error: the job can be run again
	exitUsage    = 2 // the command line is wrong, or names something unknown, or rights, tables or indexes are missing: nothing was touched
	exitRefused  = 3 // not approved, the approval does not fit, or a hold covers everything: nothing was touched
	exitNothing  = 4 // no place knows the subject
	exitPart     = 5 // erased in part: the receipt says what is kept, and why
	exitUnproved = 6 // data remains, or a receipt does not verify
	exitWaiting  = 7 // another process runs the job, or recipients have not acknowledged: run it again later
)

// CommandOptions adjust Command. The zero value of each field is its default.
type CommandOptions struct {
	Stdin          io.Reader // default: os.Stdin
	Stdout, Stderr io.Writer // default: os.Stdout, os.Stderr
	Terminal       bool      // show progress on Stderr even if it is no terminal
}

// Command makes a command line of a controller, in a main of ten lines:
//
//	func main() {
//		controller, err := open() // gdpr.New with the places of the service
//		if err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(2)
//		}
//		os.Exit(gdpr.Command(context.Background(), controller, os.Args[1:], nil))
//	}
//
// Its commands are
//
//	plan SUBJECT             show what an erasure would do, and keep it for approval
//	erase SUBJECT            plan, ask, erase, verify; -yes does not ask, -dry-run only plans
//	run JOB                  carry out a plan (-approve HASH), or go on with a job that was stopped
//	status [JOB]             where a job stands, or all
//	receipt NUMBER           print a receipt
//	verify [FILE]            check a receipt's bytes, or the whole chain of this controller's
//	export SUBJECT           everything about a subject, as JSON (Art. 15 and 20); -csv for tables
//	hold ID, release ID      keep something from being erased (-subject, -place, -kind, -reason, -until), and erase it after all
//	rectify SUBJECT          correct a field in the subject's rows (Art. 16): -kind, -field, -value
//	acknowledge JOB          note that a recipient (-recipient) has erased its part
//	restrict, unrestrict SUBJECT   keep what is sealed from being opened, for a time (Art. 18)
//	readmit SUBJECT          let a subject come back
//	retention, reapply       erase what was kept long enough; erase again after a restore
//	record                   the record of processing activities (Art. 30)
//
// with the flags -json (results as JSON on standard output; progress goes to standard error, if that is a terminal) and -by WHO (a role or a ticket, for the receipt).
//
// It returns the exit code: 0 done, 1 stopped by an error and can be run again, 2 wrong usage or set-up, 3 not approved or all held, 4 nothing found, 5 erased in
// part, 6 data remains, somebody else's row changed or a receipt does not verify, 7 to be run again later.
func Command(ctx context.Context, c *Controller, args []string, opts *CommandOptions) int {
	var o CommandOptions
	if opts != nil {
		o = *opts
	}
	cmd := &command{c: c, in: o.Stdin, out: o.Stdout, log: o.Stderr}
	if cmd.in == nil {
		cmd.in = os.Stdin
	}
	if cmd.out == nil {
		cmd.out = os.Stdout
	}
	if cmd.log == nil {
		cmd.log = os.Stderr
	}
	if f, ok := cmd.log.(*os.File); o.Terminal || ok && term.IsTerminal(int(f.Fd())) {
		cmd.follow()
	}
	code, err := cmd.run(ctx, args)
	cmd.endLine()
	if err != nil {
		fmt.Fprintln(cmd.log, strings.TrimPrefix(err.Error(), "gdpr: "))
		code = cmp.Or(code, exitOf(err))
	}
	return code
}

// follow shows progress on a line that is written again and again, four times a second at most.
func (cmd *command) follow() {
	own := *cmd.c
	tell := own.opts.Progress
	var last time.Time
	own.opts.Progress = func(p Progress) {
		if tell != nil {
			tell(p)
		}
		if now := time.Now(); now.Sub(last) >= time.Second/4 {
			last, cmd.line = now, true
			fmt.Fprintf(cmd.log, "\r\x1b[K%s", p)
		}
	}
	cmd.c = &own
}

// endLine clears the line of progress.
func (cmd *command) endLine() {
	if cmd.line {
		cmd.line = false
		fmt.Fprint(cmd.log, "\r\x1b[K")
	}
}

// say prints what was done.
func (cmd *command) say(v any, format string, args ...any) error {
	return cmd.show(v, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, format, args...)
		return err
	})
}

func exitOf(err error) int {
	if _, ok := errors.AsType[*inputError](err); ok {
		return exitUsage
	}
	for _, e := range []struct {
		is   error
		code int
	}{
		{ErrNoJob, exitUsage},
		{ErrNotApproved, exitRefused},
		{ErrApproval, exitRefused},
		{ErrBusy, exitWaiting},
		{ErrWaiting, exitWaiting},
		{ErrRemains, exitUnproved},
		{ErrReceipt, exitUnproved},
	} {
		if errors.Is(err, e.is) {
			return e.code
		}
	}
	return exitFailed
}

type command struct {
	c        *Controller
	in       io.Reader
	out, log io.Writer
	line     bool // progress is shown

	json, yes, dry, csv  bool
	by, approve, subject string
	place, kind, reason  string
	until, field, value  string
	recipient            string
}

var errUsage = errors.New("usage: plan|erase|export|rectify|restrict|unrestrict|readmit SUBJECT, run|acknowledge JOB, status [JOB], receipt NUMBER, verify [FILE], hold|release ID, retention, reapply, record")

func (cmd *command) run(ctx context.Context, args []string) (int, error) {
	if len(args) == 0 {
		return exitUsage, errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(cmd.log)
	flags.BoolVar(&cmd.json, "json", false, "print JSON")
	flags.BoolVar(&cmd.yes, "yes", false, "do not ask")
	flags.BoolVar(&cmd.dry, "dry-run", false, "plan only")
	flags.BoolVar(&cmd.csv, "csv", false, "print CSV")
	flags.StringVar(&cmd.by, "by", "", "who approves: a `role` or a ticket, for the receipt")
	flags.StringVar(&cmd.approve, "approve", "", "the `hash` of the plan that is approved")
	flags.StringVar(&cmd.subject, "subject", "", "of a hold: the `id` of a subject")
	flags.StringVar(&cmd.place, "place", "", "of a hold: a place's `name`")
	flags.StringVar(&cmd.kind, "kind", "", "of a hold or a correction: a model's `name`")
	flags.StringVar(&cmd.field, "field", "", "of a correction: the Go `field`")
	flags.StringVar(&cmd.value, "value", "", "of a correction: the right `text`, or JSON of what is no text")
	flags.StringVar(&cmd.recipient, "recipient", "", "of an acknowledgement: whose, a `name`")
	flags.StringVar(&cmd.reason, "reason", "", "of a hold: why, without personal data")
	flags.StringVar(&cmd.until, "until", "", "of a hold: its last `day`, as 2031-12-31")
	rest, err := parse(flags, args[1:])
	if err != nil {
		return exitUsage, err
	}
	does, operand := cmd.commands(args[0])
	if does == nil || operand == needed && len(rest) != 1 || operand == none && len(rest) != 0 || len(rest) > 1 {
		return exitUsage, errUsage
	}
	return does(ctx, strings.Join(rest, ""))
}

// parse takes flags before and after the operand.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// operand says whether a command has one.
type operand int

const (
	none operand = iota
	needed
	optional
)

func (cmd *command) commands(name string) (func(context.Context, string) (int, error), operand) {
	switch name {
	case "plan":
		return cmd.plan, needed
	case "erase":
		return cmd.erase, needed
	case "run":
		return cmd.job, needed
	case "acknowledge":
		return cmd.acknowledge, needed
	case "status":
		return cmd.status, optional
	case "receipt":
		return cmd.receipt, needed
	case "verify":
		return cmd.verify, optional
	case "export":
		return cmd.export, needed
	case "hold":
		return cmd.hold, needed
	case "release":
		return cmd.release, needed
	case "readmit":
		return cmd.readmit, needed
	case "rectify":
		return cmd.rectify, needed
	case "restrict":
		return cmd.restrict, needed
	case "unrestrict":
		return cmd.unrestrict, needed
	case "retention":
		return cmd.retention, none
	case "reapply":
		return cmd.reapply, none
	case "record":
		return cmd.record, none
	}
	return nil, none
}

func (cmd *command) plan(ctx context.Context, subject string) (int, error) {
	plan, err := cmd.c.Plan(ctx, subject)
	if err != nil {
		return 0, err
	}
	if err := cmd.show(plan, plan.Describe); err != nil || len(plan.Actions) > 0 {
		return exitDone, err
	}
	return exitNothing, nil
}

func (cmd *command) show(v any, describe func(io.Writer) error) error {
	if cmd.json {
		return json.NewEncoder(cmd.out).Encode(v)
	}
	return describe(cmd.out)
}

func (cmd *command) erase(ctx context.Context, subject string) (int, error) {
	if cmd.dry {
		return cmd.plan(ctx, subject)
	}
	plan, err := cmd.c.Plan(ctx, subject)
	if err != nil {
		return 0, err
	}
	if !cmd.yes {
		if err := plan.Describe(cmd.log); err != nil {
			return 0, err
		}
		fmt.Fprint(cmd.log, "\nErase this? Type yes: ")
		answer, _ := bufio.NewReader(cmd.in).ReadString('\n')
		if strings.TrimSpace(answer) != "yes" {
			return exitRefused, fmt.Errorf("%w: nothing was touched; job %s can be run until %s", ErrNotApproved, plan.Job, plan.ExpiresAt.Format(time.RFC3339))
		}
	}
	return cmd.done(cmd.c.Erase(ctx, plan, cmp.Or(cmd.by, "command line")))
}

func (cmd *command) job(ctx context.Context, job string) (int, error) {
	if cmd.approve != "" {
		if err := cmd.c.Approve(ctx, job, cmd.approve, cmp.Or(cmd.by, "command line")); err != nil {
			return 0, err
		}
	}
	return cmd.done(cmd.c.Run(ctx, job))
}

// done prints a receipt, and says by the exit code how the job ended.
func (cmd *command) done(r Receipt, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	cmd.endLine()
	if err := cmd.show(r, r.Describe); err != nil {
		return 0, err
	}
	for _, check := range r.Checks {
		if check.Found > 0 {
			return exitUnproved, nil
		}
	}
	switch r.Outcome {
	case AllHeld:
		return exitRefused, nil
	case NothingFound:
		return exitNothing, nil
	case ErasedInPart:
		return exitPart, nil
	}
	return exitDone, nil
}

func (cmd *command) status(ctx context.Context, job string) (int, error) {
	list := []Status{}
	for s, err := range cmd.c.Jobs(ctx) {
		if err != nil {
			return 0, err
		}
		if job == "" || s.Job == job {
			list = append(list, s)
		}
	}
	if job != "" && len(list) == 0 {
		return 0, fmt.Errorf("%w: %q", ErrNoJob, job)
	}
	return exitDone, cmd.show(list, func(w io.Writer) error {
		for _, s := range list {
			fmt.Fprintf(w, "%s  %-9s  %5d actions  %s  %s\n", s.Job, s.Step, s.Actions, s.MadeAt.Format(time.RFC3339), s.Subject)
		}
		return nil
	})
}

func (cmd *command) receipt(ctx context.Context, number string) (int, error) {
	for text, err := range cmd.c.Receipts(ctx) {
		if err != nil {
			return 0, err
		}
		r, err := VerifyReceipt(text, cmd.c.public())
		if err != nil {
			return 0, err
		}
		if fmt.Sprint(r.Number) == number || r.Job == number {
			return exitDone, cmd.show(r, r.Describe)
		}
	}
	return exitUsage, fmt.Errorf("there is no receipt %q: give its number or its job", number)
}

func (cmd *command) verify(ctx context.Context, file string) (int, error) {
	if file != "" {
		return cmd.verifyFile(file, cmd.c.public())
	}
	var list [][]byte
	for text, err := range cmd.c.Receipts(ctx) {
		if err != nil {
			return 0, err
		}
		list = append(list, text)
	}
	if err := VerifyChain(list, cmd.c.public()); err != nil {
		return 0, err
	}
	key := hex.EncodeToString(cmd.c.public())
	return exitDone, cmd.say(map[string]any{"receipts": len(list), "key": key}, "%d receipts verify, with key %s\n", len(list), key)
}

func (cmd *command) verifyFile(file string, key ed25519.PublicKey) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return exitUsage, err
	}
	r, err := VerifyReceipt(text, key)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return exitDone, cmd.say(r, "receipt %d verifies: %s, %s\n", r.Number, r.Subject, r.Outcome)
}

func (cmd *command) hold(ctx context.Context, id string) (int, error) {
	h := Hold{ID: id, Subject: cmd.subject, Place: cmd.place, Kind: cmd.kind, Reason: cmd.reason}
	if cmd.until != "" {
		day, err := time.Parse(time.DateOnly, cmd.until)
		if err != nil {
			return exitUsage, fmt.Errorf("-until %q is no day such as 2031-12-31", cmd.until)
		}
		h.Until = day.Add(table.Day)
	}
	if err := cmd.c.Hold(ctx, h); err != nil {
		return 0, err
	}
	return exitDone, cmd.say(map[string]string{"hold": id}, "hold %q is in force\n", id)
}

func (cmd *command) release(ctx context.Context, id string) (int, error) {
	return cmd.all(cmd.c.Release(ctx, id, cmd.by))
}

func (cmd *command) retention(ctx context.Context, _ string) (int, error) {
	return cmd.all(cmd.c.Retention(ctx, cmd.by))
}

func (cmd *command) reapply(ctx context.Context, _ string) (int, error) {
	return cmd.all(cmd.c.Reapply(ctx, cmd.by))
}

// all prints the receipts of several jobs, those before an error as well.
func (cmd *command) all(list []Receipt, err error) (int, error) {
	for _, r := range list {
		if _, showErr := cmd.done(r, nil); showErr != nil {
			return 0, errors.Join(err, showErr)
		}
	}
	if err == nil && !cmd.json {
		fmt.Fprintf(cmd.out, "%d jobs\n", len(list))
	}
	return exitDone, err
}

func (cmd *command) readmit(ctx context.Context, subject string) (int, error) {
	if err := cmd.c.Readmit(ctx, subject); err != nil {
		return 0, err
	}
	return exitDone, cmd.say(map[string]string{"readmitted": "yes"}, "what happens from now on is written again\n")
}

func (cmd *command) acknowledge(ctx context.Context, job string) (int, error) {
	if err := cmd.c.Acknowledge(ctx, job, cmd.recipient); err != nil {
		return 0, err
	}
	return exitDone, cmd.say(map[string]string{"acknowledged": cmd.recipient}, "noted: %s has erased its part\n", cmd.recipient)
}
