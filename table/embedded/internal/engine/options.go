package engine

import (
	"log/slog"
	"time"
)

// Options are explained in package embedded.
type Options struct {
	Region      string
	Shards      int
	ShardAge    time.Duration
	TTLInterval time.Duration
	NoSync      bool
	Logger      *slog.Logger
	// CollectionLimit is what an item collection may have in a table with local
	// indexes. Default: DynamoDB's 10 GB.
	CollectionLimit int64
}

const (
	defaultRegion      = "us-east-1"
	defaultTTLInterval = time.Minute
	defaultShardAge    = 4 * time.Hour
	maxShards          = 256
	account            = "000000000000"
)

func (o *Options) withDefaults() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Region == "" {
		r.Region = defaultRegion
	}
	if r.TTLInterval == 0 {
		r.TTLInterval = defaultTTLInterval
	}
	if r.ShardAge == 0 {
		r.ShardAge = defaultShardAge
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	if r.CollectionLimit == 0 {
		r.CollectionLimit = defaultCollectionLimit
	}
	r.Shards = min(max(r.Shards, 1), maxShards)
	return r
}

// Options returns the options in force, defaults filled in.
func (e *Engine) Options() Options { return e.opts }
