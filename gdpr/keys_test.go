package gdpr_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/gdpr"
	"github.com/insideout-go/insideout/table/embedded"
)

// vault is a key table with a sealer.
func vault(t *testing.T, e *embedded.DB) *crypto.Sealer {
	t.Helper()
	_, err := e.CreateTable(t.Context(), crypto.KeyTableSchema("keys"))
	require.NoError(t, err)
	master, err := crypto.NewLocalKey([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	keys, err := crypto.New(e, "keys", master, nil)
	require.NoError(t, err)
	sealer, err := keys.Namespace("shop")
	require.NoError(t, err)
	return sealer
}

func sealed(t *testing.T, s *crypto.Sealer, subject string) []insideout.SealedField {
	t.Helper()
	fields := []insideout.SealedField{{
		Origin: insideout.Origin{Subject: subject, Model: "customer", ID: subject, Field: "email", Class: "contact"}, Plaintext: []byte(`"a@example.com"`),
	}}
	require.NoError(t, s.Seal(t.Context(), fields))
	fields[0].Plaintext = nil
	return fields
}

func opens(ctx context.Context, s *crypto.Sealer, fields []insideout.SealedField) bool {
	err := s.Open(ctx, fields)
	return err == nil && fields[0].Err == nil
}

func TestKeysAreShredded(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	s := vault(t, e)
	anna, bert := sealed(t, s, "anna"), sealed(t, s, "bert")
	c := newDesk(t).controller(t, gdpr.Options{}, newShelf("shelf", things(1, "anna")), gdpr.Keys("keys", s))

	require.NoError(t, c.Restrict(t.Context(), "anna"))
	require.False(t, opens(t.Context(), s, anna))
	require.NoError(t, c.Unrestrict(t.Context(), "anna"))
	require.True(t, opens(t.Context(), s, anna))

	backup := scan(t, e)
	plan, err := c.Plan(t.Context(), "anna")
	require.NoError(t, err)
	require.Len(t, plan.Actions, 2)
	receipt, err := c.Erase(t.Context(), plan, "DPO-7")
	require.NoError(t, err)
	require.Equal(t, gdpr.Erased, receipt.Outcome)
	require.Contains(t, receipt.Checks[1].Note, "the key is shredded")
	require.False(t, opens(t.Context(), s, anna))
	require.True(t, opens(t.Context(), s, bert))

	none, err := c.Reapply(t.Context(), "OPS")
	require.NoError(t, err)
	require.Empty(t, none, "nothing came back")
	for _, item := range backup { // a restore of the key table brings the key back
		_, err := e.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new("keys"), Item: item})
		require.NoError(t, err)
	}
	s.Evict()
	require.True(t, opens(t.Context(), s, anna))
	list, err := c.Reapply(t.Context(), "OPS")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.False(t, opens(t.Context(), s, anna), "the reference is enough to shred again")
	require.True(t, opens(t.Context(), s, bert))
}

func scan(t *testing.T, e *embedded.DB) []map[string]types.AttributeValue {
	t.Helper()
	out, err := e.Scan(t.Context(), &dynamodb.ScanInput{TableName: new("keys")})
	require.NoError(t, err)
	return out.Items
}
