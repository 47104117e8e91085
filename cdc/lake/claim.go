package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/insideout-go/insideout"
)

const (
	memberClaim = "s3"
	memberTags  = "tags"
	claimFolder = "claimchecks"
)

// Claim is where the body of a large event lies.
type Claim struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// ClaimOf returns the claim check of an event, and false if it has none. An entity may be called s3 too, but has no bucket and key.
func ClaimOf(e insideout.Event) (Claim, bool) {
	raw, ok := e.Body[memberClaim]
	if !ok {
		return Claim{}, false
	}
	var c Claim
	err := json.Unmarshal(raw, &c)
	return c, err == nil && c.Bucket != "" && c.Key != ""
}

// Claim keeps a large event whole in the lake, and returns the event that travels in its place: id, type, timestamp, partition key
// and tags, and in the member s3 the bucket and the key REGION/claimchecks/yyyy/mm/dd/hh/ID of the object, which is the event's
// JSON, not compressed. This is the claim check of the JavaScript library, but by the time of the event and not by the clock: the
// same event has the same key. An event that has a claim check is returned as it is.
func (l *Lake) Claim(ctx context.Context, e insideout.Event) (insideout.Event, error) {
	if err := l.checkWrite(ctx); err != nil {
		return e, err
	}
	if _, ok := ClaimOf(e); ok {
		return e, nil
	}
	line, err := encode(e)
	if err != nil {
		return e, fmt.Errorf("lake: %w", err)
	}
	name := l.opts.Region + "/" + claimFolder + "/" + hourPath(e.Timestamp) + "/" + fileSafe(e.ID)
	if _, err := l.store.Put(ctx, name, line[:len(line)-1], ""); err != nil && !errors.Is(err, ErrChanged) {
		return e, err
	}
	bucket, prefix := l.store.Bucket()
	small := insideout.Event{ID: e.ID, Type: e.Type, Timestamp: e.Timestamp, PartitionKey: e.PartitionKey, Tags: e.Tags}
	if err := small.SetBody(memberClaim, Claim{bucket, prefix + name}); err != nil {
		return e, fmt.Errorf("lake: %w", err)
	}
	if loose, ok := e.Body[memberTags]; ok { // the tags that are no strings
		small.Body[memberTags] = loose
	}
	return small, nil
}

// fileSafe makes a name of one part of any id, and different ones of different ids.
func fileSafe(id string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Redeem returns the event, as JSON, that a claim check of this lake stands for. The error wraps [fs.ErrNotExist] if it is gone.
func (l *Lake) Redeem(ctx context.Context, bucket, key string) ([]byte, error) {
	name, err := l.claimed(bucket, key)
	if err != nil {
		return nil, err
	}
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	c, err := l.store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	data := make([]byte, c.Bytes)
	_, err = io.ReadFull(io.NewSectionReader(c, 0, c.Bytes), data)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, fmt.Errorf("lake: %q: %w", name, err)
	}
	return data, nil
}

// Discard removes what a claim check of this lake stands for, as an erasure must. It is no error if it is gone.
func (l *Lake) Discard(ctx context.Context, c Claim) error {
	name, err := l.claimed(c.Bucket, c.Key)
	if err != nil {
		return err
	}
	if err := l.checkWrite(ctx); err != nil {
		return err
	}
	return l.store.Delete(ctx, name)
}

// claimed returns the name of a claim check's object. Nothing else can be had or removed by a claim check.
func (l *Lake) claimed(bucket, key string) (string, error) {
	own, prefix := l.store.Bucket()
	name, ok := strings.CutPrefix(key, prefix)
	_, rest, _ := strings.Cut(name, "/")
	if bucket != own || !ok || !strings.HasPrefix(rest, claimFolder+"/") || !validName(name) {
		return "", fmt.Errorf("lake: %q in the bucket %q is no claim check of this lake, whose bucket is %q", key, bucket, own)
	}
	return name, nil
}

// validName refuses names that lead out of a folder.
func validName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00") {
			return false
		}
	}
	return true
}
