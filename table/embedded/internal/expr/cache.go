package expr

import (
	"strings"
	"sync"
)

// cacheSize is the number of texts that a Cache keeps. A program has some tens
// of texts; one that writes values into its texts gains nothing from a larger cache.
const cacheSize = 1024

// Cache keeps parsed texts, so that a text that comes again is not parsed
// again. It serves any number of goroutines; its zero value is empty. It holds
// at most 1,024 texts of up to 4,096 bytes: when it is full it starts anew.
type Cache struct {
	mu    sync.RWMutex
	trees map[cacheKey]*tree
}

type cacheKey struct {
	text    string
	grammar grammar
}

// tree gives the text's tree. A nil Cache parses it.
func (c *Cache) tree(text string, g grammar) (*tree, fault) {
	key := cacheKey{text, g}
	if c != nil {
		c.mu.RLock()
		t := c.trees[key]
		c.mu.RUnlock()
		if t != nil {
			return t, ""
		}
	}
	if c != nil { // the tree must not hold on to the request that the text is part of
		key.text = strings.Clone(text)
	}
	t, f := parse(key.text, g.rule())
	if f == "" {
		f = t.structure(g)
	}
	if f != "" {
		return nil, f
	}
	if c != nil {
		c.keep(key, t)
	}
	return t, ""
}

func (c *Cache) keep(key cacheKey, t *tree) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trees == nil || len(c.trees) >= cacheSize {
		c.trees = make(map[cacheKey]*tree)
	}
	c.trees[key] = t
}
