package local_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// An endpoint that this program serves itself; one that `insideout serve`
// opened is used by its URL in the same way.
func ExampleClients() {
	db := embedded.New(nil)
	defer db.Close()
	server := httptest.NewServer(db.Handler())
	defer server.Close()

	client, _ := local.Clients(server.URL)
	ctx := context.Background()
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            new("orders"),
		BillingMode:          types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	tables, err := client.ListTables(ctx, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tables.TableNames)
	// Output: [orders]
}
