package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
)

// listedObject is an object as ls prints it in JSON. What the index does not know is left out.
type listedObject struct {
	Object string         `json:"object"`
	Bytes  int64          `json:"bytes"`
	Events *int           `json:"events,omitempty"`
	From   *time.Time     `json:"from,omitempty"`
	To     *time.Time     `json:"to,omitempty"`
	Types  map[string]int `json:"types,omitempty"`
}

// listLake prints a line for each object that may have events of the query.
func listLake(ctx context.Context, s *lakeSettings, l *lake.Lake) error {
	if s.index {
		n, err := l.Index(ctx, s.query)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.errors, "%d objects read for the index\n", n)
		s.query.Damaged, s.damaged = nil, 0 // told once
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	if !s.json {
		fmt.Fprintln(table, "OBJECT\tBYTES\tEVENTS\tFROM\tTO\tTYPES")
	}
	var objects, bytes, events, unknown int64
	for o, err := range l.Objects(ctx, s.query) {
		if err != nil {
			return errors.Join(err, table.Flush())
		}
		objects, bytes = objects+1, bytes+o.Bytes
		if o.Summary == nil {
			unknown++
		} else {
			events += int64(o.Summary.Events)
		}
		if err := s.printObject(table, o); err != nil {
			return err
		}
	}
	if s.json {
		return nil
	}
	err := table.Flush()
	rest := ""
	if unknown > 0 {
		rest = fmt.Sprintf(", and those in %d objects that the index does not know; -index reads them", unknown)
	}
	fmt.Fprintf(s.errors, "%d objects, %d bytes, %d events%s\n", objects, bytes, events, rest)
	return err
}

func (s *lakeSettings) printObject(table io.Writer, o lake.Object) error {
	if s.json {
		listed := listedObject{Object: o.Name, Bytes: o.Bytes}
		if x := o.Summary; x != nil {
			listed.Events, listed.Types = &x.Events, x.Types
			if x.Events > 0 {
				listed.From, listed.To = &x.From, &x.To
			}
		}
		return json.NewEncoder(s.out).Encode(listed)
	}
	if o.Summary == nil {
		_, err := fmt.Fprintf(table, "%s\t%d\t?\t\t\t\n", o.Name, o.Bytes)
		return err
	}
	x := o.Summary
	from, to := "", ""
	if x.Events > 0 {
		from, to = x.From.UTC().Format(time.RFC3339), x.To.UTC().Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\n", o.Name, o.Bytes, x.Events, from, to, strings.Map(printable, countedTypes(x.Types)))
	return err
}

// countedTypes lists types with their counts, by name.
func countedTypes(types map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(types)) {
		all = append(all, fmt.Sprintf("%s:%d", name, types[name]))
	}
	return strings.Join(all, " ")
}

// catLake prints the events of the query.
func catLake(ctx context.Context, s *lakeSettings, l *lake.Lake) error {
	out := bufio.NewWriterSize(s.out, 64<<10)
	events := 0
	for e, err := range s.events(ctx, l) {
		if err != nil {
			return errors.Join(err, out.Flush())
		}
		line, err := e.MarshalJSON()
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil {
			return errors.Join(fmt.Errorf("event %q: %w", e.ID, err), out.Flush())
		}
		events++
	}
	err := out.Flush()
	if s.json && err == nil {
		err = json.NewEncoder(s.errors).Encode(map[string]int{"events": events, "damaged": s.damaged})
	}
	return err
}

// events reads the lake as the flags say.
func (s *lakeSettings) events(ctx context.Context, l *lake.Lake) func(yield func(insideout.Event, error) bool) {
	return func(yield func(insideout.Event, error) bool) {
		n := 0
		for e, err := range l.Events(ctx, s.query) {
			if err == nil && s.redeem {
				e, err = redeemed(ctx, l, e)
			}
			if !yield(e, err) || err != nil {
				return
			}
			if n++; n == s.limit {
				return
			}
		}
	}
}

// redeemed returns the event whole, if its body lies elsewhere.
func redeemed(ctx context.Context, l *lake.Lake, e insideout.Event) (insideout.Event, error) {
	bucket, key, ok := lake.ClaimOf(e)
	if !ok {
		return e, nil
	}
	data, err := l.Redeem(ctx, bucket, key)
	if err != nil {
		return e, fmt.Errorf("the body of the event %q: %w", e.ID, err)
	}
	var whole insideout.Event
	if err := whole.UnmarshalJSON(data); err != nil {
		return e, fmt.Errorf("the body of the event %q, %q in the bucket %q: %w", e.ID, key, bucket, err)
	}
	return whole, nil
}
