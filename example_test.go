package insideout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/insideout-go/insideout"
)

func ExampleEvent() {
	type Order struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	e := insideout.Event{
		ID:           "e-1",
		Type:         "order-placed",
		Timestamp:    time.UnixMilli(1700000000123),
		PartitionKey: "536365",
		Tags:         insideout.Tags{insideout.TagSource: "orders"},
	}
	if err := e.SetBody("order", Order{ID: "536365", Status: "OPEN"}); err != nil {
		fmt.Println(err)
	}
	data, err := json.Marshal(e)
	fmt.Println(string(data), err)
	// Output:
	// {"id":"e-1","order":{"id":"536365","status":"OPEN"},"partitionKey":"536365","tags":{"source":"orders"},"timestamp":1700000000123,"type":"order-placed"} <nil>
}

func ExampleBody() {
	type Order struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	}
	var e insideout.Event
	if err := json.Unmarshal([]byte(`{"id":"e-1","type":"order-placed","order":{"id":"536365","status":"OPEN"}}`), &e); err != nil {
		fmt.Println(err)
	}
	order, err := insideout.Body[Order](e, "order")
	fmt.Println(order.ID, order.Status, err)

	_, err = insideout.Body[Order](e, "invoice")
	fmt.Println(err)
	fmt.Println(errors.Is(err, insideout.ErrNoMember))
	// Output:
	// 536365 OPEN <nil>
	// insideout: event "e-1": member "invoice": no such member
	// true
}

func ExampleEvent_Validate() {
	fmt.Println(insideout.Event{ID: "e-1"}.Validate())
	// Output:
	// insideout: event "e-1": member "type": is missing
	// insideout: event "e-1": member "timestamp": is missing
}

func ExampleEvent_Ref() {
	placed := insideout.Event{ID: "e-1", Type: "order-placed", Timestamp: time.UnixMilli(1700000000123).UTC()}
	fulfilled := insideout.Event{ID: "e-1.r1", Type: "order-fulfilled", Triggers: []insideout.Ref{placed.Ref()}}
	data, err := json.Marshal(fulfilled)
	fmt.Println(string(data), err)
	// Output:
	// {"id":"e-1.r1","triggers":[{"id":"e-1","timestamp":1700000000123,"type":"order-placed"}],"type":"order-fulfilled"} <nil>
}
