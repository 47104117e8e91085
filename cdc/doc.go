// Package cdc turns the change records of a table into events, and publishes them: a service states its facts by
// writing its own table, and nothing else.
//
// Start with [New] and [Publish]. A [Trigger] has rules; [Publish] makes an event of every change of a model's rows,
// [PublishAggregate] one of every aggregate that a batch of records has changed. In a Lambda function on the table's
// stream, its handler is [Trigger.HandleDynamoDB]; everywhere else [Tail] follows the stream, in one process or in
// several that share its shards. Where events go to is a [Publisher]: the packages below publish have one for EventBridge,
// Kinesis, SNS and SQS each, package lake keeps events, the bus of package views takes them in process, and [FanOut]
// hands them to several. [Diff] and [Change.Fields] tell what a change did to an entity.
//
// # What is published
//
// Nothing is published for
//
//   - rows that a listener wrote, which are latched: their facts are another service's;
//   - rows that another region wrote (see [Options]), and the records that global tables add;
//   - rows whose sealed fields were moved to other keys (see table's DB.Sealed), where the stream has old images;
//   - rows that no rule is for, and the library's own: guards of unique values, checkpoints;
//   - rows whose time to live is over, unless Options.Expired says so;
//   - tombstones: a soft delete is published once, neither later changes of the tombstone nor its removal are.
//
// A row that turns into one of another model, by its discriminator, is deleted for its own and created for the other.
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
// # What cannot be published
//
// A record that cannot be mapped, and an event that its destination will never take ([ErrRejected]), become fault events with
// the record in them, so that it can be resubmitted. An event that is too large travels as a claim check where the publisher has
// [ClaimChecks]; where it has none, it is refused, and its fault has the record compressed, or, if that is too large as well,
// without the images of the row: what it says is where to look, and the shard goes on. What fails for another reason is tried
// again: by the publisher for as long as its context lasts, then by Lambda or Tail, from the first record that is concerned.
//
// # Sealed values
//
// Nothing is opened on the way unless Options.Opener does it, and nothing sealed anew: an [insideout.Sealed] in a [Change] is the
// ciphertext of the row, with its origin, and SetBody puts both into the event. Without an Opener, a plain field with the tag seal is the
// zero value in a change, whatever is in the row, and so does not count among [Change.Fields]: what is to be published is a Sealed. An
// aggregate is read with its DB, and has such fields if that has an Opener. SetBody refuses them in any case, as it refuses a Sealed that
// was never written, and the change becomes a fault that has the name of the field and the row as it is stored. A mapper's error that is
// insideout.ErrShredded is like [ErrSkip].
//
// # Streams
//
// Streams must carry NEW_AND_OLD_IMAGES. With new images alone, changes tell nothing of what was before, and rows that are
// removed without a tombstone are faults; with keys alone every record is.
//
// # Compatibility
//
// Events, fault events and their tags are those of the JavaScript library aws-lambda-stream (1.2.0), so that services
// of both kinds share a bus. The pattern is database-first event sourcing, from John Gilbert's "Software Architecture
// Patterns for Serverless Systems".
package cdc
