package views

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Names in the records of DynamoDB Streams, and in the rows of collected events.
const (
	opInsert = "INSERT"
	opRemove = "REMOVE"

	collected   = "EVENT" // the sort key of an event that was collected
	memberEvent = "event"
	memberRaw   = "raw"
)

var errNoImage = errors.New("views: the record has no image of the row: the stream must carry NEW_AND_OLD_IMAGES")

// image is a row in a record of Lambda.
type image map[string]events.DynamoDBAttributeValue

// decodeRecord makes an event of what happened to a row; see HandleDynamoDB.
func (l *Listener) decodeRecord(d *delivery, r events.DynamoDBEventRecord) {
	*d = delivery{id: r.EventID}
	after, before := image(r.Change.NewImage), image(r.Change.OldImage)
	row := after
	if len(row) == 0 {
		row = before
	}
	if len(row) == 0 {
		d.wrong = errNoImage
		return
	}
	var meta, previous table.Meta
	if meta, d.wrong = row.meta(); d.wrong != nil {
		return
	}
	if meta.Latched || meta.Region != "" && r.AWSRegion != "" && meta.Region != r.AWSRegion {
		d.nothing = true
		return
	}
	if meta.Key.SK == collected {
		l.decodeCollected(d, r, row)
		return
	}
	if previous, d.wrong = before.meta(); d.wrong != nil {
		return
	}
	kind := kindOf(r, meta, previous)
	if d.nothing = kind == ""; !d.nothing {
		d.event, d.wrong = rowEvent(r, kind, meta)
	}
}

// kindOf tells what happened to a row, nothing if it is a tombstone to which more happened.
func kindOf(r events.DynamoDBEventRecord, now, before table.Meta) string {
	switch {
	case now.Deleted && before.Deleted:
		return ""
	case r.EventName == opRemove && isExpiry(r, now):
		return "expired"
	case r.EventName == opRemove, now.Deleted:
		return "deleted"
	case before.Deleted:
		return "undeleted"
	case r.EventName == opInsert:
		return "created"
	}
	return "updated"
}

// isExpiry reports whether the row was removed because its time to live was over. Only the region that removed it says so; in
// the others the time itself must do.
func isExpiry(r events.DynamoDBEventRecord, row table.Meta) bool {
	if user := r.UserIdentity; user != nil {
		return user.Type == "Service" && user.PrincipalID == "dynamodb.amazonaws.com"
	}
	return !row.ExpiresAt.IsZero() && !row.ExpiresAt.After(r.Change.ApproximateCreationDateTime.Time)
}

func rowEvent(r events.DynamoDBEventRecord, kind string, meta table.Meta) (insideout.Event, error) {
	e := insideout.Event{
		ID: r.EventID, Type: strings.ToLower(meta.Discriminator) + "-" + kind,
		Timestamp: meta.Timestamp, PartitionKey: meta.Key.PK,
	}
	switch {
	case e.Timestamp.IsZero():
		e.Timestamp = r.Change.ApproximateCreationDateTime.UTC()
	case r.EventName == opRemove:
		// The time of the record is rounded down to the second, which may be before the last update.
		e.Timestamp = e.Timestamp.Add(time.Millisecond)
	}
	if r.AWSRegion != "" {
		e.Tags = insideout.Tags{insideout.TagRegion: r.AWSRegion}
	}
	raw := map[string]any{}
	for name, row := range map[string]image{"new": r.Change.NewImage, "old": r.Change.OldImage} {
		if len(row) > 0 {
			raw[name] = row.plain()
		}
	}
	return e, e.SetBody(memberRaw, raw)
}

// decodeCollected takes the event out of the row of one that was collected.
func (l *Listener) decodeCollected(d *delivery, r events.DynamoDBEventRecord, row image) {
	held, ok := row[memberEvent]
	if d.nothing = r.EventName != opInsert; d.nothing {
		return
	}
	if !ok || held.DataType() != events.DataTypeMap {
		d.wrong = fmt.Errorf("views: the collected row has no map %q", memberEvent)
		return
	}
	raw, err := json.Marshal(plain(held))
	if err != nil {
		d.wrong = err
		return
	}
	l.decodeEvent(d, string(raw), r.EventID)
}

// meta reads the system attributes. Of the others only their names matter.
func (row image) meta() (table.Meta, error) {
	item := make(table.Item, len(row))
	for name, v := range row {
		item[name] = scalar(v)
	}
	return table.ReadMeta(item)
}

// scalar is a value as the rest of the toolkit has it, as far as system attributes go.
func scalar(v events.DynamoDBAttributeValue) types.AttributeValue {
	if v.IsNull() { // first, since the zero value claims to be binary
		return &types.AttributeValueMemberNULL{Value: true}
	}
	switch v.DataType() {
	case events.DataTypeString:
		return &types.AttributeValueMemberS{Value: v.String()}
	case events.DataTypeNumber:
		return &types.AttributeValueMemberN{Value: v.Number()}
	case events.DataTypeBoolean:
		return &types.AttributeValueMemberBOOL{Value: v.Boolean()}
	default:
		return &types.AttributeValueMemberM{}
	}
}

func (row image) plain() map[string]any {
	out := make(map[string]any, len(row))
	for name, v := range row {
		out[name] = plain(v)
	}
	return out
}

// plain is a value in the terms of encoding/json.
func plain(v events.DynamoDBAttributeValue) any {
	if v.IsNull() {
		return nil
	}
	switch v.DataType() {
	case events.DataTypeString:
		return v.String()
	case events.DataTypeNumber:
		return json.Number(v.Number())
	case events.DataTypeBoolean:
		return v.Boolean()
	case events.DataTypeBinary:
		return v.Binary()
	case events.DataTypeStringSet:
		return v.StringSet()
	case events.DataTypeNumberSet:
		set := make([]json.Number, len(v.NumberSet()))
		for i, n := range v.NumberSet() {
			set[i] = json.Number(n)
		}
		return set
	case events.DataTypeBinarySet:
		return v.BinarySet()
	case events.DataTypeList:
		list := make([]any, len(v.List()))
		for i, item := range v.List() {
			list[i] = plain(item)
		}
		return list
	case events.DataTypeMap:
		return image(v.Map()).plain()
	default:
		return nil
	}
}
