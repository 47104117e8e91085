package table

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/idempotence"
)

// Adopt lets listeners take over rows that the JavaScript library wrote, and go on beside it: such a row has a timestamp, and no
// version or the version of what this package wrote before. A listener's write then needs a timestamp that is later than the row's,
// or the row's own if its version is of that millisecond, too, and less. So an event of the millisecond in which the JavaScript library wrote the row
// changes nothing, as there, and counts as a duplicate: whether it is the one that was written, the row does not say.
//
// Commands set the timestamp as well: events from before a command on such a row are stale.
func (d *def) Adopt() { d.d.adopt = true }

// adopting is the lock of a model with Adopt: slot 7 is the version, slot 1 the timestamp, and :ms all that a version of the
// timestamp's millisecond starts with.
const adopting = "(attribute_not_exists(#7) OR #7 < :7) AND (attribute_not_exists(#1) OR #1 < :1 OR #1 = :1 AND #7 > " + msValue + ")"

// adopting says whether a write goes by the timestamp, too: only the unnamed lane has one.
func (r *row) adopting() bool { return r.adopt && r.kind == writeListener && r.lane == 0 }

// millisecond is the beginning of all versions in the millisecond of a listener's write.
func (r *row) millisecond() types.AttributeValue {
	ver := idempotence.Version(textOf(r.values[slotVersion]))
	return &types.AttributeValueMemberS{Value: fmt.Sprintf("%013d#", ver.Time().UnixMilli())}
}

// outcome tells from the row that stopped a listener's write what the write was.
func (r *row) outcome(stored Item, ver idempotence.Version) (idempotence.Outcome, error) {
	if stored == nil { // an endpoint that does not return the row: the lock held, and that is all there is to know
		return idempotence.Stale, nil
	}
	attr := r.names[r.versionSlot()]
	version, ok := stored[attr].(*types.AttributeValueMemberS)
	if ok {
		if outcome := idempotence.Classify(idempotence.Version(version.Value), ver); outcome != idempotence.Applied {
			return outcome, nil
		}
	}
	if !r.adopting() || stored[attr] != nil && !ok {
		return 0, invalid("attribute %q holds no version, so that no write can ever be newer", attr)
	}
	switch at, now := storedTimestamp(stored), ver.Time().UnixMilli(); {
	case at > now:
		return idempotence.Stale, nil
	case at == now:
		return idempotence.Duplicate, nil
	}
	return 0, invalid("attribute %q holds no time, so that no write can ever be newer", attrTimestamp)
}
