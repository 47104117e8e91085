package idempotence_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/idempotence"
)

func TestNewVersionRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		at   time.Time
		id   string
		want string
	}{
		{time.Time{}, "e", `idempotence: no version: time 0001-01-01T00:00:00Z of event "e" is before 1970`},
		{time.Unix(0, -1), "e", `idempotence: no version: time 1969-12-31T23:59:59Z of event "e" is before 1970`},
		{time.UnixMilli(10_000_000_000_000), "e", `idempotence: no version: time of event "e" is after the year 2286`},
		{time.Unix(math.MaxInt64/2, 0), "e", `idempotence: no version: time of event "e" is after the year 2286`},
		{time.UnixMilli(1), "", `idempotence: no version: the event id is empty`},
		{time.UnixMilli(1), "a\xff", `idempotence: no version: event id "a\xff" is not UTF-8`},
	} {
		v, err := idempotence.NewVersion(tc.at, tc.id)
		require.EqualError(t, err, tc.want)
		require.ErrorIs(t, err, idempotence.ErrVersion)
		require.Empty(t, v)
	}
}

func TestVersionOf(t *testing.T) {
	t.Parallel()
	e := insideout.Event{ID: "e-1", Timestamp: time.Unix(1700000000, 123_999_999)}
	v, err := idempotence.VersionOf(e)
	require.NoError(t, err)
	require.Equal(t, idempotence.Version("1700000000123#e-1"), v)
	_, err = idempotence.VersionOf(insideout.Event{ID: "e-1"})
	require.ErrorIs(t, err, idempotence.ErrVersion)
}

func TestInvalidVersions(t *testing.T) {
	t.Parallel()
	for _, text := range []idempotence.Version{
		"", "1700000000123", "1700000000123#", "170000000012#e", "17000000001234#e", "+170000000012#e", "17000000001 3#e",
		"1700000000123_e", "1700000000123#\xff",
	} {
		require.ErrorIs(t, text.Valid(), idempotence.ErrVersion, string(text))
		require.Zero(t, text.Time())
		require.Empty(t, text.EventID())
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	const a, b = idempotence.Version("0000000000001#a"), idempotence.Version("0000000000001#b")
	require.Equal(t, idempotence.Applied, idempotence.Classify("", a))
	require.Equal(t, idempotence.Applied, idempotence.Classify(a, b))
	require.Equal(t, idempotence.Duplicate, idempotence.Classify(b, b))
	require.Equal(t, idempotence.Stale, idempotence.Classify(b, a))
}

func TestOutcomeString(t *testing.T) {
	t.Parallel()
	for o, want := range map[idempotence.Outcome]string{
		idempotence.Applied: "applied", idempotence.Duplicate: "duplicate", idempotence.Stale: "stale", 0: "outcome 0", 9: "outcome 9",
	} {
		require.Equal(t, want, o.String())
	}
}

func TestLaneAttributes(t *testing.T) {
	t.Parallel()
	require.Equal(t, "_v", idempotence.Lane("").VersionAttribute())
	require.Equal(t, "deleted", idempotence.Lane("").TombstoneAttribute())
	require.Equal(t, "_v_totals", idempotence.Lane("totals").VersionAttribute())
	require.Equal(t, "_d_totals", idempotence.Lane("totals").TombstoneAttribute())
}

func TestLaneValid(t *testing.T) {
	t.Parallel()
	for _, lane := range []idempotence.Lane{"", "a", "Totals-2_x", idempotence.Lane(strings.Repeat("a", 64))} {
		require.NoError(t, lane.Valid(), string(lane))
	}
	for _, lane := range []idempotence.Lane{" ", "2a", "_a", "-a", "a.b", "a b", "é", idempotence.Lane(strings.Repeat("a", 65))} {
		require.ErrorIs(t, lane.Valid(), idempotence.ErrLane, string(lane))
	}
}

func TestLockCondition(t *testing.T) {
	t.Parallel()
	require.Equal(t, "attribute_not_exists(#v) OR #v < :v", idempotence.LockCondition("#v", ":v"))
}
