// Package cdc turns the change records of a table into events, and publishes them: a service states its facts by
// writing its own table, and nothing else.
//
// Start with [New] and [Publish]. A [Trigger] has rules; [Publish] makes an event of every change of a model's rows,
// [PublishAggregate] one of every aggregate that a batch of records has changed. In a Lambda function on the table's
// stream, its handler is [Trigger.HandleDynamoDB]; everywhere else [Tail] follows the stream.
//
// # What is published
//
// Nothing is published for
//
//   - rows that a listener wrote, which are latched: their facts are another service's;
//   - rows that another region wrote (see [Options]), and the records that global tables add;
//   - rows that no rule is for;
//   - rows whose time to live is over, unless Options.Expired says so;
//   - tombstones: a soft delete is published once, neither later changes of the tombstone nor its removal are.
//
// A row that is removed from the table without a tombstone has its event ordered right after its last update: one
// millisecond behind it, and not at the time of the record, which is rounded down to the second.
//
// # Guarantees
//
// The same record of a row gives the same event, to the byte, however often and in whatever batches it is delivered (an
// aggregate's event tells what a read of it found: see [PublishAggregate]): there is no
// clock and no randomness in the path. Events are published at least once, and handed to the publisher in the order of
// their records; one that fails is published again behind those that did not. Nothing is lost: a record is published,
// or has nothing to say, or is reported as failed, or, if it cannot be mapped, becomes a fault event that carries it. A
// record that cannot be mapped never holds up those behind it.
//
// # Compatibility
//
// Events, fault events and their tags are those of the JavaScript library aws-lambda-stream (1.2.0), so that services
// of both kinds share a bus. The pattern is database-first event sourcing, from John Gilbert's "Software Architecture
// Patterns for Serverless Systems".
package cdc
