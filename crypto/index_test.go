package crypto_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/crypto"
)

func TestUniqueIndex(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	email := crypto.Index{Name: "customer.email", Normalize: strings.ToLower}
	hash := func(s *crypto.Sealer, ix crypto.Index, value string) string {
		h, err := s.BlindIndex(t.Context(), ix, value)
		require.NoError(t, err)
		require.Len(t, h, 32)
		return h
	}
	same := hash(s, email, "Marker@Example.com")
	require.Equal(t, same, hash(k.sealer(t, "shop"), email, marker))
	next := email
	next.Version = 1
	for _, other := range []string{
		hash(s, email, "x"), hash(k.sealer(t, "other"), email, marker), hash(s, crypto.Index{Name: "customer.mail"}, marker), hash(s, next, marker),
	} {
		require.NotEqual(t, same, other)
	}
	_, err := s.RotateEpoch(t.Context())
	require.NoError(t, err)
	require.Equal(t, same, hash(s, email, marker), "indexes outlive epochs")
}

func TestBeaconMustFitItsPopulation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		bits, population int
		text             string
	}{
		{10, 10_000, ""},
		{7, 10_000, ""},
		{6, 10_000, "√population < 2^bits"},
		{13, 10_000, "2^bits < population/2"},
		{12, 10_000, ""},
		{3, 32, ""},
		{4, 32, "do not fit"},
		{3, 31, "fewer than 32"},
		{0, 10_000, "1 to 63 bits"},
		{64, 10_000, "1 to 63 bits"},
		{8, 0, "fewer than 32"},
	} {
		err := crypto.Index{Name: "zip", Bits: tc.bits, Population: tc.population}.Validate()
		if tc.text == "" {
			require.NoError(t, err, "%v", tc)
			continue
		}
		require.ErrorIs(t, err, crypto.ErrInvalid)
		require.ErrorContains(t, err, tc.text)
	}
	require.ErrorIs(t, crypto.Index{}.Validate(), crypto.ErrInvalid)
	require.ErrorIs(t, crypto.Index{Name: "x", Version: -1}.Validate(), crypto.ErrInvalid)
}

func TestBeacon(t *testing.T) {
	t.Parallel()
	s := newKit(t).sealer(t, "shop")
	zip := crypto.Index{Name: "zip", Bits: 9, Population: 10_000}
	hashes := map[string]int{}
	for i := range 10_000 {
		h, err := s.BlindIndex(t.Context(), zip, strconv.Itoa(i))
		require.NoError(t, err)
		require.Len(t, h, 3)
		require.Less(t, h, "200")
		hashes[h]++
	}
	require.Len(t, hashes, 512)
	for h, n := range hashes {
		require.Greater(t, n, 1, "beacon %s tells its value", h)
	}
	_, err := s.BlindIndex(t.Context(), crypto.Index{Name: "zip", Bits: 40, Population: 100}, "x")
	require.ErrorIs(t, err, crypto.ErrInvalid)
}
