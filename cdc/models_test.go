package cdc_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/insideout-go/insideout/table"
)

// thing is a node with parts; the models of all tests in this folder.
type thing struct {
	ID    string `dynamo:"id" json:"id"`
	Name  string `dynamo:"name" json:"name"`
	Count int    `dynamo:"count" json:"count"`
}

type part struct {
	ThingID string `dynamo:"thingId" json:"-"`
	No      int    `dynamo:"no" json:"no"`
	Name    string `dynamo:"name" json:"name"`
}

type assembly struct {
	Thing thing
	Parts []part
}

var (
	things = table.DefineNode("thing", func(v *thing, d *table.Def[thing]) { d.ID(&v.ID) })
	parts  = table.DefineEdge("part", "parts", func(v *part, d *table.Def[part]) {
		d.Owner(&v.ThingID)
		d.ID(&v.No)
	})
	assemblies = table.DefineAggregate(
		table.Root(things, func(a *assembly) *thing { return &a.Thing }),
		table.Many(parts, func(a *assembly) *[]part { return &a.Parts }),
	)
)

// thingEvent publishes the entity and nothing else.
func thingEvent(c cdc.Change[thing]) (insideout.Event, error) {
	var e insideout.Event
	err := e.SetBody("thing", c.State())
	return e, err
}

func assemblyEvent(c cdc.Change[assembly]) (insideout.Event, error) {
	var e insideout.Event
	state := c.State()
	err := errors.Join(e.SetBody("thing", state.Thing), e.SetBody("parts", state.Parts))
	return e, err
}

// sink keeps what was published, and fails where it is told to.
type sink struct {
	mu     sync.Mutex
	events []insideout.Event
	calls  int
	fail   func(call int, events []insideout.Event) error
}

func (s *sink) Publish(_ context.Context, events []insideout.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	var err error
	if s.fail != nil {
		err = s.fail(s.calls, events)
	}
	failed := map[int]error{}
	if partial, ok := errors.AsType[*cdc.PublishError](err); ok {
		failed = partial.Errors
	} else if err != nil {
		return err
	}
	for i, e := range events {
		if failed[i] == nil {
			s.events = append(s.events, e.Clone())
		}
	}
	return err
}

func (s *sink) all() []insideout.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]insideout.Event(nil), s.events...)
}

func (s *sink) lines() string {
	var out []byte
	for _, e := range s.all() {
		line, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		out = append(append(out, line...), '\n')
	}
	return string(out)
}
