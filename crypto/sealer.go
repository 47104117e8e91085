package crypto

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout"
)

// Sealer seals and opens the fields of one namespace, and rules over the keys of its subjects. It is safe for concurrent use.
type Sealer struct {
	keys      *Keys
	namespace string
	purpose   string
}

var (
	_ insideout.Sealer = (*Sealer)(nil)
	_ insideout.Opener = (*Sealer)(nil)
)

// For is a sealer that also opens restricted values, if the purpose is one of Options.Purposes; otherwise it is like s.
func (s *Sealer) For(purpose string) *Sealer {
	other := *s
	other.purpose = purpose
	return &other
}

// Format prints the namespace.
func (s *Sealer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "crypto.Sealer(%q)", s.namespace) }

const (
	// parallelFrom is the number of values from which they are worked on by all cores.
	parallelFrom = 512
	// maxLoads bounds the keys that one call loads at a time.
	maxLoads = 16
)

// Seal fills in the Ciphertext of every field from its Plaintext and Origin, or fails and fills in none. It makes the keys that are
// missing. The error is an *Error: insideout.ErrShredded if the subject was shredded, insideout.ErrRestricted if its keys are disabled,
// ErrInvalid if an origin is incomplete, ErrKeyService if keys cannot be had.
func (s *Sealer) Seal(ctx context.Context, fields []insideout.SealedField) error {
	for i := range fields {
		if err := checkField(&fields[i]); err != nil {
			return s.fieldFault("seal", fields[i].Origin, err)
		}
	}
	keys, err := s.load(ctx, fields, true)
	if err != nil {
		return s.fault("seal", err)
	}
	var few [4]*keyVersion // so that a row needs no allocation
	versions := few[:0]
	for i := range fields {
		found := keys.of(fields[i].Origin.Subject)
		if err := found.sealable(); err != nil {
			return s.fieldFault("seal", fields[i].Origin, err)
		}
		versions = append(versions, found.keys.current)
	}
	if err := s.reserve(ctx, fields, versions); err != nil {
		return s.fault("seal", err)
	}
	if len(fields) < parallelFrom {
		s.sealAll(fields, versions)
		return nil
	}
	many := slices.Clone(versions)
	split(len(fields), func(from, to int) { s.sealAll(fields[from:to], many[from:to]) })
	return nil
}

const aadSize = 256 // enough for most

func (s *Sealer) sealAll(fields []insideout.SealedField, versions []*keyVersion) {
	aad := make([]byte, 0, aadSize)
	for i := range fields {
		f := &fields[i]
		aad = appendAAD(aad[:0], &versions[i].id, s.namespace, &f.Origin)
		f.Ciphertext, f.Err = sealValue(versions[i].aead, &versions[i].id, f.Plaintext, aad), nil
	}
}

// Open fills in the Plaintext of every field from its Ciphertext and Origin, or its Err: insideout.ErrShredded and ErrRestricted are outcomes
// and let Open succeed. Every other one is joined in Open's error: ErrAuthentication if the ciphertext does not belong there,
// ErrKeyService if keys cannot be had.
func (s *Sealer) Open(ctx context.Context, fields []insideout.SealedField) error {
	keys, err := s.load(ctx, fields, false)
	if err != nil {
		return s.fault("open", err)
	}
	if err := s.refetch(ctx, fields, &keys); err != nil {
		return s.fault("open", err)
	}
	if len(fields) < parallelFrom {
		s.openAll(fields, &keys)
	} else {
		many := keys
		split(len(fields), func(from, to int) { s.openAll(fields[from:to], &many) })
	}
	var faults []error
	for i := range fields {
		if err := fields[i].Err; err != nil && !outcome(err) {
			fields[i].Err = s.fieldFault("open", fields[i].Origin, err)
			faults = append(faults, fields[i].Err)
		}
	}
	return errors.Join(faults...)
}

func (s *Sealer) openAll(fields []insideout.SealedField, keys *loadedKeys) {
	aad := make([]byte, 0, aadSize)
	for i := range fields {
		f := &fields[i]
		f.Plaintext, f.Err = s.openField(f, keys.of(f.Origin.Subject), &aad)
	}
}

func outcome(err error) bool {
	return errors.Is(err, insideout.ErrShredded) || errors.Is(err, insideout.ErrRestricted)
}

func (s *Sealer) openField(f *insideout.SealedField, found loaded, aad *[]byte) ([]byte, error) {
	id, err := readHead(f.Ciphertext)
	if err != nil {
		return nil, err
	}
	if found.err != nil {
		return nil, found.err
	}
	aead, err := s.opener(found.keys, id)
	if err != nil {
		return nil, err
	}
	*aad = appendAAD((*aad)[:0], &id, s.namespace, &f.Origin)
	return openValue(aead, f.Ciphertext, *aad)
}

// opener is the key of that id, if it may be used.
func (s *Sealer) opener(k *subjectKeys, id keyID) (cipher.AEAD, error) {
	switch {
	case slices.Contains(k.dead, id):
		return nil, insideout.ErrShredded
	case !slices.Contains(k.ids, id):
		return nil, foreign("%w of its id for its subject in this namespace", ErrUnknownKey)
	case k.state == Disabled, k.state == Restricted && !slices.Contains(s.keys.options.Purposes, s.purpose):
		return nil, insideout.ErrRestricted
	}
	return k.open[id], nil
}

func checkField(f *insideout.SealedField) error {
	switch {
	case f.Origin.Model == "" || f.Origin.ID == "" || f.Origin.Field == "" || f.Origin.Class == "":
		return invalid("the origin needs a model, an id, a field and a class")
	case f.Plaintext == nil:
		return invalid("there is no plain text to seal")
	}
	return nil
}

// loaded is the keys of a subject, or why there are none.
type loaded struct {
	keys *subjectKeys
	err  error
}

// sealable says why the keys do not seal, if they do not.
func (l loaded) sealable() error {
	if l.err != nil {
		return l.err
	}
	return usable(l.keys.state)
}

// loadedKeys has the keys of all subjects of a call; most calls are about one.
type loadedKeys struct {
	one  loaded
	more map[string]loaded
}

func (l *loadedKeys) of(subject string) loaded {
	if l.more == nil {
		return l.one
	}
	return l.more[subject]
}

// load fetches the keys of all subjects in fields. Unknown ones are an outcome of their fields; other errors are those of the
// call.
func (s *Sealer) load(ctx context.Context, fields []insideout.SealedField, create bool) (loadedKeys, error) {
	if len(fields) == 0 {
		return loadedKeys{}, nil
	}
	for i := range fields {
		if fields[i].Origin.Subject != fields[0].Origin.Subject {
			more := make(map[string]loaded, len(fields))
			for j := range fields {
				more[fields[j].Origin.Subject] = loaded{}
			}
			return loadedKeys{more: more}, s.loadMany(ctx, more, create)
		}
	}
	one, err := s.loadOne(ctx, fields[0].Origin.Subject, nil, create)
	return loadedKeys{one: one}, err
}

// loadMany reads the rows of subjects that are not cached in requests of a hundred.
func (s *Sealer) loadMany(ctx context.Context, subjects map[string]loaded, create bool) error {
	var missing []string
	for subject := range subjects {
		if found, ok := s.keys.subjects.peek(subjectKey{s.namespace, subject}); ok {
			subjects[subject] = loaded{keys: found}
		} else {
			missing = append(missing, subject)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	ahead, err := s.readAhead(ctx, missing, create)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxLoads)
	for _, subject := range missing {
		g.Go(func() error {
			found, err := s.loadOne(ctx, subject, ahead, create)
			mu.Lock()
			defer mu.Unlock()
			subjects[subject] = found
			return err
		})
	}
	return g.Wait()
}

func (s *Sealer) loadOne(ctx context.Context, subject string, ahead *readAhead, create bool) (loaded, error) {
	keys, err := s.subjectKeys(ctx, subject, ahead, create)
	if err != nil && !create && errors.Is(err, ErrUnknownKey) {
		return loaded{err: foreign("%w", err)}, nil
	}
	return loaded{keys, err}, err
}

// refetch loads keys again that do not have the id which a field names: another process may have rotated them.
func (s *Sealer) refetch(ctx context.Context, fields []insideout.SealedField, l *loadedKeys) error {
	for i := range fields {
		subject := fields[i].Origin.Subject
		found := l.of(subject)
		id, err := readHead(fields[i].Ciphertext)
		if err != nil || found.err != nil || time.Since(found.keys.loaded) < refetchAfter ||
			slices.Contains(found.keys.ids, id) || slices.Contains(found.keys.dead, id) {
			continue
		}
		s.Evict(subject)
		fresh, err := s.loadOne(ctx, subject, nil, false)
		if err != nil {
			return err
		}
		if l.more == nil {
			l.one = fresh
		} else {
			l.more[subject] = fresh
		}
	}
	return nil
}

// block is how many things a core takes at a time: few enough that all of them end at the same time, on a busy machine, too.
const block = 256

// split lets all cores work on n things, if there are many.
func split(n int, work func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	if n < parallelFrom || workers == 1 {
		work(0, n)
		return
	}
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, (n+block-1)/block) {
		wg.Go(func() {
			for to := int(taken.Add(block)); to-block < n; to = int(taken.Add(block)) {
				work(to-block, min(to, n))
			}
		})
	}
	wg.Wait()
}
