package crypto_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

func TestRotateRewrapRetire(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	bubble(t, func(t *testing.T) {
		s, other := sealerOf(t, k.process(t, nil), "shop"), sealerOf(t, k.process(t, nil), "shop")
		var fields []insideout.SealedField
		for i := range 30 {
			fields = append(fields, field(fmt.Sprint(i), "email", fmt.Sprint(i)))
		}
		mustSeal(t, s, fields...)
		mustSeal(t, other, field("another tenant's", "email", "1"))
		_, err := s.ShredSubject(t.Context(), "0")
		require.NoError(t, err)
		ref, err := s.SubjectRef(t.Context(), "1")
		require.NoError(t, err)

		epoch, err := s.RotateEpoch(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, epoch)
		current, err := s.Epoch(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, current)
		require.ErrorIs(t, s.RetireEpoch(t.Context(), 2), crypto.ErrInUse)
		err = s.RetireEpoch(t.Context(), 1)
		require.ErrorIs(t, err, crypto.ErrInUse)
		require.ErrorContains(t, err, "other processes may still wrap keys by epoch 1 until")
		require.ErrorIs(t, s.RetireEpoch(t.Context(), 9), crypto.ErrUnknownKey)
		late := mustSeal(t, other, field("late", "email", "late"))[0] // by an epoch that it has cached
		time.Sleep(2 * 5 * time.Minute)
		require.ErrorContains(t, s.RetireEpoch(t.Context(), 1), "epoch 1 still wraps keys of subjects; run Rewrap")

		before := k.master.calls.Load()
		progress := rewrapInPieces(t, s)
		require.Equal(t, 32, progress.Subjects)
		require.Equal(t, 31, progress.Rewrapped)
		require.EqualValues(t, 2*5, k.master.calls.Load()-before, "an epoch costs one call a run, not one a subject")
		require.NoError(t, s.RetireEpoch(t.Context(), 1))
		for _, reader := range []*crypto.Sealer{s, other, sealerOf(t, k.process(t, nil), "shop")} {
			for i, f := range append(fields, late) {
				_, err := opened(t, reader, f)
				if i == 0 {
					require.ErrorIs(t, err, insideout.ErrShredded)
				} else {
					require.NoError(t, err)
				}
			}
			again, err := reader.SubjectRef(t.Context(), "1")
			require.NoError(t, err)
			require.Equal(t, ref, again, "references outlive epochs")
		}
	})
}

// rewrapInPieces stops after every page and goes on from the cursor.
func rewrapInPieces(t *testing.T, s *crypto.Sealer) crypto.RewrapProgress {
	t.Helper()
	stop := errors.New("stop")
	var total crypto.RewrapProgress
	for cursor := ""; ; {
		p, err := s.Rewrap(t.Context(), cursor, func(crypto.RewrapProgress) error { return stop })
		require.ErrorIs(t, err, stop)
		total.Subjects, total.Rewrapped, cursor = total.Subjects+p.Subjects, total.Rewrapped+p.Rewrapped, p.Cursor
		if cursor == "" {
			return total
		}
	}
}

// A copy of the subjects' table from before is of no use once the epoch is retired: that is what retiring is for.
func TestRetiringAnEpochEndsBackups(t *testing.T) {
	t.Parallel()
	k, apart := newKit(t), newKit(t)
	in := crypto.KeyTableSchema("namespaces")
	in.DeletionProtectionEnabled = nil
	_, err := k.client.CreateTable(t.Context(), in)
	require.NoError(t, err)
	_, err = apart.client.CreateTable(t.Context(), in)
	require.NoError(t, err)
	bubble(t, func(t *testing.T) {
		options := &crypto.Options{NamespaceTable: "namespaces"}
		s := sealerOf(t, k.process(t, options), "shop")
		f := mustSeal(t, s, field("17850", "email", "1"))[0]
		backup := copyTable(t, k)
		_, err := s.ShredSubject(t.Context(), "17850")
		require.NoError(t, err)
		restore(t, k, backup)
		_, err = opened(t, sealerOf(t, k.process(t, options), "shop"), f)
		require.NoError(t, err, "a restored backup brings a shredded key back")

		_, err = s.ShredSubject(t.Context(), "17850")
		require.NoError(t, err)
		_, err = s.RotateEpoch(t.Context())
		require.NoError(t, err)
		_, err = s.Rewrap(t.Context(), "", nil)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.NoError(t, s.RetireEpoch(t.Context(), 1))
		restore(t, k, backup)
		_, err = opened(t, sealerOf(t, k.process(t, options), "shop"), f)
		require.ErrorIs(t, err, crypto.ErrUnknownKey)
		require.ErrorContains(t, err, "epoch 1 of the namespace is retired")
	})
}
