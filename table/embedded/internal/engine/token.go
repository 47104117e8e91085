package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/kv"
)

// tokenLife is how long a transaction's token is remembered.
const tokenLife = 10 * time.Minute

// tokens are the client request tokens of the transactions under way. Those of
// finished transactions are in the store, written with the transaction itself.
type tokens struct {
	mu      sync.Mutex
	running map[string]struct{}
}

// token is the claim of one call.
type token struct {
	engine *Engine
	text   string // empty: the call has none
	digest [sha256.Size]byte
	done   bool
	stale  []string // claimed too: expired ones that this call removes
}

// beginToken claims a token. It fails if a call with the token is under way, or
// was another request.
func (e *Engine) beginToken(text *string, steps []*step) (*token, error) {
	tk := &token{engine: e}
	if text == nil {
		return tk, nil
	}
	h := sha256.New()
	for _, s := range steps {
		d, err := s.digest()
		if err != nil {
			return nil, err
		}
		h.Write(d)
	}
	h.Sum(tk.digest[:0])
	e.tokens.mu.Lock()
	defer e.tokens.mu.Unlock()
	if _, running := e.tokens.running[*text]; running {
		return nil, &types.TransactionInProgressException{
			Message: new("The transaction with the given request token is already in progress."),
		}
	}
	data, found, err := e.store.Get(tokenKey(*text))
	if err != nil {
		return nil, internal(err)
	}
	if found && len(data) == 8+sha256.Size && now().UnixNano() < int64(binary.BigEndian.Uint64(data)) {
		if string(data[8:]) != string(tk.digest[:]) {
			return nil, &types.IdempotentParameterMismatchException{
				Message: new("The request uses the same client token as a previous, but non-identical request."),
			}
		}
		tk.done = true
		return tk, e.seenAll()
	}
	tk.text = *text
	e.tokens.running[tk.text] = struct{}{}
	return tk, nil
}

// repeated reports that the transaction has happened already.
func (tk *token) repeated() bool { return tk.done }

// end gives the token free.
func (tk *token) end() {
	if tk.text == "" {
		return
	}
	t := &tk.engine.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, tk.text)
	for _, text := range tk.stale {
		delete(t.running, text)
	}
}

func tokenKey(text string) []byte { return append([]byte{spaceToken}, text...) }

func tokenExpiryKey(at time.Time, text string) []byte {
	k := binary.BigEndian.AppendUint64([]byte{spaceTokenExpiry}, uint64(at.UnixNano()))
	return append(k, text...)
}

// stage remembers the token with the transaction, and forgets a few that have
// expired.
func (tk *token) stage(b *kv.Batch) {
	if tk.text == "" {
		return
	}
	at := now()
	tk.forget(b, at)
	until := at.Add(tokenLife)
	b.Set(tokenKey(tk.text), append(tokenValue(until), tk.digest[:]...))
	b.Set(tokenExpiryKey(until, tk.text), nil)
}

func tokenValue(until time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(until.UnixNano()))
}

// staleChunk is how many expired tokens a transaction removes: more than the
// one that it adds.
const staleChunk = 4

// forget removes expired tokens. They are claimed until the removal is done, so
// that none is used anew and then removed.
func (tk *token) forget(b *kv.Batch, at time.Time) {
	e := tk.engine
	var expired [][]byte
	for p, err := range e.store.Iterate([]byte{spaceTokenExpiry}, tokenExpiryKey(at, ""), false) {
		if err != nil || len(expired) == staleChunk {
			break // an error meets the transaction itself
		}
		expired = append(expired, p.Key)
	}
	e.tokens.mu.Lock()
	defer e.tokens.mu.Unlock()
	for _, key := range expired {
		text := string(key[9:])
		if _, running := e.tokens.running[text]; running {
			continue
		}
		b.Delete(key)
		value, found, err := e.store.Get(tokenKey(text))
		if err == nil && found && string(value[:8]) == string(key[1:9]) {
			e.tokens.running[text] = struct{}{}
			tk.stale = append(tk.stale, text)
			b.Delete(tokenKey(text))
		}
	}
}

// digest is what two calls with one token must have in common.
func digest(s *step, update, cond *string, names map[string]string, values map[string]types.AttributeValue) ([]byte, error) {
	h := sha256.New()
	text := func(t *string) {
		if t == nil {
			h.Write([]byte{0})
			return
		}
		fmt.Fprintf(h, "%d:%s", len(*t), *t)
	}
	text(&s.op)
	text(s.table)
	text(update)
	text(cond)
	text(new(string(s.onFailure)))
	for _, name := range sortedNames(names) {
		text(&name)
		text(new(names[name]))
	}
	item := make(attr.Item, len(values))
	for name, v := range values {
		c, err := attr.FromSDK(v)
		if err != nil {
			return nil, invalid(err)
		}
		item[name] = c
	}
	h.Write(attr.AppendItem(nil, item))
	h.Write(attr.AppendItem(nil, s.body))
	return h.Sum(nil), nil
}
