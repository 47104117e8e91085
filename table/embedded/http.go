package embedded

import (
	"context"
	"net"
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
// timeouts where clients are not to be trusted with connections. [DB.Serve] is
// the faster way to give it a port of its own.
func (db *DB) Handler() http.Handler { return db.handler() }

func (db *DB) handler() *wire.Handler {
	opts := db.engine.Options()
	return wire.New(db, &wire.Options{Region: opts.Region, Logger: opts.Logger})
}

// Serve answers the requests of a listener as [DB.Handler] does, in a third of the
// time of net/http's server, until ctx ends. Then it lets the requests under
// way end, which fails after ten seconds; it closes the listener in any case. It
// speaks HTTP/1.1 without TLS. A client has ten seconds to send the head of a request,
// a minute to send all of it, and two minutes to begin the next one. One that leaves
// does not end its operation's context.
func (db *DB) Serve(ctx context.Context, l net.Listener) error { return db.handler().Serve(ctx, l) }
