package crypto

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Epoch is the number of the namespace's current epoch, by a consistent read. It is 0 if the namespace has sealed nothing yet.
func (s *Sealer) Epoch(ctx context.Context) (int64, error) {
	row, err := s.readNamespace(ctx)
	if err != nil || row == nil {
		return 0, s.fault("read the epoch", err)
	}
	return row.epoch, nil
}

func (s *Sealer) readNamespace(ctx context.Context) (*namespaceRow, error) {
	it, err := s.keys.namespaceTable.get(ctx, namespacePK(s.namespace))
	if err != nil || it == nil {
		return nil, err
	}
	return readNamespace(it)
}

// RotateEpoch makes a new key between the master key and those of subjects, and returns its number. Subjects that are new get
// theirs wrapped by it: at once in this process, within MasterTTL in others. Rewrap moves the others.
func (s *Sealer) RotateEpoch(ctx context.Context) (epoch int64, err error) {
	if _, err := s.keys.namespace(ctx, s.namespace, true); err != nil {
		return 0, s.fault("rotate the epoch", err)
	}
	err = s.changeNamespace(ctx, func(n *namespaceKeys) error {
		n.row.since = time.Now()
		err := s.keys.addEpoch(ctx, n)
		epoch = n.row.epoch
		return err
	})
	return epoch, s.fault("rotate the epoch", err)
}

// changeNamespace reads the namespace's row, lets f change it, and writes it, again if others write it too.
func (s *Sealer) changeNamespace(ctx context.Context, f func(*namespaceKeys) error) error {
	defer s.keys.namespaces.evict(s.namespace)
	for range attempts {
		it, err := s.keys.namespaceTable.get(ctx, namespacePK(s.namespace))
		if err != nil {
			return err
		}
		if it == nil {
			return fmt.Errorf("%w: the namespace has none", ErrUnknownKey)
		}
		n, err := s.keys.openNamespace(ctx, s.namespace, it)
		if err != nil {
			return err
		}
		if err := f(n); err != nil {
			return err
		}
		if err = s.keys.namespaceTable.put(ctx, n.row.item(s.namespace), n.row.rev); !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return service("change the namespace's row", errOvertaken)
}

// RewrapProgress tells how far Rewrap has come.
type RewrapProgress struct {
	Subjects  int    // seen
	Rewrapped int    // subjects whose keys were wrapped by older epochs
	Cursor    string // to go on from: keep it, and give it to the next call. Empty at the end.
}

// Rewrap wraps the keys of all subjects by the current epoch's key. It changes rows of the key table and no data, and calls the key service
// once an epoch. From is "" or the cursor of an earlier call that was interrupted; progress, which may be nil, hears of
// every page, and ends the job by an error. It reads the whole key table.
func (s *Sealer) Rewrap(ctx context.Context, from string, progress func(RewrapProgress) error) (RewrapProgress, error) {
	p := RewrapProgress{Cursor: from}
	s.keys.namespaces.evict(s.namespace) // another process may have begun the epoch
	n, err := s.keys.namespace(ctx, s.namespace, false)
	if err != nil {
		return p, s.fault("rewrap", err)
	}
	err = s.walk(ctx, from, func(rows []item, next string) error {
		for _, it := range rows {
			moved, err := s.rewrapRow(ctx, n, it)
			if err != nil {
				return err
			}
			p.Subjects++
			if moved {
				p.Rewrapped++
			}
		}
		p.Cursor = next
		if progress == nil {
			return nil
		}
		return progress(p)
	})
	return p, s.fault("rewrap", err)
}

// walk gives the rows of the namespace's subjects, page by page.
func (s *Sealer) walk(ctx context.Context, after string, f func(rows []item, next string) error) error {
	for {
		rows, next, err := s.keys.subjectTable.page(ctx, s.namespace, after)
		if err != nil {
			return err
		}
		if err := f(rows, next); err != nil || next == "" {
			return err
		}
		after = next
	}
}

func (s *Sealer) rewrapRow(ctx context.Context, n *namespaceKeys, it item) (moved bool, err error) {
	seen, err := readSubject(it)
	if err != nil || !slices.ContainsFunc(seen.keys, func(w wrappedKey) bool { return w.epoch != n.row.epoch }) {
		return false, err
	}
	pk := asText(it[attrPK])
	err = s.changeRow(ctx, pk, func(row *subjectRow) (bool, error) {
		moved = false
		for i, w := range row.keys {
			if w.epoch >= n.row.epoch {
				continue
			}
			from, err := s.keys.kek(ctx, n, w.epoch)
			if err != nil {
				return false, err
			}
			to, err := s.keys.kek(ctx, n, n.row.epoch)
			if err != nil {
				return false, err
			}
			if row.keys[i], err = rewrapKey(from, to, pk, w, n.row.epoch); err != nil {
				return false, err
			}
			moved = true
		}
		return moved, nil
	})
	return moved, err
}

func rewrapKey(from, to cipher.AEAD, pk string, w wrappedKey, epoch int64) (wrappedKey, error) {
	secret, err := unwrapKey(from, w.wrapped, pk, string(w.id[:]))
	if err != nil {
		return w, err
	}
	defer clear(secret)
	w.wrapped, w.epoch = wrapKey(to, secret, pk, string(w.id[:])), epoch
	return w, nil
}

// RetireEpoch destroys the key of an epoch, and with it every copy of subjects' keys that it wrapped: those in old backups of the key
// table, if those backups have not the namespace's row of that time too (see Options.NamespaceTable). It is ErrInUse for the current
// epoch, for one that still wraps keys (run Rewrap), and until twice MasterTTL after the current epoch began, since other processes use what
// they have cached. It reads the whole key table.
func (s *Sealer) RetireEpoch(ctx context.Context, epoch int64) error {
	return s.fault("retire the epoch", s.retireEpoch(ctx, epoch))
}

func (s *Sealer) retireEpoch(ctx context.Context, epoch int64) error {
	row, err := s.readNamespace(ctx)
	switch {
	case err != nil:
		return err
	case row == nil || row.epochs[epoch] == nil:
		return fmt.Errorf("%w: there is no epoch %d", ErrUnknownKey, epoch)
	case row.epoch == epoch:
		return fmt.Errorf("%w: %d is the current one; RotateEpoch first", ErrInUse, epoch)
	case time.Since(row.since) < 2*s.keys.options.MasterTTL:
		return fmt.Errorf("%w: other processes may still wrap keys by epoch %d until %s", ErrInUse, epoch,
			row.since.Add(2*s.keys.options.MasterTTL).UTC().Format(time.RFC3339))
	}
	err = s.walk(ctx, "", func(rows []item, _ string) error {
		for _, it := range rows {
			if wraps(it, epoch) {
				return fmt.Errorf("%w: epoch %d still wraps keys of subjects; run Rewrap", ErrInUse, epoch)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.changeNamespace(ctx, func(n *namespaceKeys) error {
		if n.row.epoch == epoch {
			return ErrInUse
		}
		delete(n.row.epochs, epoch)
		return nil
	})
}

// wraps reports whether a subject's row has keys of an epoch. A row that cannot be read may have.
func wraps(it item, epoch int64) bool {
	row, err := readSubject(it)
	return err != nil || slices.ContainsFunc(row.keys, func(w wrappedKey) bool { return w.epoch == epoch })
}

// Counts is how many subjects are in each state, by a scan of the key table.
func (s *Sealer) Counts(ctx context.Context) (map[State]int, error) {
	counts := map[State]int{}
	err := s.walk(ctx, "", func(rows []item, _ string) error {
		for _, it := range rows {
			row, err := readSubject(it)
			if err != nil {
				return err
			}
			counts[row.state]++
		}
		return nil
	})
	return counts, s.fault("count", err)
}
