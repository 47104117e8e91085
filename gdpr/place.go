package gdpr

import (
	"context"
	"fmt"
	"iter"

	"github.com/insideout-go/insideout"
)

// Place is somewhere that keeps personal data: a table (Table), the subjects' keys (Keys), the event lake (Lake), or what a program brings, such as a
// search index. A job asks every place for the same subject; a place that knows nothing of them says so by yielding nothing.
type Place interface {
	// Name is how plans and receipts call the place. It is unique among the places of a controller, and never changes.
	Name() string
	// Find yields what an erasure of the subject would do here, in a stable order. It reads only, and finds by an index.
	Find(ctx context.Context, t *Task) iter.Seq2[Action, error]
	// Do carries out one action that was approved. Doing it again does no harm, and what changed since the plan was made is looked at again
	// before it is touched.
	Do(ctx context.Context, t *Task, a Action) (Result, error)
	// Verify looks for the subject in another way than Find: what it finds, and no action kept, is a fault of the erasure.
	Verify(ctx context.Context, t *Task) (Check, error)
	// Residuals are the copies that this place cannot reach, and when they are gone.
	Residuals(ctx context.Context) ([]Residual, error)
}

// Task is what a place works for: one subject, and the pace at which it may use capacity. It prints as the keyed reference, never as the subject's id.
type Task struct {
	Job     string
	Subject string // the id; empty where only the reference is known, as after a restore
	Ref     string // the keyed reference, as rows carry it in _sid
	salt    []byte // keys the pseudonyms of this job, and goes when it ends
	pace    *pace
	known   []target          // what was shredded before, where the subject's id is not known
	targets map[string]Action // what the plan names, by place and target
	probes  []insideout.SealedField
	refers  func(id string) (string, error)
	looked  func(n, of int)
}

// is reports whether an id is the subject's, also where only the reference is known.
func (t *Task) is(id string) bool {
	if t.Subject != "" || id == "" {
		return id != "" && id == t.Subject
	}
	ref, err := t.refers(id)
	return err == nil && ref == t.Ref
}

// Known are the targets of a place that earlier jobs shredded, where the subject's id is not known any more.
func (t *Task) Known(place string) []string {
	var list []string
	for _, k := range t.known {
		if k.Place == place {
			list = append(list, k.Target)
		}
	}
	return list
}

// String is the keyed reference.
func (t *Task) String() string { return t.Ref }

// GoString is the keyed reference.
func (t *Task) GoString() string { return t.Ref }

// Format prints the keyed reference, whatever the verb.
func (t *Task) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.Ref) }

// Spend tells what a call consumed, and waits as long as the budget asks for.
func (t *Task) Spend(ctx context.Context, used Cost) error { return t.pace.spend(ctx, used) }

// Looked tells that a verification has looked at so many things more, of about so many in all; zero where that is not known. Progress has it, with an ETA.
func (t *Task) Looked(n, of int) {
	if t.looked != nil {
		t.looked(n, of)
	}
}

// know notes an action of the plan.
func (t *Task) know(a Action) {
	if t.targets == nil {
		t.targets = map[string]Action{}
	}
	t.targets[a.Place+"\x00"+a.Target] = a
}

// Planned is the action for a target of a place, if the plan has one.
func (t *Task) Planned(place, target string) (Action, bool) {
	a, ok := t.targets[place+"\x00"+target]
	return a, ok
}

// Result is what became of an action.
type Result struct {
	State ResultState `json:"state"`
	Note  string      `json:"note,omitempty"`
	Spent Cost        `json:"spent"`
}

// ResultState says how an action ended.
type ResultState string

// What an action can come to.
const (
	ActionDone ResultState = "done"
	ActionGone ResultState = "gone" // there was nothing left to do: the target is another subject's now, or is not there
	ActionKept ResultState = "kept" // nothing was to be done
	actionHeld ResultState = "held" // a hold forbids it for now
)
