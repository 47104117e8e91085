// Package idempotence is the algebra that makes views come out the same whatever the order and the number of deliveries:
// versions, lanes, the inverse lock, and deterministic ids.
//
// Start with [NewVersion], which orders the changes of one row, and [ID], which derives an id from what it stands for.
//
// # Concepts
//
// A [Version] totally orders the changes of one lane: milliseconds first, then the event's id, so that equal times do not
// tie. A [Lane] is one upstream source of a row; it owns a fixed set of attributes, its version and its tombstone. The
// inverse lock ([LockCondition]) lets a write through only if its version is greater than the stored one; a write that it
// stops is old news, not a failure ([Classify]).
//
// # Guarantees
//
// The greater of two versions is a join: commutative, associative and idempotent. A row is a product of lanes, and a
// conditional write joins one of them atomically. So any order, grouping and repetition of the same events ends in the
// same row, provided that
//
//   - two different events of one lane and row have different versions (event ids are unique),
//   - an event determines every attribute of its lane (what is absent is removed),
//   - lanes share no attribute.
//
// # Compatibility
//
// The texts of versions and the ids are stored in rows and sent in events. They do not change; golden vectors in testdata
// pin them.
package idempotence
