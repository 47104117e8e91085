// Package table keeps the entities of a service in one DynamoDB table: nodes, edges and aggregates, each defined once
// from a plain Go struct.
//
// Start with [DefineNode], which makes a model of a struct, and [Open], which makes a [DB] of a client and a table's name.
//
//	type Order struct {
//		ID       string    `dynamo:"id"`
//		Status   string    `dynamo:"status"`
//		PlacedAt time.Time `dynamo:"placedAt"`
//	}
//
//	var ByStatus = table.Index{Name: "gsi2"}
//
//	var Orders = table.DefineNode("order", func(o *Order, d *table.Def[Order]) {
//		d.ID(&o.ID)
//		d.Retain(365 * table.Day)
//		d.Index(ByStatus, table.Key(&o.Status), table.Key(&o.PlacedAt))
//	})
//
//	err = Orders.Save(ctx, db, order)
//	order, err := Orders.Get(ctx, db, "42")
//	f := Orders.F
//	for order, err := range Orders.Query(ByStatus, table.Eq(&f.Status, "OPEN")).All(ctx, db) { … }
//
// # Concepts
//
// A [Node] has a partition of its own; an [Edge] lives in the partition of the node that owns it; an [Aggregate] reads a node and its
// edges in one Query. Fields are named by pointers into a probe, a value of the struct that the model owns: the compiler
// checks their types, and a rename moves with them. Tags are those of guregu/dynamo v2, and unknown options are refused.
// Every mistake of a definition is reported at once, when the program starts.
//
// There are two kinds of writes. Commands (Save, Create, Update, Delete, Restore) are what a user asked for: they are stamped with who and
// when, and published by the change stream. Listeners' writes (Upsert, Remove) fold events into a view under the inverse lock of package
// idempotence: one conditional request, no read, and the same result in whatever order events come. They latch the row, so that it is not published
// again.
//
// Values may be unique ([Def.Unique]): guard rows, written in the same transaction as the row, hold them. [DB.Transact] takes every command, and checks, with
// their conditions. Rows of older versions of a model are upgraded as they are read ([Def.Upgrades]), and rows that the JavaScript library keeps as well
// are shared ([Def.Adopt]). Rows about people carry a keyed reference to them ([Def.Subject]).
//
// A row may have lanes: sets of attributes that different sources keep, each under its own version. Only the unnamed lane makes a row
// visible.
//
// # Guarantees
//
//   - Two ids never share a key, and keys sort as ids do: see [RowKey].
//   - The timestamp of a row always grows with a command, also where clocks disagree.
//   - Deleted and expired rows, and rows of which only a named lane was written, are not returned unless asked for. DynamoDB reads and bills
//     them; they are left out here.
//   - Reads of the table itself are consistent unless [Eventual] is given. An aggregate is read in full or not at all.
//   - A page is full unless it is the last one. Cursors show no key and cannot be made up.
//   - A field tagged `seal:"class"` is stored as a ciphertext or not at all, and its value is in no error: see Options.Sealer and
//     Options.Opener. Whoever could not open it cannot remove it by a Save. With `seal:"class,plain"` reads take, and count, the plain text of older rows: see Options.Plaintext.
//   - Requests are deterministic text with generated placeholders, and carry only the clauses that they need. [DB.Params] shows
//     them without sending.
//
// # Compatibility
//
// Rows have the layout of the templates of aws-lambda-stream, and are read and written by JavaScript services:
//
//	pk, sk            node: id, discriminator; edge: owner's id, "role|id"
//	discriminator     the model's name
//	timestamp         N, milliseconds of the last change
//	lastModifiedBy    who changed it, awsregion: where
//	latched           true: written by a listener
//	deleted, ttl      true: a tombstone; N, seconds
//	_v, _v_LANE       S, versions; _d_LANE: the tombstone of a lane
//	_sid              S, the reference to the person whom the row is about; _sid2 to _sid4: to others
//	_sv               N, the schema version, of models that have several
//
// A guard of a unique value has pk "model|attributes|value" and sk "{unique", holderPk and holderSk, the key of the row that has the value, and that row's
// timestamp and ttl. It is latched and has no discriminator, so that it is neither published nor listed.
//
// Ids and owners are in the key alone. An empty string, an empty set and a nil pointer are no attribute. A nil list is stored,
// and read, as an empty one unless it has omitempty.
package table
