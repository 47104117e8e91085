package crypto_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/crypto"
)

// forger wraps keys as docs/sealing-format.md has it, with the master key: somebody inside who may do everything.
type forger struct {
	t   *testing.T
	kek cipher.AEAD
}

func lp(texts ...string) string {
	var out []byte
	for _, text := range texts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
		out = append(out, text...)
	}
	return string(out)
}

func newForger(t *testing.T, k *kit, namespace string) *forger {
	t.Helper()
	for _, it := range copyTable(t, k) {
		epochs, ok := it["epochs"].(*types.AttributeValueMemberM)
		if !ok {
			continue
		}
		wrapped, ok := epochs.Value["1"].(*types.AttributeValueMemberB)
		require.True(t, ok)
		secret, err := k.master.Unwrap(t.Context(), wrapped.Value, map[string]string{"insideout:namespace": namespace, "insideout:epoch": "1"})
		require.NoError(t, err)
		key, err := hkdf.Key(sha256.New, secret, nil, lp("insideout/wrap/v1", namespace, "1"), 32)
		require.NoError(t, err)
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		aead, err := cipher.NewGCMWithRandomNonce(block)
		require.NoError(t, err)
		return &forger{t, aead}
	}
	require.Fail(t, "no namespace")
	return nil
}

func (f *forger) wrap(secret []byte, pk string, id []byte) []byte {
	return f.kek.Seal([]byte{1}, nil, secret, []byte(lp("insideout/wrap/v1", pk, string(id))))
}

// A key id commits to its key: even somebody who can wrap keys cannot put another key under an id, to make a ciphertext open to something else.
func TestKeyIDsCommit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	sealed := mustSeal(t, k.sealer(t, "shop"), field("1", "email", "1"))[0]
	f := newForger(t, k, "shop")
	for _, it := range copyTable(t, k) {
		keys, ok := it["keys"].(*types.AttributeValueMemberL)
		if !ok {
			continue
		}
		key, ok := keys.Value[0].(*types.AttributeValueMemberM)
		require.True(t, ok)
		id, ok := key.Value["id"].(*types.AttributeValueMemberB)
		require.True(t, ok)
		pk, ok := it["pk"].(*types.AttributeValueMemberS)
		require.True(t, ok)
		key.Value["wrapped"] = &types.AttributeValueMemberB{Value: f.wrap(bytes.Repeat([]byte{9}, 32), pk.Value, id.Value)}
		restore(t, k, []map[string]types.AttributeValue{it})
	}
	_, err := opened(t, k.sealer(t, "shop"), sealed)
	require.ErrorIs(t, err, crypto.ErrRecord)
	require.ErrorContains(t, err, "does not have the id that its record gives")
}
