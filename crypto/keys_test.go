package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table/embedded"
)

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := crypto.New(nil, "", nil, &crypto.Options{SubjectTTL: -1, Subjects: -1, MaxUses: 1<<31 + 1, Purposes: []string{""}})
	require.ErrorIs(t, err, crypto.ErrInvalid)
	for _, text := range []string{"a client", "the name of the key table", "a KeyWrapper", "a time to live", "the size of a cache", "MaxUses", "a purpose"} {
		require.ErrorContains(t, err, text)
	}
	for _, none := range []*crypto.LocalKey{nil, {}} { // of somebody who passes over an error
		_, err = crypto.New(embedded.New(nil), "keys", none, nil)
		require.ErrorContains(t, err, "a KeyWrapper is missing")
		_, err = none.Wrap(t.Context(), nil, nil)
		require.ErrorIs(t, err, crypto.ErrInvalid)
		_, err = none.Unwrap(t.Context(), nil, nil)
		require.ErrorIs(t, err, crypto.ErrInvalid)
		require.Equal(t, "crypto.LocalKey(0)", fmt.Sprint(none))
	}
	keys := newKit(t).process(t, nil)
	for _, name := range []string{"", "a#b", "ä", "a b", string(make([]byte, 65))} {
		_, err := keys.Namespace(name)
		require.ErrorIs(t, err, crypto.ErrInvalid)
	}
}

// A namespace costs one call of the key service, and a subject one read, however many ask at a time.
func TestKeysAreLoadedOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	fields := mustSeal(t, k.sealer(t, "shop"), field("1", "email", "1"), field("2", "email", "2"))
	k.client.reads.Store(0)
	k.master.calls.Store(0)
	s := k.sealer(t, "shop")
	var g errgroup.Group
	for i := range 64 {
		g.Go(func() error { return s.Open(context.Background(), []insideout.SealedField{fields[i%2]}) })
	}
	require.NoError(t, g.Wait())
	require.EqualValues(t, 1, k.master.calls.Load())
	require.EqualValues(t, 3, k.client.reads.Load())
}

// The key of an older epoch costs one call of the key service, however many subjects need it at a time.
func TestOlderEpochsAreLoadedOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	var sealed []insideout.SealedField
	for i := range 50 {
		sealed = append(sealed, field(fmt.Sprint(i), "email", "1"))
	}
	mustSeal(t, s, sealed...)
	_, err := s.RotateEpoch(t.Context())
	require.NoError(t, err)
	k.master.slow = true
	k.master.calls.Store(0)
	require.NoError(t, k.sealer(t, "shop").Open(t.Context(), sealed))
	require.EqualValues(t, 2, k.master.calls.Load(), "the current one's, and that")
}

// Processes that meet a new tenant and a new subject at the same time agree on one key.
func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, k *kit) {
		var g errgroup.Group
		var mu sync.Mutex
		ids := map[string]bool{}
		for range 8 {
			s := k.sealer(t, "shop")
			g.Go(func() error {
				_ = s.Open(t.Context(), []insideout.SealedField{{Ciphertext: make([]byte, 50)}}) // a reader makes none, and stops no writer
				fields := []insideout.SealedField{field("1", "email", "1")}
				err := s.Seal(t.Context(), fields)
				mu.Lock()
				defer mu.Unlock()
				ids[fields[0].KeyID()] = true
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.Len(t, ids, 1)
	})
}

func TestCallersLeaveWithTheirContexts(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	f := mustSeal(t, k.sealer(t, "shop"), field("1", "email", "1"))[0]
	bubble(t, func(t *testing.T) {
		k.client.gate = make(chan struct{})
		s := sealerOf(t, k.process(t, nil), "shop")
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var patient error
		var wg sync.WaitGroup
		wg.Go(func() { patient = s.Open(t.Context(), []insideout.SealedField{f}) })
		start := time.Now()
		err := s.Open(brief, []insideout.SealedField{f})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		close(k.client.gate)
		wg.Wait()
		require.NoError(t, patient, "one that leaves does not end the load of the others")

		k.client.gate = make(chan struct{})
		s.Evict()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.Open(ctx, []insideout.SealedField{f}), context.Canceled)
		synctest.Wait() // nobody waits for that load, so it ends
		close(k.client.gate)
		require.NoError(t, s.Open(t.Context(), []insideout.SealedField{f}))
	})
}

// An outage of the key service is survived for as long as the master key's keys are cached. Then all fails, closed.
func TestOutage(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	bubble(t, func(t *testing.T) {
		s := sealerOf(t, k.process(t, &crypto.Options{SubjectTTL: time.Minute, MasterTTL: 10 * time.Minute}), "shop")
		f := mustSeal(t, s, field("1", "email", "1"))[0]
		k.master.fail.Store(&errOutage)
		for range 7 {
			time.Sleep(time.Minute)
			_, err := opened(t, s, f)
			require.NoError(t, err)
			mustSeal(t, s, field("new", "email", "1"))
		}
		time.Sleep(3 * time.Minute)
		_, err := opened(t, s, f)
		require.ErrorIs(t, err, crypto.ErrKeyService)
		require.ErrorIs(t, err, errOutage, "the cause stays, so that it can be classified")
		require.ErrorIs(t, s.Seal(t.Context(), []insideout.SealedField{field("1", "email", "1")}), errOutage)
		k.master.fail.Store(nil)
		_, err = opened(t, s, f)
		require.NoError(t, err, "errors are not kept")

		k.client.fail.Store(&errOutage)
		_, err = opened(t, s, f)
		require.NoError(t, err, "the key table is out of reach for less than SubjectTTL")
		time.Sleep(time.Minute)
		_, err = opened(t, s, f)
		require.ErrorIs(t, err, errOutage)
		_, err = s.ShredSubject(t.Context(), "1")
		require.ErrorIs(t, err, errOutage)
	})
}

// A page of rows costs a read for each hundred subjects; what DynamoDB leaves out of its answer is read one by one.
func TestManySubjectsAreReadTogether(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, k *kit) {
		var fields []insideout.SealedField
		for i := range 150 {
			fields = append(fields, field(fmt.Sprint(i), "email", fmt.Sprint(i)))
		}
		mustSeal(t, k.sealer(t, "shop"), fields...)
		fields = append(fields, fields[0])
		fields[150].Origin.Subject = "nobody"
		for _, lossy := range []bool{false, true} {
			k.client.lossy = lossy
			k.client.reads.Store(0)
			require.ErrorIs(t, k.sealer(t, "shop").Open(t.Context(), fields), crypto.ErrAuthentication)
			for i, f := range fields[:150] {
				require.Equal(t, fmt.Sprint(i), string(f.Plaintext))
			}
			require.ErrorIs(t, fields[150].Err, crypto.ErrUnknownKey)
			if !lossy {
				require.EqualValues(t, 1+2+1, k.client.reads.Load(), "the namespace, two batches, and the one that has no row")
			}
		}
	})
}

func TestExpiryIsJittered(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	bubble(t, func(t *testing.T) {
		s := sealerOf(t, k.process(t, nil), "shop")
		var fields []insideout.SealedField
		for i := range 100 {
			fields = append(fields, field(fmt.Sprint(i), "email", "1"))
		}
		mustSeal(t, s, fields...)
		time.Sleep(44 * time.Second)
		k.client.reads.Store(0)
		require.NoError(t, s.Open(t.Context(), fields))
		require.Zero(t, k.client.reads.Load(), "none before three quarters of the time")
		time.Sleep(8 * time.Second)
		for _, f := range fields {
			_, err := opened(t, s, f)
			require.NoError(t, err)
		}
		require.InDelta(t, 50, k.client.reads.Load(), 40)
	})
}

func TestCachesAreBounded(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	keys := k.process(t, &crypto.Options{Subjects: 2, Namespaces: 1})
	a, b := sealerOf(t, keys, "a"), sealerOf(t, keys, "b")
	mustSeal(t, a, field("1", "email", "1"))
	mustSeal(t, b, field("1", "email", "1"))
	k.client.reads.Store(0)
	mustSeal(t, a, field("1", "email", "1"))
	mustSeal(t, b, field("1", "email", "1"))
	require.Zero(t, k.client.reads.Load())
	mustSeal(t, b, field("2", "email", "1")) // the oldest, a's, goes
	k.client.reads.Store(0)
	mustSeal(t, b, field("1", "email", "1"))
	require.Zero(t, k.client.reads.Load())
	mustSeal(t, a, field("1", "email", "1"))
	require.EqualValues(t, 2, k.client.reads.Load(), "its namespace went too")
}

// A key seals as often as it may, and then the subject has another one. All of them open.
func TestUsesAreLimited(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	processes := []*crypto.Sealer{
		sealerOf(t, k.process(t, &crypto.Options{MaxUses: 64}), "shop"), sealerOf(t, k.process(t, &crypto.Options{MaxUses: 64}), "shop"),
	}
	for _, subject := range []string{"", "17850"} {
		uses := map[string]int{}
		for i := range 400 {
			f := field(subject, "email", "1")
			f.Origin.ID = "1"
			f = mustSeal(t, processes[i%2], f)[0]
			uses[f.KeyID()]++
			_, err := opened(t, processes[(i+1)%2], f)
			if err != nil { // the other process asks the key table once a second for keys that it does not know
				processes[(i+1)%2].Evict(subject)
				_, err = opened(t, processes[(i+1)%2], f)
			}
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, len(uses), 4)
		for id, n := range uses {
			require.LessOrEqual(t, n, 64+3*4*20, "key %s", id) // what is free for each load is not counted
		}
	}
}

func TestTheKeyTableIsMissing(t *testing.T) {
	t.Parallel()
	keys, err := crypto.New(embedded.New(nil), "keys", localKey(t, "a"), nil)
	require.NoError(t, err)
	err = sealerOf(t, keys, "shop").Seal(t.Context(), []insideout.SealedField{field("1", "email", marker)})
	require.ErrorIs(t, err, crypto.ErrNoTable)
	require.EqualError(t, err, `crypto: seal in namespace "shop": the key service failed: the key table does not exist: create "keys" with the input of KeyTableSchema`)
}

func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(it map[string]types.AttributeValue){
		"format": func(it map[string]types.AttributeValue) { it["format"] = &types.AttributeValueMemberN{Value: "2"} },
		"rev":    func(it map[string]types.AttributeValue) { delete(it, "rev") },
		"state":  func(it map[string]types.AttributeValue) { it["state"] = &types.AttributeValueMemberS{Value: "gone"} },
		"empty": func(it map[string]types.AttributeValue) {
			it["state"] = &types.AttributeValueMemberS{Value: "shredded"}
		},
		"keys":    func(it map[string]types.AttributeValue) { it["keys"] = &types.AttributeValueMemberS{Value: "x"} },
		"root":    func(it map[string]types.AttributeValue) { flip(it, "root") },
		"wrapped": func(it map[string]types.AttributeValue) { flipKey(it, "wrapped") },
		"id":      func(it map[string]types.AttributeValue) { flipKey(it, "id") },
		"epochs":  func(it map[string]types.AttributeValue) { it["epochs"] = &types.AttributeValueMemberM{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKit(t)
			f := mustSeal(t, k.sealer(t, "shop"), field("1", "email", "1"))[0]
			for _, it := range copyTable(t, k) {
				spoil(it)
				restore(t, k, []map[string]types.AttributeValue{it})
			}
			_, err := opened(t, k.sealer(t, "shop"), f)
			require.ErrorIs(t, err, crypto.ErrRecord)
		})
	}
}

func flip(it map[string]types.AttributeValue, name string) {
	if b, ok := it[name].(*types.AttributeValueMemberB); ok {
		b.Value[len(b.Value)-1] ^= 1
	}
}

func flipKey(it map[string]types.AttributeValue, name string) {
	if l, ok := it["keys"].(*types.AttributeValueMemberL); ok {
		if m, ok := l.Value[0].(*types.AttributeValueMemberM); ok {
			flip(m.Value, name)
		}
	}
}

// A record that is copied to another subject or tenant does not open there: its key commits to where it belongs.
func TestRecordsCannotBeMoved(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	s := k.sealer(t, "shop")
	mine := mustSeal(t, s, field("mine", "email", "1"))[0]
	mustSeal(t, s, field("yours", "email", "1"))
	refs := map[string]string{}
	for _, subject := range []string{"mine", "yours"} {
		ref, err := s.SubjectRef(t.Context(), subject)
		require.NoError(t, err)
		refs[subject] = "subject#shop#" + ref
	}
	key := func(subject string) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: refs[subject]}, "sk": &types.AttributeValueMemberS{Value: "keys"}}
	}
	out, err := k.client.tableClient.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &k.table, Key: key("mine")})
	require.NoError(t, err)
	out.Item["pk"] = key("yours")["pk"]
	restore(t, k, []map[string]types.AttributeValue{out.Item})
	mine.Origin.Subject = "yours"
	_, err = opened(t, k.sealer(t, "shop"), mine)
	require.ErrorIs(t, err, crypto.ErrRecord)
}

func TestBindingIsNotPersonal(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	mustSeal(t, k.sealer(t, "shop"), field("17850", "email", "1"))
	require.Equal(t, map[string]string{"insideout:namespace": "shop", "insideout:epoch": "1"}, *k.master.bound.Load())
	for _, it := range copyTable(t, k) {
		require.NotContains(t, fmt.Sprint(it), "17850")
	}
}

func TestErrorsWrapOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.client.fail.Store(&errOutage)
	_, err := k.sealer(t, "shop").RotateEpoch(t.Context())
	require.EqualError(t, err, `crypto: rotate the epoch in namespace "shop": the key service failed: read of the key table "`+k.table+`": the service does not answer`)
	fault, ok := errors.AsType[*crypto.Error](err)
	require.True(t, ok)
	require.Equal(t, "rotate the epoch", fault.Op)
}
