package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/guregu/dynamo/v2"
	"github.com/guregu/dynamo/v2/dynamodbiface"

	"github.com/insideout-go/insideout"
)

// Client is the part of DynamoDB that this package uses. *dynamodb.Client meets it, and so does the embedded engine.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	BatchWriteItem(context.Context, *dynamodb.BatchWriteItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
	TransactGetItems(context.Context, *dynamodb.TransactGetItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactGetItemsOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Options of a DB. The zero value of each field is its default.
type Options struct {
	// Region is stamped on every row, as awsregion. The default is that of the environment (AWS_REGION); without either
	// rows are not stamped.
	Region string
	// CursorKeys seal the cursors of pages: 32 secret bytes each. The first one seals, all of them open, so that a key can be
	// replaced. The default is a random key: cursors are then of no use to another process, or after a restart.
	CursorKeys [][]byte
	// SubjectKey makes the references to people that rows of models with a subject carry, as _sid: 32 secret bytes or more, the same in every
	// program that shares the table, for as long as its rows live. The default is none, and then rows are not marked, and marks that others made
	// are left alone, but by DB.Batch.
	SubjectKey []byte
	// Suppressed tells of whom nothing may be written that happened at a time, by the reference that SubjectKey makes: people who were erased. A
	// listener's Upsert then makes no request, and its outcome is idempotence.Withheld. Package gdpr has such a list, in memory. The default is nobody.
	Suppressed func(ref string, at time.Time) bool
	// Sealer seals the fields with the tag seal when a row is written, in one call a row. Without one, rows with such values are refused: they are never
	// stored as plain text. It is met by a *crypto.Sealer.
	Sealer insideout.Sealer
	// Opener opens sealed fields when rows are read, in one call a page. Without one, an insideout.Sealed carries its ciphertext unopened, and reads of rows with
	// other sealed fields are refused. It is met by a *crypto.Sealer.
	//
	// A value that may not be opened (insideout.ErrRestricted) is the zero value in what is read. A Save or Put that would thereby remove it, or replace it by a
	// sealed zero, is refused with that error; so is one by a DB without an Opener, which has not seen what is stored. An Update of other fields goes through, and so
	// does a Remove, which says what it does. Listeners' writes replace whatever is stored.
	Opener insideout.Opener
	// Plaintext hears of each value that a read found as plain text, by model and attribute, in a field that accepts it for a while: `seal:"contact,plain"`, for
	// rows from before the field was sealed. Every write seals nevertheless, so a Save of what was read migrates a row (an Update only the fields that it sets).
	// Take the option away when the hook has nothing more to say: until then, whoever can write to the table can put a value there without a key. It may be
	// called by several goroutines at a time. The default is none.
	Plaintext func(model, field string)
	// Logger hears of batches and contended rows that are tried again, at debug level. The default is none.
	Logger *slog.Logger
	// Capacity hears what each call of DynamoDB consumed, by index, before the operation goes on: "Query", "UpdateItem" and so on. It may be
	// called by several goroutines at a time. Calls that fail do not say. The default is none, and then no request asks for it.
	Capacity func(ctx context.Context, operation string, used []types.ConsumedCapacity)
}

// DB is a table behind a client. It is safe for concurrent use.
type DB struct {
	client    Client // through the hook
	given     Client
	hook      capacityHook
	name      string
	region    string
	log       *slog.Logger
	cursors   *sealer
	clock     *clock
	withheld  func(ref string, at time.Time) bool
	refer     func(subject string) string // nil without a key
	sealer    insideout.Sealer            // or nil
	opener    insideout.Opener            // or nil
	plaintext func(model, field string)   // or nil
	readers   int                         // of shards at a time
	replay    bool
}

// Open makes a DB of a table. It does no I/O: whether the table exists shows at the first request. See Create for tables that
// do not exist yet.
func Open(client Client, name string, opts *Options) (*DB, error) {
	if opts == nil {
		opts = &Options{}
	}
	db := &DB{
		client: meter(client, opts.Capacity), given: client, hook: opts.Capacity, name: name, region: opts.Region, log: opts.Logger, clock: new(clock),
		readers: shardReaders, sealer: opts.Sealer, opener: opts.Opener, plaintext: opts.Plaintext,
	}
	var faults []error
	if client == nil {
		faults = append(faults, invalid("there is no client"))
	}
	if len(name) < 3 || len(name) > 255 {
		faults = append(faults, invalid("a table's name has 3 to 255 characters, and %q has %d", name, len(name)))
	}
	if db.region == "" {
		db.region = os.Getenv("AWS_REGION")
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	keys := opts.CursorKeys
	if len(keys) == 0 {
		random := make([]byte, cursorKeySize)
		_, _ = rand.Read(random) // never fails
		keys = [][]byte{random}
	}
	var err error
	if db.cursors, err = newSealer(keys); err != nil {
		faults = append(faults, err)
	}
	if db.refer, err = referrer(opts.SubjectKey); err != nil {
		faults = append(faults, err)
	}
	if db.withheld = opts.Suppressed; db.withheld != nil && len(opts.SubjectKey) == 0 {
		faults = append(faults, invalid("Options.Suppressed needs Options.SubjectKey, which makes the references that it is asked about"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("table: cannot open: %w", errors.Join(faults...))
	}
	return db, nil
}

// opened refuses what Open did not make, before anything is asked of it.
func (db *DB) opened() error {
	if db == nil || db.client == nil {
		return invalid("there is no DB: make it with table.Open, and look at its error")
	}
	return nil
}

// Replaying is the same table for events that are folded again, by a mapper that has changed since: a listener's write through it also
// replaces what the very same event wrote before. What a later event wrote stays. Package views rebuilds rows in place with it.
func (db *DB) Replaying() *DB {
	if db == nil {
		return nil
	}
	again := *db
	again.replay = true
	return &again
}

// Name is the table's name.
func (db *DB) Name() string {
	if db == nil {
		return ""
	}
	return db.name
}

// Dynamo is guregu/dynamo's table, for what this package does not cover. ok is false if the client lacks methods that it
// needs. What is written through it carries no stamps, and is published as it stands.
func (db *DB) Dynamo() (table dynamo.Table, ok bool) {
	if db == nil {
		return dynamo.Table{}, false
	}
	client, ok := db.given.(dynamodbiface.DynamoDBAPI)
	if !ok {
		return dynamo.Table{}, false
	}
	return dynamo.NewFromIface(client).Table(db.name), true
}

type userKey struct{}

// WithUser names who acts: commands under the context stamp it on rows, as lastModifiedBy.
func WithUser(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, userKey{}, who)
}

func userOf(ctx context.Context) string {
	who, _ := ctx.Value(userKey{}).(string)
	return who
}
