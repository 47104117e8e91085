package views

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/internal/panics"
)

// ClaimChecks redeems the claim checks of events whose body was too large for the bus.
type ClaimChecks interface {
	// Redeem returns what the object holds. For one that is gone the error is [fs.ErrNotExist], or the error NoSuchKey or
	// NotFound of the service.
	Redeem(ctx context.Context, bucket, key string) ([]byte, error)
}

// ErrClaimGone is the reason of a fault for an event of which the body is gone.
var ErrClaimGone = errors.New("the object is gone; objects of claim checks are kept for a limited time")

const (
	memberClaim = "s3"
	memberTags  = "tags"

	compressedMark = "COMPRESSED"
	maxInflated    = 32 << 20 // of all compressed members of one event: a small event must not fill the memory
)

// claim is the member of an event that says where its body lies.
type claim struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// claimOf returns the claim check of an event. An entity may be called s3 too, but has no bucket and key.
func claimOf(e insideout.Event) (claim, bool) {
	raw, ok := e.Body[memberClaim]
	if !ok {
		return claim{}, false
	}
	var c claim
	err := json.Unmarshal(raw, &c)
	return c, err == nil && c.Bucket != "" && c.Key != ""
}

// isPacked reports whether an event may have a body elsewhere or a compressed member.
func isPacked(e insideout.Event) bool {
	for name, raw := range e.Body {
		if name == memberClaim || bytes.Contains(raw, []byte(markInJSON)) {
			return true
		}
	}
	return false
}

// unpack gives the event the body that was put elsewhere or compressed. The delivery keeps the event as it came.
func (b *batch) unpack(ctx context.Context, d *delivery) error {
	came, e := d.event, d.event
	c, claimed := claimOf(e)
	if claimed {
		whole, err := b.redeem(ctx, c, d)
		if err != nil {
			return err
		}
		e = whole
	}
	body, inflated, err := inflateBody(e.Body)
	if err != nil {
		return err
	}
	if claimed || inflated {
		e.Body = body
		d.event, d.came, d.raw = e, &came, ""
	}
	return nil
}

// redeem fetches the body of an event. The envelope's id, type, time and tags stay: they are what was delivered.
func (b *batch) redeem(ctx context.Context, c claim, d *delivery) (insideout.Event, error) {
	if b.opts.ClaimChecks == nil {
		return d.event, Poison(fmt.Errorf("views: the body of the event is in the object %q of the bucket %q, and the listener has no ClaimChecks to fetch it", c.Key, c.Bucket))
	}
	data, err := safely(func() ([]byte, error) { return b.opts.ClaimChecks.Redeem(ctx, c.Bucket, c.Key) })
	if err != nil {
		return d.event, claimError(c, err)
	}
	var whole insideout.Event
	if err := whole.UnmarshalJSON(data); err != nil {
		return d.event, Poison(fmt.Errorf("views: the object %q of the bucket %q holds no event: %w", c.Key, c.Bucket, err))
	}
	if whole.ID != "" && whole.ID != d.event.ID && d.event.ID != d.id {
		return d.event, Poison(fmt.Errorf("views: the object %q of the bucket %q holds another event, %q", c.Key, c.Bucket, whole.ID))
	}
	e := d.event
	e.Body = whole.Body
	if e.Triggers == nil {
		e.Triggers = whole.Triggers
	}
	if tags, ok := d.event.Body[memberTags]; ok { // those that are no strings
		if e.Body == nil {
			e.Body = map[string]json.RawMessage{}
		}
		e.Body[memberTags] = tags
	}
	return e, nil
}

func claimError(c claim, err error) error {
	api, ok := errors.AsType[smithy.APIError](err)
	gone := ok && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound")
	if gone || errors.Is(err, fs.ErrNotExist) {
		return Poison(fmt.Errorf("views: the body of the event was in the object %q of the bucket %q: %w", c.Key, c.Bucket, ErrClaimGone))
	}
	err = fmt.Errorf("views: fetching the event's body, the object %q of the bucket %q: %w", c.Key, c.Bucket, err)
	switch {
	case errors.Is(err, context.Canceled), passes(err):
		return Retry(err)
	case ok:
		return &verdictError{unsure, err}
	}
	if _, panicked := errors.AsType[*panics.Error](err); panicked {
		return Poison(err)
	}
	return &verdictError{unsure, err}
}

// inflateBody returns the body with its compressed members, at any depth, in plain; and whether there was one. It does not
// change body.
func inflateBody(body map[string]json.RawMessage) (map[string]json.RawMessage, bool, error) {
	var plain map[string]json.RawMessage
	budget := maxInflated
	for name, raw := range body {
		if !bytes.Contains(raw, []byte(markInJSON)) {
			continue
		}
		value, changed, err := inflateJSON(raw, &budget)
		if err != nil {
			return body, false, Poison(fmt.Errorf("views: the member %q: %w", name, err))
		}
		if !changed {
			continue
		}
		if plain == nil {
			plain = maps.Clone(body)
		}
		plain[name] = value
	}
	if plain == nil {
		return body, false, nil
	}
	return plain, true, nil
}

// inflateJSON inflates what is compressed within a JSON value.
func inflateJSON(raw json.RawMessage, budget *int) (json.RawMessage, bool, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, false, err
	}
	changed := false
	value, err := inflateValue(value, budget, &changed)
	if err != nil || !changed {
		return raw, false, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(value)
	return bytes.TrimSpace(out.Bytes()), true, err
}

func inflateValue(value any, budget *int, changed *bool) (_ any, err error) {
	switch v := value.(type) {
	case string:
		plain, ok, err := inflateText(v, budget)
		if err != nil || !ok {
			return v, err
		}
		*changed = true
		return plain, nil
	case []any:
		for i := range v {
			if v[i], err = inflateValue(v[i], budget, changed); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = inflateValue(v[name], budget, changed); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// markInJSON is how a compressed text starts.
const markInJSON = `"` + compressedMark

var errInflated = fmt.Errorf("what is compressed has more than %d MiB", maxInflated>>20)

// inflateText returns the JSON in a compressed text. A text that only looks so is a text.
func inflateText(text string, budget *int) (json.RawMessage, bool, error) {
	encoded, ok := strings.CutPrefix(text, compressedMark)
	if !ok {
		return nil, false, nil
	}
	packed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, false, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, false, nil
	}
	plain, err := io.ReadAll(io.LimitReader(reader, int64(*budget)+1))
	if err != nil || len(plain) <= *budget && !json.Valid(plain) {
		return nil, false, nil
	}
	if len(plain) > *budget {
		return nil, false, errInflated
	}
	*budget -= len(plain)
	return plain, true, nil
}
