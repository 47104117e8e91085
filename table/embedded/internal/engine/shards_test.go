package engine_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
)

// TestUnreadStreamsAreTrimmed writes hourly to a stream that nobody reads: the
// records of a day and of two shards more stay in the store, and nothing of a stream that was
// turned off a day ago.
func TestUnreadStreamsAreTrimmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFlaky()
		e := start(t, f)
		create(t, e)
		for i := range 60 {
			require.NoError(t, put(t, e, fmt.Sprint(i)))
			time.Sleep(time.Hour)
		}
		n := f.keys(t, "s")
		require.GreaterOrEqual(t, n, 24)
		require.LessOrEqual(t, n, 24+2*4)
		_, err := e.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: new("rows")})
		require.NoError(t, err)
		require.Equal(t, n, f.keys(t, "s"))
		time.Sleep(25 * time.Hour)
		create(t, e)
		require.Zero(t, f.keys(t, "s"))
		require.Equal(t, 1, f.keys(t, "ms"))
	})
}

// TestFailedReshard shows that children which were not stored take nothing.
func TestFailedReshard(t *testing.T) {
	t.Parallel()
	f := newFlaky()
	e := start(t, f)
	create(t, e)
	require.NoError(t, put(t, e, "a"))
	f.after.Store(0)
	require.ErrorContains(t, e.Reshard("rows", 2), errDisk.Error())
	f.after.Store(-1)
	require.NoError(t, put(t, e, "b"))
	require.Len(t, sequences(t, e), 2, "both are in the first shard")
	require.NoError(t, e.Reshard("rows", 2))
	require.NoError(t, put(t, e, "c"))
	require.Len(t, sequences(t, e), 2)
}
