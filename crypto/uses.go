package crypto

import (
	"context"
	"fmt"

	"github.com/insideout-go/insideout"
)

// Reserving uses of keys. Nonces are random, so a key may seal 2^32 values before a repetition gets likelier than 2^-32. Half of that is
// counted in the key table, in blocks; half is left for the uses that need no reservation: freeUses for each load of a subject's keys.
const (
	freeUses = 1 << 12
	blockMax = 1 << 20
)

func (k *Keys) block() int64 { return max(min(blockMax, k.options.MaxUses/16), 1) }

// free is how many uses a load has without a reservation.
func (k *Keys) free(subject string, reserved int64) int64 {
	if subject == "" || reserved >= k.options.MaxUses {
		return 0
	}
	return min(freeUses, k.block())
}

// take takes n uses, if they are left.
func (v *keyVersion) take(n int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.left < n {
		return false
	}
	v.left -= n
	return true
}

func (v *keyVersion) give(n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.left += n
}

// reserve takes a use for each field. Where a key has no more, it replaces it in versions.
func (s *Sealer) reserve(ctx context.Context, fields []insideout.SealedField, versions []*keyVersion) error {
	for from := 0; from < len(fields); {
		to := from + 1
		for to < len(fields) && versions[to] == versions[from] {
			to++
		}
		version, err := s.reserveRun(ctx, fields[from].Origin.Subject, versions[from], int64(to-from))
		if err != nil {
			return err
		}
		for i := from; i < to; i++ {
			versions[i] = version
		}
		from = to
	}
	return nil
}

// reserveRun takes n uses of a key, reserves more of it, or goes over to a new key.
func (s *Sealer) reserveRun(ctx context.Context, subject string, v *keyVersion, n int64) (*keyVersion, error) {
	for range attempts {
		if v.take(n) {
			return v, nil
		}
		size := max(s.keys.block(), n)
		rotated, err := s.reserveBlock(ctx, subject, v, size)
		if err != nil {
			return nil, err
		}
		if !rotated {
			v.give(size)
			continue
		}
		s.Evict(subject)
		keys, err := s.subjectKeys(ctx, subject, nil, true)
		if err != nil {
			return nil, err
		}
		if err := usable(keys.state); err != nil {
			return nil, err
		}
		v = keys.current
	}
	return nil, fmt.Errorf("%w: uses of a key could not be reserved", ErrKeyService)
}

// reserveBlock writes a reservation down. It reports true if the key was used up, and another one is there instead.
func (s *Sealer) reserveBlock(ctx context.Context, subject string, v *keyVersion, size int64) (rotated bool, err error) {
	n, pk, err := s.locate(ctx, subject, true)
	if err != nil {
		return false, err
	}
	err = s.changeRow(ctx, pk, func(row *subjectRow) (bool, error) {
		rotated = false
		if err := usable(row.state); err != nil {
			return false, err
		}
		last := len(row.keys) - 1
		if last < 0 || row.keys[last].id != v.id {
			rotated = true
			return false, nil
		}
		if row.keys[last].uses+size > s.keys.options.MaxUses && row.keys[last].uses > 0 {
			rotated = true
			return true, s.addKey(ctx, n, pk, row)
		}
		row.keys[last].uses += size
		return true, nil
	})
	return rotated, err
}
