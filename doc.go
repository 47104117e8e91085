// Package insideout holds the vocabulary that the services of a system share: the domain event, its tags and its lineage.
//
// Start with [Event], which decodes from and encodes to the JSON that travels on the bus, and with [Body], which decodes
// the entity that an event carries. The packages below this one build services on DynamoDB around it: table defines
// entities, cdc turns changed rows into events, views folds events into lean materialized views.
//
// # Wire format
//
// An event is one JSON object with the members id, type, timestamp (epoch milliseconds), partitionKey, tags and
// triggers, and beside them the entity under its own name. It is the format of the JavaScript library aws-lambda-stream,
// so services in either language share one bus. See "Software Architecture Patterns for Serverless Systems" by
// John Gilbert for the patterns behind it.
//
// # Guarantees
//
//   - Decoding loses nothing. A member that this version does not know stays in [Event.Body] with its exact JSON text:
//     numbers of any size, escapes and the order of inner members survive. Only white space between JSON tokens is
//     dropped when the event is written again.
//   - Encoding is deterministic: members are sorted by name, and equal events give equal bytes.
//   - Error texts name the event and the member, never a value.
//
// The package needs the standard library only.
package insideout
