// Package sqs holds the tests of events that go through a queue of Amazon SQS from a trigger to a listener, with the lake beside it: packages
// cdc and views do not know each other.
package sqs
