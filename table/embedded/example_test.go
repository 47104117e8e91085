package embedded_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded"
)

// The database takes the place of *dynamodb.Client.
func Example() {
	ctx := context.Background()
	db := embedded.New(nil)
	defer db.Close()

	_, err := db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            new("greetings"),
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "world"}}
	for range 2 {
		out, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: new("greetings"), Key: key, ReturnValues: types.ReturnValueUpdatedNew,
			UpdateExpression:          new("ADD seen :one"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("seen", out.Attributes["seen"].(*types.AttributeValueMemberN).Value)
	}
	// Output:
	// seen 1
	// seen 2
}

// An interceptor stands for a network that loses the second answer, after the
// write.
func ExampleOptions_intercept() {
	ctx := context.Background()
	calls := 0
	db := embedded.New(&embedded.Options{
		Intercept: func(_ context.Context, operation string, _ any, next func() error) error {
			if calls++; calls != 2 {
				return next()
			}
			_ = next()
			return fmt.Errorf("%s: the connection is lost", operation)
		},
	})
	defer db.Close()
	for range 3 {
		out, err := db.ListTables(ctx, nil)
		fmt.Println(out != nil, err)
	}
	// Output:
	// true <nil>
	// false ListTables: the connection is lost
	// true <nil>
}

// The first answer is lost after the work was done, the next two calls are
// throttled, and the fourth goes well.
func ExampleFaults() {
	db := embedded.New(&embedded.Options{Intercept: embedded.Faults(
		embedded.Fault{Operation: "ListTables", Done: true},
		embedded.Fault{Operation: "ListTables", After: 1, Calls: 2},
	)})
	defer db.Close()
	for range 4 {
		_, err := db.ListTables(context.Background(), nil)
		fmt.Println(errors.Is(err, embedded.ErrAnswerLost), err == nil)
	}
	// Output:
	// true false
	// false false
	// false false
	// false true
}
