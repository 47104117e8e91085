package embedded

import (
	"net/http"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

var (
	_ wire.API     = (*DB)(nil)
	_ wire.Tagger  = (*DB)(nil)
	_ wire.Limiter = (*DB)(nil)
)

// Handler serves the database over HTTP to any client of DynamoDB and DynamoDB
// Streams: the JSON protocols DynamoDB_20120810 and DynamoDBStreams_20120810 on
// POST /, and a health check on GET /. The Logger of [Options] gets a record of
// each request at debug level.
//
// The handler asks for the shape of a signature and checks none: whoever
// reaches it may do everything. Bodies are at most 24 MB. Set the server's
// timeouts where clients are not to be trusted with connections.
func (db *DB) Handler() http.Handler {
	opts := db.engine.Options()
	return wire.New(db, &wire.Options{Region: opts.Region, Logger: opts.Logger})
}
