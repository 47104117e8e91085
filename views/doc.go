// Package views folds events into lean views: rows that hold what a service needs to know of the facts of other
// services, ready to be read in one request.
//
// Start with [New] and [Upsert]. A [Listener] has rules: [Upsert] makes a row of an event, [Remove] deletes one,
// [Rollup] keeps the totals of the rows that belong to one owner. In a Lambda function its handlers are
// [Listener.HandleSQS], [Listener.HandleKinesis], [Listener.HandleEventBridge], [Listener.HandleSNS] and
// [Listener.HandleDynamoDB]; outside of Lambda, [Serve] runs it on the sources of packages sqs and kinesis below this one; in
// process, a [Bus] feeds it. What it does, [Options].OnBatch tells; packages otel and emf make metrics of that.
// [Rebuild] makes a view anew of the history of its events, while it is live.
//
// # Concepts
//
// A rule writes one lane of a row: a set of attributes that has its own version, the timestamp and the id of the event
// that wrote it. Rows with one source have only the unnamed lane; see [InLane].
//
// A batch of events is decoded, routed by whole type names or by prefixes that a rule names as such, unpacked where a body is compressed or
// kept elsewhere, grouped by row, and reduced to the newest event of each lane; then each row is written by one worker.
//
// # Guarantees
//
// A view converges: whatever the order of the events, however often each is delivered, in whatever batches, to however
// many listeners at a time, and wherever one of them is killed, the rows end as after one pass in order. A lane's state
// is a function of its version, the write is conditional on a smaller one, and the greatest of a set does not depend on
// the order in which one looks at it.
//
// An event that changes the view costs one conditional write and no read; an event that a newer one of the same batch
// supersedes costs nothing.
//
// Nothing is lost. An event is applied, or reported as failed, or published as a fault event that carries it, and one
// that cannot be applied does not hold up the others. A panic of a mapper is such an event. Whether an event is
// delivered again or becomes a fault is for its mapper to say, with [Skip], [Retry] and [Poison]. What fails to be written for
// a reason that may pass or not, such as a missing permission, is tried some times and then a fault; see [Options].
package views
