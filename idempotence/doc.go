// Package idempotence is the algebra that makes views come out the same whatever the order and the number of deliveries:
// versions, lanes, the inverse lock, and deterministic ids. For effects that are no view, a ledger runs each once.
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
// A [Ledger] runs an effect once for each key ([Ledger.Do]) and returns its stored result to whoever comes again; an effect
// that is a DynamoDB transaction takes the ledger's row along ([Ledger.Receipt]).
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
// Of the callers of a ledger under one key, those that overlap included, at most one holds the key at a time, and all get the
// one result that is stored. A caller that has lost its key writes nothing more. Whether a key is free is decided
// by the clocks of the callers, not by DynamoDB's time to live: they may differ by Options.Margin.
//
// # Rows of a ledger
//
// A ledger's rows fit into a table of this module, beside the rows of models. They are latched, so that no trigger
// publishes them.
//
//	pk             the operation, "|", and the key's SHA-256 in hexadecimal
//	sk             "idempotence"
//	discriminator  "idempotence"
//	timestamp      N, milliseconds of the last change
//	latched        true
//	ttl            N, seconds; the row counts until then
//	format         N, 1
//	status         "in-progress", "completed" or "failed"
//	owner          the token of the caller that claimed the key
//	until          N, milliseconds; when an unfinished claim may be taken over
//	payload        "none", or "sha256:" and the hash of the payload's JSON
//	result         JSON, of a completed effect
//	failure        the error's text, of an effect that failed for good
//
// An index by discriminator, such as gsi1, has all ledger rows under one partition key, which takes about 1,000 writes a second: give a busier
// ledger a table without one.
//
// # Compatibility
//
// The texts of versions, the ids and the rows of ledgers are stored, and versions and ids are sent in events. They do not
// change; golden vectors pin them.
package idempotence
