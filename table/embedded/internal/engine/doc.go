// Package engine implements DynamoDB and DynamoDB Streams on an ordered
// key-value store.
//
// Start with [Open] and [Engine]. The methods of Engine take and return the
// AWS SDK's own types; their errors are the SDK's typed ones, or
// *smithy.GenericAPIError where the SDK has no type (ValidationException).
//
// It guarantees that every answered write is durable if the store is, that the
// writes to one row are linearizable and transactions serializable, that an
// index entry and a stream record appear together with the row's change, and
// that the records of a shard become visible in the order of their numbers.
//
// # How a write happens
//
// The row's partition is hashed to one of the lock stripes. Under the stripe
// the old row is read, the condition evaluated, the new row computed, and all
// of row, index entries, expiry entry and stream record go into one batch. The
// stream's shard is locked while the batch is applied, so that numbers become
// visible in order. Then the locks go, and only after that the writer waits for
// the disk: writers that wait at the same time share one fsync. Readers who see
// a row that is not yet durable wait for it too.
package engine
