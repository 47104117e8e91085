package table_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table"
)

// What a careful engineer writes by hand for Twelve, and no more: the texts of requests are constants, the names of attributes a shared
// map, slices are handed on as they are. It is what the library's figures are measured against.

type (
	avS  = types.AttributeValueMemberS
	avN  = types.AttributeValueMemberN
	avM  = types.AttributeValueMemberM
	avL  = types.AttributeValueMemberL
	avSS = types.AttributeValueMemberSS
	avB  = types.AttributeValueMemberBOOL
)

func handPlace(p *Place) *avM {
	return &avM{Value: table.Item{"street": &avS{Value: p.Street}, "city": &avS{Value: p.City}, "land": &avS{Value: p.Land}}}
}

func handList(texts []string) *avL {
	list := make([]types.AttributeValue, len(texts))
	for i, s := range texts {
		list[i] = &avS{Value: s}
	}
	return &avL{Value: list}
}

func handEncode(v *Twelve) table.Item {
	return table.Item{
		"pk":     &avS{Value: v.ID},
		"sk":     &avS{Value: "twelve"},
		"a":      &avS{Value: v.A},
		"b":      &avS{Value: v.B},
		"c":      &avS{Value: v.C},
		"d":      &avS{Value: v.D},
		"count":  &avN{Value: strconv.FormatInt(v.Count, 10)},
		"price":  &avN{Value: strconv.FormatFloat(v.Price, 'f', -1, 64)},
		"open":   &avB{Value: v.Open},
		"at":     &avS{Value: v.At.Format(time.RFC3339Nano)},
		"place":  handPlace(&v.Place),
		"list":   handList(v.List),
		"labels": &avSS{Value: v.Labels},
	}
}

var errHand = errors.New("an attribute is not of the type that it should be")

func handText(item table.Item, attr string, into *string) error {
	av, ok := item[attr]
	if !ok {
		return nil
	}
	s, ok := av.(*avS)
	if !ok {
		return fmt.Errorf("%s: %w", attr, errHand)
	}
	*into = s.Value
	return nil
}

func handNumber(item table.Item, attr string) (string, error) {
	av, ok := item[attr]
	if !ok {
		return "0", nil
	}
	n, ok := av.(*avN)
	if !ok {
		return "", fmt.Errorf("%s: %w", attr, errHand)
	}
	return n.Value, nil
}

func handDecode(item table.Item) (v Twelve, err error) {
	for _, f := range [...]struct {
		attr string
		into *string
	}{{"pk", &v.ID}, {"a", &v.A}, {"b", &v.B}, {"c", &v.C}, {"d", &v.D}} {
		if err := handText(item, f.attr, f.into); err != nil {
			return v, err
		}
	}
	number, err := handNumber(item, "count")
	if err != nil {
		return v, err
	}
	if v.Count, err = strconv.ParseInt(number, 10, 64); err != nil {
		return v, err
	}
	if number, err = handNumber(item, "price"); err != nil {
		return v, err
	}
	if v.Price, err = strconv.ParseFloat(number, 64); err != nil {
		return v, err
	}
	if av, ok := item["open"].(*avB); ok {
		v.Open = av.Value
	}
	var at string
	if err := handText(item, "at", &at); err != nil {
		return v, err
	}
	if v.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
		return v, err
	}
	return v, handDecodeNested(item, &v)
}

func handDecodeNested(item table.Item, v *Twelve) error {
	if place, ok := item["place"].(*avM); ok {
		if err := errors.Join(handText(place.Value, "street", &v.Place.Street), handText(place.Value, "city", &v.Place.City),
			handText(place.Value, "land", &v.Place.Land)); err != nil {
			return err
		}
	}
	if list, ok := item["list"].(*avL); ok {
		v.List = make([]string, len(list.Value))
		for i, av := range list.Value {
			s, ok := av.(*avS)
			if !ok {
				return fmt.Errorf("list: %w", errHand)
			}
			v.List[i] = s.Value
		}
	}
	if set, ok := item["labels"].(*avSS); ok {
		v.Labels = set.Value
	}
	return nil
}

// The texts of an upsert under the inverse lock, and of a save.
var (
	handTable  = "table"
	handUpsert = "SET #di = :di, #ts = :ts, #la = :la, #v = :v, #a = :a, #b = :b, #c = :c, #d = :d, #co = :co, #pr = :pr, #op = :op, #at = :at, " +
		"#pl = :pl, #li = :li, #lb = :lb REMOVE #by, #re, #de, #tt"
	handLock  = "attribute_not_exists(#v) OR #v < :v"
	handNames = map[string]string{
		"#di": "discriminator", "#ts": "timestamp", "#la": "latched", "#v": "_v", "#a": "a", "#b": "b", "#c": "c", "#d": "d", "#co": "count",
		"#pr": "price", "#op": "open", "#at": "at", "#pl": "place", "#li": "list", "#lb": "labels", "#by": "lastModifiedBy", "#re": "awsregion",
		"#de": "deleted", "#tt": "ttl",
	}
	handSave = "SET #di = :di, #ts = :ts, #a = :a, #b = :b, #c = :c, #d = :d, #co = :co, #pr = :pr, #op = :op, #at = :at, " +
		"#pl = :pl, #li = :li, #lb = :lb REMOVE #by, #re, #de, #tt, #la"
	handGrows     = "attribute_not_exists(#ts) OR #ts < :ts"
	handSaveNames = map[string]string{
		"#di": "discriminator", "#ts": "timestamp", "#la": "latched", "#a": "a", "#b": "b", "#c": "c", "#d": "d", "#co": "count",
		"#pr": "price", "#op": "open", "#at": "at", "#pl": "place", "#li": "list", "#lb": "labels", "#by": "lastModifiedBy", "#re": "awsregion",
		"#de": "deleted", "#tt": "ttl",
	}
)

func handUpsertInput(v *Twelve, ver string, millis int64) *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName:                &handTable,
		Key:                      table.Item{"pk": &avS{Value: v.ID}, "sk": &avS{Value: "twelve"}},
		UpdateExpression:         &handUpsert,
		ConditionExpression:      &handLock,
		ExpressionAttributeNames: handNames,
		ExpressionAttributeValues: table.Item{
			":di": &avS{Value: "twelve"}, ":ts": &avN{Value: strconv.FormatInt(millis, 10)}, ":la": &avB{Value: true}, ":v": &avS{Value: ver},
			":a": &avS{Value: v.A}, ":b": &avS{Value: v.B}, ":c": &avS{Value: v.C}, ":d": &avS{Value: v.D},
			":co": &avN{Value: strconv.FormatInt(v.Count, 10)},
			":pr": &avN{Value: strconv.FormatFloat(v.Price, 'f', -1, 64)},
			":op": &avB{Value: v.Open},
			":at": &avS{Value: v.At.Format(time.RFC3339Nano)},
			":pl": handPlace(&v.Place), ":li": handList(v.List), ":lb": &avSS{Value: v.Labels},
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// handUpsertTo sends the upsert, and takes a failed lock for the success that it is.
func handUpsertTo(ctx context.Context, client table.Client, v *Twelve, ver string, millis int64) (applied bool, err error) {
	_, err = client.UpdateItem(ctx, handUpsertInput(v, ver, millis))
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return false, nil
	}
	return err == nil, err
}

func handSaveTo(ctx context.Context, client table.Client, v *Twelve) error {
	_, err := client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                &handTable,
		Key:                      table.Item{"pk": &avS{Value: v.ID}, "sk": &avS{Value: "twelve"}},
		UpdateExpression:         &handSave,
		ConditionExpression:      &handGrows,
		ExpressionAttributeNames: handSaveNames,
		ExpressionAttributeValues: table.Item{
			":di": &avS{Value: "twelve"}, ":ts": &avN{Value: strconv.FormatInt(time.Now().UnixMilli(), 10)},
			":a": &avS{Value: v.A}, ":b": &avS{Value: v.B}, ":c": &avS{Value: v.C}, ":d": &avS{Value: v.D},
			":co": &avN{Value: strconv.FormatInt(v.Count, 10)},
			":pr": &avN{Value: strconv.FormatFloat(v.Price, 'f', -1, 64)},
			":op": &avB{Value: v.Open},
			":at": &avS{Value: v.At.Format(time.RFC3339Nano)},
			":pl": handPlace(&v.Place), ":li": handList(v.List), ":lb": &avSS{Value: v.Labels},
		},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}
