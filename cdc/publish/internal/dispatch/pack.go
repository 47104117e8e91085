package dispatch

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
)

// compressed is how the text of a compressed member starts; behind it is base64 of gzip of its JSON.
const compressed = "COMPRESSED"

// claim is the member of an event whose body is elsewhere.
type claim struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// pack makes entries of the events, in their order. What does not fit goes to the claim checks, a bounded number at a time.
func (r *run) pack(ctx context.Context, events []insideout.Event) []Entry {
	all := make([]Entry, len(events))
	errs := make([]error, len(events))
	var claims sync.WaitGroup
	for i := range events {
		e := &all[i]
		*e = Entry{Event: &events[i], Key: cmp.Or(events[i].PartitionKey, events[i].ID), place: i}
		if errs[i] = r.encode(e); errs[i] != nil || e.size <= r.d.Entry || r.d.ClaimChecks == nil {
			continue
		}
		if errs[i] = r.enter(ctx); errs[i] == nil {
			claims.Go(func() {
				defer func() { <-r.slots }()
				errs[i] = r.check(ctx, e)
			})
		}
	}
	claims.Wait()
	fit := all[:0]
	for i, e := range all {
		if errs[i] == nil && e.size > r.d.Entry {
			errs[i] = r.tooLarge(e)
		}
		if errs[i] != nil {
			r.fail(e, errs[i])
			continue
		}
		fit = append(fit, e)
	}
	return fit
}

func (r *run) tooLarge(e Entry) error {
	mend := "it needs ClaimChecks to travel without its body"
	if r.d.ClaimChecks != nil {
		mend = "even without its body"
	}
	return fmt.Errorf("%w: %d bytes, the limit is %d; %s", cdc.ErrTooLarge, e.size, r.d.Entry, mend)
}

// encode writes the event as JSON, with large members compressed. The record in a fault is to be read by whoever looks after it: it
// is left as it is where it fits.
func (r *run) encode(e *Entry) error {
	if r.d.Check != nil {
		if err := r.d.Check(e.Event); err != nil {
			return Rejected(err)
		}
	}
	if err := r.write(e, *e.Event); err != nil {
		return err
	}
	if len(e.Data) <= r.d.CompressAbove || r.d.CompressAbove < 0 || e.Event.Type == insideout.TypeFault && e.size <= r.d.Entry {
		return nil
	}
	small, changed, err := deflate(*e.Event, r.d.CompressAbove)
	if err != nil || !changed {
		return err
	}
	return r.write(e, small)
}

func (r *run) write(e *Entry, event insideout.Event) error {
	data, err := event.MarshalJSON()
	if err != nil {
		return Rejected(err)
	}
	e.Data, e.size = data, len(data)
	if r.d.Overhead != nil {
		e.size += r.d.Overhead(e.Event)
	}
	if r.d.Growth != nil {
		e.size += r.d.Growth(data)
	}
	return nil
}

// deflate compresses the members of more than limit bytes that become smaller by it. The bytes depend on the event alone.
func deflate(e insideout.Event, limit int) (insideout.Event, bool, error) {
	var body map[string]json.RawMessage
	for name, raw := range e.Body {
		if len(raw) <= limit || bytes.HasPrefix(raw, []byte(`"`+compressed)) {
			continue
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(raw)
		if err = errors.Join(err, w.Close()); err != nil {
			return e, false, err
		}
		if base64.StdEncoding.EncodedLen(packed.Len())+len(compressed)+2 >= len(raw) {
			continue
		}
		if body == nil {
			body = maps.Clone(e.Body)
		}
		text := `"` + compressed + base64.StdEncoding.EncodeToString(packed.Bytes()) + `"`
		body[name] = json.RawMessage(text)
	}
	if body == nil {
		return e, false, nil
	}
	e.Body = body
	return e, true, nil
}

// check keeps the whole event elsewhere and lets a claim check travel in its place.
func (r *run) check(ctx context.Context, e *Entry) error {
	whole, err := e.Event.MarshalJSON()
	if err != nil {
		return Rejected(err)
	}
	c := claim{Key: claimKey(e.Event)}
	for attempt := 1; ; attempt++ {
		if c.Bucket, err = r.d.ClaimChecks.Keep(ctx, c.Key, whole); err == nil {
			break
		}
		if !retryable(err) || attempt == r.d.Attempts {
			return fmt.Errorf("keeping its body as %q: %w", c.Key, err)
		}
		if late := pause(ctx, attempt); late != nil {
			return fmt.Errorf("keeping its body as %q: %w", c.Key, errors.Join(err, late))
		}
	}
	light := *e.Event
	light.Triggers, light.Body = nil, nil
	if tags, ok := e.Event.Body["tags"]; ok { // those that are no strings
		light.Body = map[string]json.RawMessage{"tags": tags}
	}
	if err := light.SetBody("s3", c); err != nil {
		return err
	}
	return r.write(e, light)
}

// claimKey is where the body of an event lies. It depends on the event alone, so that one that is published again lies in the same
// place.
func claimKey(e *insideout.Event) string {
	region := e.Tags[insideout.TagRegion]
	if region == "" || region == "undefined" {
		region = "local"
	}
	return fmt.Sprintf("%s/claimchecks/%s/%s", Name(region, 64), e.Timestamp.UTC().Format("2006/01/02/15"), Name(e.ID, 256))
}

// Name is the text where it is made of letters, digits, "-", "_" and single dots, and not longer than max; otherwise its SHA-256.
func Name(text string, max int) string {
	if len(text) <= max && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" &&
		!strings.HasPrefix(text, ".") && !strings.Contains(text, "..") && text != "" {
		return text
	}
	return Hash(text)
}

// Hash is the SHA-256 of a text, for where the text itself is too long or has characters that are not allowed.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
