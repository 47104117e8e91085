package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/insideout-go/insideout"
)

const (
	memberClaim = "s3"
	claimFolder = "claimchecks"
)

// ClaimOf returns where the body of a large event lies, and false if it lies in the event: its member s3 has a bucket and a key. An
// entity may be called s3 too, but has not both.
func ClaimOf(e insideout.Event) (bucket, key string, ok bool) {
	raw, ok := e.Body[memberClaim]
	if !ok {
		return "", "", false
	}
	var c struct{ Bucket, Key string }
	err := json.Unmarshal(raw, &c)
	return c.Bucket, c.Key, err == nil && c.Bucket != "" && c.Key != ""
}

// Keep stores a large event, in JSON, under a key of the form REGION/claimchecks/yyyy/mm/dd/hh/ID, and returns the bucket: it makes
// the lake the claim checks of publishers. Under a key that is taken it leaves what is there, since a key stands for one event.
func (l *Lake) Keep(ctx context.Context, key string, body []byte) (bucket string, err error) {
	if err := l.checkWrite(ctx); err != nil {
		return "", err
	}
	claims, bucket, err := l.claims("", key)
	if err != nil {
		return "", err
	}
	if _, err := claims.Put(ctx, key, body, ""); err != nil && !errors.Is(err, ErrChanged) {
		return "", err
	}
	return bucket, nil
}

// Redeem returns the event, in JSON, that a claim check stands for: it makes the lake the claim checks of listeners. The error wraps
// [fs.ErrNotExist] if it is gone.
func (l *Lake) Redeem(ctx context.Context, bucket, key string) ([]byte, error) {
	if err := l.check(ctx); err != nil {
		return nil, err
	}
	claims, _, err := l.claims(bucket, key)
	if err != nil {
		return nil, err
	}
	c, err := claims.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	data := make([]byte, c.Bytes)
	_, err = io.ReadFull(io.NewSectionReader(c, 0, c.Bytes), data)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, fmt.Errorf("lake: %q: %w", key, err)
	}
	return data, nil
}

// Discard removes what a claim check stands for, as an erasure must before it drops the event that has the claim check. It is no
// error if it is gone.
func (l *Lake) Discard(ctx context.Context, bucket, key string) error {
	if err := l.checkWrite(ctx); err != nil {
		return err
	}
	claims, _, err := l.claims(bucket, key)
	if err != nil {
		return err
	}
	return claims.Delete(ctx, key)
}

// claims refuses keys of which nothing shows that they are of claim checks: events come from others, and must not make a service
// read or remove whatever it may.
func (l *Lake) claims(bucket, key string) (Store, string, error) {
	parts := strings.Split(key, "/")
	bad := func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00")
	}
	if slices.ContainsFunc(parts, bad) || !slices.Contains(parts[:len(parts)-1], claimFolder) {
		return nil, "", fmt.Errorf("lake: %q is not the key of a claim check, which has the form REGION/claimchecks/yyyy/mm/dd/hh/ID", key)
	}
	return l.store.Claims(bucket)
}
