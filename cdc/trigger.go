package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/insideout-go/insideout"
)

// Options are what the rules of a trigger share. The zero value and nil are fine.
type Options struct {
	// Source is the name of this service: the tag "source" of its events, by which its own listeners know and ignore
	// them. Default: "undefined", as for every tag that is not known.
	Source string

	// Region is the region whose changes are published. Rows that another region changed are left to the trigger there.
	// Default: every region's.
	Region string

	// Tags are further tags of every event, such as "account", "stage" and "functionname". An event's own tags win.
	Tags insideout.Tags

	// Expired publishes rows whose time to live is over, as [Expired]. Default: they are cleaned up without a word.
	Expired bool

	// Opener opens what is sealed in the images of a change before a mapper of [Publish] gets them, those of a change in one call: an
	// [insideout.Sealed] may then be revealed, and a plain field with the tag seal has its value. It is for mappers that state something
	// about a sealed value, in a service that may know it; what is published of it is for the mapper to say: a Sealed leaves as its
	// ciphertext all the same, and SetBody refuses plain fields that are tagged. What does not open is a fault; where keys
	// cannot be had, the record is delivered again. A value whose key was destroyed or may not be used is zero, and says
	// so when it is revealed. The same record gives the same event for as long as its keys are there. Default: none; nothing is opened.
	Opener insideout.Opener

	// Workers is how many aggregates are read at a time. Default: 16.
	Workers int
}

const defaultWorkers = 16

// Part is a rule of a trigger, or its *Options.
type Part interface {
	apply(*Trigger) error
}

// apply makes *Options a part.
func (o *Options) apply(t *Trigger) error {
	if o == nil {
		return nil
	}
	if t.opts != nil {
		return errors.New("cdc: more than one Options")
	}
	t.opts = o
	return nil
}

// Stats counts what a trigger has done since it was made.
type Stats struct {
	Records   int64 // change records taken in
	Ignored   int64 // records that say nothing to the outside, or have no rule
	Published int64 // events that are out, without faults
	Faults    int64 // fault events that are out
	Failed    int64 // events that could not be published, each time
	Reads     int64 // aggregates read
}

type counters struct {
	records, ignored, published, faults, failed, reads atomic.Int64
}

// Trigger turns change records into events by its rules, and publishes them. It is safe for concurrent use.
type Trigger struct {
	publisher  Publisher
	opts       *Options
	tags       insideout.Tags
	rows       []rowRule
	aggregates []aggregateRule
	counters   counters
}

// New returns a trigger that publishes with p what the rules among parts make of the changes. It needs at least one
// rule; the error lists every mistake.
func New(p Publisher, parts ...Part) (*Trigger, error) {
	t := &Trigger{publisher: p}
	var faults []error
	if p == nil {
		faults = append(faults, errors.New("cdc: no publisher"))
	}
	for i, part := range parts {
		if part == nil {
			faults = append(faults, fmt.Errorf("cdc: part %d is nil", i))
			continue
		}
		faults = append(faults, part.apply(t))
	}
	if len(t.rows)+len(t.aggregates) == 0 {
		faults = append(faults, errors.New("cdc: no rules: a trigger needs Publish or PublishAggregate"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if t.opts == nil {
		t.opts = &Options{}
	}
	t.tags = standardTags(t.opts)
	return t, nil
}

// Stats returns the counts so far.
func (t *Trigger) Stats() Stats {
	c := &t.counters
	return Stats{
		Records: c.records.Load(), Ignored: c.ignored.Load(), Published: c.published.Load(),
		Faults: c.faults.Load(), Failed: c.failed.Load(), Reads: c.reads.Load(),
	}
}

// standardTags are the tags that every service of the family writes; services in JavaScript expect them all.
func standardTags(o *Options) insideout.Tags {
	tags := insideout.Tags{
		insideout.TagAccount: "", insideout.TagRegion: o.Region, insideout.TagStage: "", insideout.TagSource: o.Source,
		insideout.TagFunction: "",
	}
	maps.Copy(tags, o.Tags)
	for name, v := range tags {
		if v == "" {
			tags[name] = "undefined"
		}
	}
	return tags
}

// tag adds the standard tags to the event's own, which win.
func (t *Trigger) tag(e *insideout.Event, pipeline string) {
	tags := maps.Clone(t.tags)
	tags[insideout.TagPipeline] = pipeline
	maps.Copy(tags, e.Tags)
	e.Tags = tags
}

// complete fills in what a mapper left empty, and checks the whole.
func (t *Trigger) complete(e *insideout.Event, c *change, id, entity, pipeline string) error {
	if e.ID == "" {
		e.ID = id
	}
	if e.Type == "" {
		e.Type = strings.ToLower(entity) + "-" + string(c.kind)
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = c.at
	}
	if e.PartitionKey == "" {
		e.PartitionKey = c.key.PK
	}
	t.tag(e, pipeline)
	return validate(e)
}

// handle publishes what the records say, which must be in the order of their stream. It returns the index of the first
// record that must be delivered again, with the reason; otherwise len(records) and nil.
func (t *Trigger) handle(ctx context.Context, records []record) (int, error) {
	t.counters.records.Add(int64(len(records)))
	b := &batch{trigger: t, records: records, values: new(arena), failed: map[int]error{}, index: map[owner]*touched{}}
	b.mapRows(ctx)
	b.mapAggregates(ctx)
	b.publish(ctx)
	return b.answer()
}
