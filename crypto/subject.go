package crypto

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/insideout-go/insideout"
)

// subjectKeys are the unwrapped keys of a subject, as they stood when they were loaded.
type subjectKeys struct {
	state   State
	current *keyVersion           // seals
	open    map[keyID]cipher.AEAD // open
	dead    []keyID
	ids     []keyID // known, whatever the state
	loaded  time.Time
}

// keyVersion counts what a key seals. Uses are reserved in the key table block by block before they are made; the first few of each load of
// a subject's key are free, since a subject has few values. A namespace's own key has no free ones.
type keyVersion struct {
	id   keyID
	aead cipher.AEAD
	mu   sync.Mutex
	left int64
}

// attempts bounds how often a row is read again because others changed it.
const attempts = 16

// subjectKeys loads the keys of a subject. With create it makes what is missing; without, a missing one is ErrUnknownKey.
func (s *Sealer) subjectKeys(ctx context.Context, subject string, ahead *readAhead, create bool) (*subjectKeys, error) {
	if found, ok := s.keys.subjects.peek(subjectKey{s.namespace, subject}); ok {
		return found, nil
	}
	return s.loadKeys(ctx, subject, ahead, create)
}

func (s *Sealer) loadKeys(ctx context.Context, subject string, ahead *readAhead, create bool) (*subjectKeys, error) {
	return getOrCreate(ctx, s.keys.subjects, subjectKey{s.namespace, subject}, create, func(ctx context.Context) (*subjectKeys, error) {
		n, pk, err := s.locate(ctx, subject, create)
		if err != nil {
			return nil, err
		}
		for range attempts {
			row, err := s.readRow(ctx, pk, ahead)
			if ahead = nil; err == nil && row == nil {
				if !create {
					return nil, fmt.Errorf("%w: the subject has none in this namespace", errAbsent)
				}
				row = &subjectRow{state: Active, since: time.Now()}
				if err = s.addKey(ctx, n, pk, row); err == nil {
					err = s.keys.subjectTable.put(ctx, row.item(pk), 0)
				}
			}
			if err == nil {
				return s.unwrapSubject(ctx, n, pk, row, subject)
			}
			if !errors.Is(err, errOvertaken) {
				return nil, err
			}
		}
		return nil, service("create a subject's key", errOvertaken)
	})
}

// locate finds the namespace's keys and the partition of a subject.
func (s *Sealer) locate(ctx context.Context, subject string, create bool) (*namespaceKeys, string, error) {
	n, err := s.keys.namespace(ctx, s.namespace, create)
	if err != nil {
		return nil, "", err
	}
	ref, err := n.reference(subject)
	return n, subjectPK(s.namespace, ref), err
}

// readAhead has rows that were read together, as long as no key was evicted since: what is evicted must be read again.
type readAhead struct {
	rows      map[string]item
	evictions uint64
}

func (s *Sealer) readAhead(ctx context.Context, subjects []string, create bool) (*readAhead, error) {
	ahead := &readAhead{evictions: s.keys.subjects.evictions.Load()}
	n, err := s.keys.namespace(ctx, s.namespace, create)
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pks := make([]string, len(subjects))
	for i, subject := range subjects {
		ref, err := n.reference(subject)
		if err != nil {
			return nil, err
		}
		pks[i] = subjectPK(s.namespace, ref)
	}
	ahead.rows, err = s.keys.subjectTable.getAll(ctx, pks)
	return ahead, err
}

// readRow takes the row that was read ahead, if it still counts.
func (s *Sealer) readRow(ctx context.Context, pk string, ahead *readAhead) (*subjectRow, error) {
	if ahead != nil && ahead.evictions == s.keys.subjects.evictions.Load() {
		if it, ok := ahead.rows[pk]; ok {
			return readSubject(it)
		}
	}
	return s.readSubject(ctx, pk)
}

func (s *Sealer) readSubject(ctx context.Context, pk string) (*subjectRow, error) {
	it, err := s.keys.subjectTable.get(ctx, pk)
	if err != nil || it == nil {
		return nil, err
	}
	return readSubject(it)
}

// addKey gives a row a new key, which seals from then on. It writes nothing.
func (s *Sealer) addKey(ctx context.Context, n *namespaceKeys, pk string, row *subjectRow) error {
	kek, err := s.keys.kek(ctx, n, n.row.epoch)
	if err != nil {
		return err
	}
	secret := newSecret()
	defer clear(secret)
	_, id, err := sealingKey(secret, s.namespace, pk)
	if err != nil {
		return err
	}
	row.keys = append(row.keys, wrappedKey{id: id, epoch: n.row.epoch, wrapped: wrapKey(kek, secret, pk, string(id[:]))})
	return nil
}

func (s *Sealer) unwrapSubject(ctx context.Context, n *namespaceKeys, pk string, row *subjectRow, subject string) (*subjectKeys, error) {
	k := &subjectKeys{state: row.state, open: map[keyID]cipher.AEAD{}, dead: row.dead, loaded: time.Now()}
	for _, w := range row.keys {
		k.ids = append(k.ids, w.id)
		if row.state == Disabled {
			continue
		}
		aead, err := s.unwrapOne(ctx, n, pk, w)
		if err != nil {
			return nil, err
		}
		k.open[w.id] = aead
		k.current = &keyVersion{id: w.id, aead: aead, left: s.keys.free(subject, w.uses)}
	}
	return k, nil
}

// unwrapOne opens a key, and checks that it is the one that its id commits to.
func (s *Sealer) unwrapOne(ctx context.Context, n *namespaceKeys, pk string, w wrappedKey) (cipher.AEAD, error) {
	kek, err := s.kekFor(ctx, &n, w.epoch)
	if err != nil {
		return nil, err
	}
	secret, err := unwrapKey(kek, w.wrapped, pk, string(w.id[:]))
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	aead, id, err := sealingKey(secret, s.namespace, pk)
	if err != nil {
		return nil, err
	}
	if id != w.id {
		return nil, fmt.Errorf("%w: a key does not have the id that its record gives", ErrRecord)
	}
	return aead, nil
}

// kekFor is the key of an epoch. One that the cached namespace does not know may be newer than the cache.
func (s *Sealer) kekFor(ctx context.Context, n **namespaceKeys, epoch int64) (cipher.AEAD, error) {
	if epoch > (*n).row.epoch {
		s.keys.namespaces.evict(s.namespace)
		fresh, err := s.keys.namespace(ctx, s.namespace, false)
		if err != nil {
			return nil, err
		}
		*n = fresh
	}
	return s.keys.kek(ctx, *n, epoch)
}

// change reads a subject's row, lets f change it, and writes it, again and again if others write it too. f returns false if
// nothing is to be written. Whatever happens, this process forgets the keys that it has cached.
func (s *Sealer) change(ctx context.Context, subject string, f func(n *namespaceKeys, pk string, row *subjectRow) (bool, error)) error {
	defer s.Evict(subject)
	n, pk, err := s.locate(ctx, subject, true)
	if err != nil {
		return err
	}
	return s.changeRow(ctx, pk, func(row *subjectRow) (bool, error) { return f(n, pk, row) })
}

func (s *Sealer) changeRow(ctx context.Context, pk string, f func(row *subjectRow) (bool, error)) error {
	for range attempts {
		row, err := s.readSubject(ctx, pk)
		if err != nil {
			return err
		}
		if row == nil {
			row = &subjectRow{}
		}
		write, err := f(row)
		if err != nil || !write {
			return err
		}
		if err = s.keys.subjectTable.put(ctx, row.item(pk), row.rev); !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return service("change a subject's row", errOvertaken)
}

// State is the state of a subject's keys, by a consistent read of the key table. ErrUnknownKey: there never were any.
func (s *Sealer) State(ctx context.Context, subject string) (State, error) {
	_, pk, err := s.locate(ctx, subject, false)
	if err != nil {
		return "", s.fault("read the state", err)
	}
	return s.stateAt(ctx, pk)
}

// StateRef is State by the reference: see ShredRef.
func (s *Sealer) StateRef(ctx context.Context, ref string) (State, error) {
	return s.stateAt(ctx, subjectPK(s.namespace, ref))
}

func (s *Sealer) stateAt(ctx context.Context, pk string) (State, error) {
	row, err := s.readSubject(ctx, pk)
	if err == nil && row == nil {
		err = fmt.Errorf("%w: the subject has none in this namespace", ErrUnknownKey)
	}
	if err != nil {
		return "", s.fault("read the state", err)
	}
	return row.state, nil
}

// SetState makes a subject's keys active, restricted or disabled; a state that they are in already is fine. It works at once in this process, and
// within SubjectTTL in others. Errors: ErrUnknownKey if the subject has no keys, ErrState if they are shredded, ErrInvalid for other states.
func (s *Sealer) SetState(ctx context.Context, subject string, to State) error {
	if _, ok := transitions()[to]; !ok {
		return s.fault("set the state", invalid("%q is not a state to be set: want active, restricted or disabled; ShredSubject shreds", to))
	}
	return s.fault("set the state", s.change(ctx, subject, func(_ *namespaceKeys, _ string, row *subjectRow) (bool, error) {
		switch {
		case row.rev == 0:
			return false, fmt.Errorf("%w: the subject has none in this namespace", ErrUnknownKey)
		case row.state == to:
			return false, nil
		case !slices.Contains(transitions()[row.state], to):
			return false, fmt.Errorf("%w: from %s to %s", ErrState, row.state, to)
		}
		row.state, row.since = to, time.Now()
		return true, nil
	}))
}

// ShredSubject destroys a subject's keys for good. When it returns, nothing that was sealed for the subject opens in this
// process, and after SubjectTTL nowhere. It can be repeated; a subject without keys is marked too, so that a late writer gets
// none: Seal fails with insideout.ErrShredded until Readmit. The count is that of the keys that this call destroyed.
//
// Copies of the key table (backups) still hold the wrapped keys: their windows, and RetireEpoch, end that.
func (s *Sealer) ShredSubject(ctx context.Context, subject string) (keys int, err error) {
	if subject == "" {
		return 0, s.fault("shred", invalid("the subject is empty, and the namespace's own key is not shredded"))
	}
	err = s.change(ctx, subject, func(_ *namespaceKeys, _ string, row *subjectRow) (bool, error) {
		keys = len(row.keys)
		return row.shred(), nil
	})
	return keys, s.fault("shred", err)
}

// ShredRef is ShredSubject by the reference (see SubjectRef), for whoever does not know the subject any more: after a key table was restored, a list of
// references is all that is needed to shred again.
func (s *Sealer) ShredRef(ctx context.Context, ref string) (keys int, err error) {
	if sum, err := base64.RawURLEncoding.DecodeString(ref); err != nil || len(sum) != sha256.Size {
		return 0, s.fault("shred", invalid("%q is not a reference of SubjectRef", ref))
	}
	defer s.keys.subjects.evictAll(func(k subjectKey) bool { return k.namespace == s.namespace })
	err = s.changeRow(ctx, subjectPK(s.namespace, ref), func(row *subjectRow) (bool, error) {
		keys = len(row.keys)
		return row.shred(), nil
	})
	return keys, s.fault("shred", err)
}

// shred reports false if that was done before.
func (r *subjectRow) shred() bool {
	if r.state == Shredded {
		return false
	}
	for _, k := range r.keys {
		r.dead = append(r.dead, k.id)
	}
	r.state, r.since, r.keys = Shredded, time.Now(), nil
	return true
}

// Readmit gives new keys to a subject that was shredded and comes back of their own will. What was shredded stays so.
func (s *Sealer) Readmit(ctx context.Context, subject string) error {
	return s.fault("readmit", s.change(ctx, subject, func(n *namespaceKeys, pk string, row *subjectRow) (bool, error) {
		if row.state != Shredded {
			return false, fmt.Errorf("%w: only shredded subjects are readmitted", ErrState)
		}
		row.state, row.since = Active, time.Now()
		return true, s.addKey(ctx, n, pk, row)
	}))
}

// RotateSubject gives a subject another key to seal with. The older ones go on opening until Reseal has moved what they sealed.
func (s *Sealer) RotateSubject(ctx context.Context, subject string) error {
	return s.fault("rotate", s.change(ctx, subject, func(n *namespaceKeys, pk string, row *subjectRow) (bool, error) {
		if err := usable(row.state); err != nil && row.rev > 0 {
			return false, err
		}
		if row.rev == 0 {
			row.state, row.since = Active, time.Now()
		}
		return true, s.addKey(ctx, n, pk, row)
	}))
}

// usable says whether keys in a state seal.
func usable(state State) error {
	switch state {
	case Shredded:
		return insideout.ErrShredded
	case Disabled:
		return insideout.ErrRestricted
	default:
		return nil
	}
}
