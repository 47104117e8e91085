// Package wire serves the DynamoDB and DynamoDB Streams JSON protocols over an
// implementation with the AWS SDK's method signatures.
//
// Start from [New], which returns the http.Handler, and from [API], which says
// what it needs.
//
// It guarantees that bad input is answered as DynamoDB answers it (malformed
// JSON, wrong JSON types, unknown operations, missing credentials) and never
// by a panic or by a 500, that every answer carries x-amzn-RequestId and
// x-amz-crc32, and that a request body is bounded in size and in depth.
// Requests are decoded straight into the SDK's input structs by a plan that is
// compiled once for each of them; answers are encoded by the SDK's own
// generated serializers, without reflection.
package wire
