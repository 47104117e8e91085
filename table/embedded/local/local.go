// Package local makes AWS SDK clients for a DynamoDB endpoint on this machine:
// one that `insideout serve` opened, DynamoDB Local, or any other that asks for
// no real credentials.
//
// Start from [Clients]; [Transport] is for programs that configure a client
// themselves.
//
// It guarantees that the clients need no configuration, send no real
// credentials, and read answers of any size from a fast server without the
// broken connections that the SDK gives there over net/http's transport. DynamoDB in AWS
// needs none of this: use the SDK's config package for it.
package local

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// Region is the one that the clients sign for.
const Region = "us-east-1"

// Clients returns clients of both protocols for an endpoint such as
// "http://127.0.0.1:8000". They share one pool of connections, which honours
// no proxy settings.
func Clients(endpoint string) (*dynamodb.Client, *dynamodbstreams.Client) {
	dummy := credentials.NewStaticCredentialsProvider("local", "local", "")
	client := &http.Client{Transport: Transport()}
	return dynamodb.New(dynamodb.Options{
			Region: Region, BaseEndpoint: &endpoint, Credentials: dummy, HTTPClient: client,
		}), dynamodbstreams.New(dynamodbstreams.Options{
			Region: Region, BaseEndpoint: &endpoint, Credentials: dummy, HTTPClient: client,
		})
}
