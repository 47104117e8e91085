package crypto_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

// lagging answers reads late, so that what they read is old when it arrives.
type lagging struct{ tableClient }

func (l lagging) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := l.tableClient.GetItem(ctx, in, o...)
	time.Sleep(time.Millisecond)
	return out, err
}

func (l lagging) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := l.tableClient.BatchGetItem(ctx, in, o...)
	time.Sleep(time.Millisecond)
	return out, err
}

// Once ShredSubject has returned, no call that begins opens anything, whatever was being loaded meanwhile: alone, or in a page with
// others.
func TestShredAmongReaders(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.client.tableClient = lagging{k.client.tableClient}
	keys := k.process(t, &crypto.Options{Subjects: 3}) // so that keys are loaded again and again
	s := sealerOf(t, keys, "shop")
	for round := range 20 {
		var fields []insideout.SealedField
		for i := range 5 {
			fields = append(fields, field(fmt.Sprintf("%d-%d", round, i), "email", "1"))
		}
		mustSeal(t, s, fields...)
		var over atomic.Bool
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for reader := range 4 {
			wg.Go(func() {
				for n := 0; n < 50; n++ {
					page := append([]insideout.SealedField(nil), fields[:1+4*(reader%2)]...)
					before := over.Load()
					_ = s.Open(context.Background(), page)
					if before && page[0].Plaintext != nil {
						wrong.Add(1)
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		_, err := s.ShredSubject(t.Context(), fmt.Sprintf("%d-0", round))
		require.NoError(t, err)
		over.Store(true)
		wg.Wait()
		require.Zero(t, wrong.Load(), "values opened after their key was shredded")
	}
}
