package embedded

import (
	"context"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/insideout-go/insideout/table/embedded/internal/wire"
)

var (
	_ wire.API     = (*DB)(nil)
	_ wire.Tagger  = (*DB)(nil)
	_ wire.Limiter = (*DB)(nil)
	_ wire.Texter  = face{}
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
	return wire.New(face{db}, &wire.Options{Region: opts.Region, Logger: opts.Logger})
}

// Serve answers the requests of a listener as [DB.Handler] does, in a third of the
// time of net/http's server, until ctx ends. Then it lets the requests under
// way end, which fails after ten seconds; it closes the listener in any case. It
// speaks HTTP/1.1 without TLS. A client has ten seconds to send the head of a request,
// a minute to send all of it, and two minutes to begin the next one. One that leaves
// does not end its operation's context.
func (db *DB) Serve(ctx context.Context, l net.Listener) error { return db.handler().Serve(ctx, l) }

// face is the database as its handler sees it: with reads that write JSON.
type face struct{ *DB }

func (f face) GetItemJSON(ctx context.Context, in *dynamodb.GetItemInput, text *[]byte) (*dynamodb.GetItemOutput, error) {
	return call(ctx, f.DB, "GetItem", in, texting(text, f.engine.GetItemJSON))
}

func (f face) QueryJSON(ctx context.Context, in *dynamodb.QueryInput, text *[]byte) (*dynamodb.QueryOutput, error) {
	return call(ctx, f.DB, "Query", in, texting(text, f.engine.QueryJSON))
}

func (f face) ScanJSON(ctx context.Context, in *dynamodb.ScanInput, text *[]byte) (*dynamodb.ScanOutput, error) {
	return call(ctx, f.DB, "Scan", in, texting(text, f.engine.ScanJSON))
}

// texting is an operation that appends to text, and begins anew if an interceptor calls it again.
func texting[I, O any](text *[]byte, op func(context.Context, *I, *[]byte) (*O, error)) func(context.Context, *I) (*O, error) {
	start := len(*text)
	return func(ctx context.Context, in *I) (*O, error) {
		*text = (*text)[:start]
		return op(ctx, in, text)
	}
}
