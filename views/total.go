package views

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout/idempotence"
	"github.com/insideout-go/insideout/table"
)

// rollUp makes one attempt to roll up a node: version, then edges, then the write. See Rollup for why in this order. Anew writes
// also where the versions of the edges are those of the last totals: for edges that were replaced under the same versions.
func rollUp[C, O any](
	ctx context.Context, db *table.DB, pk string,
	edges *table.Edge[C], nodes *table.Node[O], lane idempotence.Lane, fold func(*O, []C), anew bool,
) (rolled, error) {
	done := rolled{reads: 1}
	stored, err := nodes.LaneVersion(ctx, db, pk, lane)
	if err != nil {
		return done, err
	}
	done.reads++
	var contributions []C
	d := digest{hash: sha256.New()}
	for item, err := range edges.Collection(ctx, db, pk) {
		if err != nil {
			return done, err
		}
		if err := d.add(item); err != nil {
			return done, err
		}
		if !edges.Visible(item) {
			continue
		}
		c, err := edges.Decode(item)
		if err != nil {
			return done, err
		}
		contributions = append(contributions, c)
	}
	next, changed, err := d.version(stored, anew)
	if err != nil || !changed {
		return done, err
	}
	done.writes++
	done.written, err = nodes.SwapLane(ctx, db, pk, lane, stored, next, func(node *O) { fold(node, contributions) })
	done.conflict = err == nil && !done.written
	return done, err
}

// digest stands for a set of edges.
type digest struct {
	hash   hash.Hash
	newest time.Time
}

// add takes an edge in: its key, and what changes with every write of it.
func (d *digest) add(item table.Item) error {
	meta, err := table.ReadMeta(item)
	if err != nil {
		return err
	}
	if meta.Timestamp.After(d.newest) {
		d.newest = meta.Timestamp
	}
	fmt.Fprintf(d.hash, "%d:%s@%d", len(meta.Key.SK), meta.Key.SK, meta.Timestamp.UnixMilli())
	for _, name := range slices.Sorted(maps.Keys(item)) {
		if version, ok := item[name].(*types.AttributeValueMemberS); ok && isVersion(name) {
			fmt.Fprintf(d.hash, "%d:%s=%d:%s", len(name), name, len(version.Value), version.Value)
		}
	}
	d.hash.Write([]byte{'\n'})
	return nil
}

func isVersion(attribute string) bool {
	owner := idempotence.Lane("").VersionAttribute()
	return attribute == owner || strings.HasPrefix(attribute, owner+"_")
}

const (
	digestBytes   = 16
	counterDigits = 12
)

// version returns the version for totals of these edges, in the place of the stored one, and false if the stored one is
// of the very same edges. The id within a version is a number, which counts the totals and so makes each version
// greater than the one before whatever the clocks of their writers say, ".", and the digest.
func (d *digest) version(stored idempotence.Version, anew bool) (next idempotence.Version, changed bool, err error) {
	sum := hex.EncodeToString(d.hash.Sum(nil)[:digestBytes])
	counter, last, _ := strings.Cut(stored.EventID(), ".")
	if last == sum && !anew {
		return stored, false, nil
	}
	n, err := strconv.ParseUint(cmp.Or(counter, "0"), 10, 64)
	if err != nil {
		return "", false, fmt.Errorf("views: the lane of the totals has the version %q of something else", stored)
	}
	at := d.newest
	if before := stored.Time(); at.Before(before) {
		at = before
	}
	if at.Before(time.UnixMilli(0)) {
		at = time.UnixMilli(0)
	}
	next, err = idempotence.NewVersion(at, fmt.Sprintf("%0*d.%s", counterDigits, n+1, sum))
	return next, true, err
}
