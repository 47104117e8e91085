package crypto_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
)

var update = flag.Bool("update", false, "write new golden vectors: a change of the format")

// vectors are all that another implementation needs to prove itself: a master key, the rows of a key table, and what was sealed.
// testdata/reader/read.mjs is one.
type vectors struct {
	Namespace string        `json:"namespace"`
	Master    []byte        `json:"master"` // of a LocalKey
	Rows      []vectorRow   `json:"rows"`
	Sealed    []vectorField `json:"sealed"`
	Indexes   []vectorIndex `json:"indexes"`
	Subjects  []vectorRef   `json:"subjects"`
}

type vectorRow struct {
	PK     string            `json:"pk"`
	Epoch  json.Number       `json:"epoch,omitempty"`
	Root   []byte            `json:"root,omitempty"`
	Epochs map[string][]byte `json:"epochs,omitempty"`
	State  string            `json:"state,omitempty"`
	Keys   []vectorKey       `json:"keys,omitempty"`
	Dead   [][]byte          `json:"dead,omitempty"`
}

type vectorKey struct {
	ID      []byte      `json:"id"`
	Epoch   json.Number `json:"epoch"`
	Wrapped []byte      `json:"wrapped"`
}

type vectorField struct {
	Origin     insideout.Origin `json:"origin"`
	Ciphertext []byte           `json:"ciphertext"`
	Plaintext  string           `json:"plaintext"`
	Outcome    string           `json:"outcome"` // opened, shredded, restricted or refused
}

type vectorIndex struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Bits    int    `json:"bits"`
	Value   string `json:"value"`
	Hash    string `json:"hash"`
}

type vectorRef struct {
	Subject string `json:"subject"`
	Ref     string `json:"ref"`
}

const goldenFile = "testdata/vectors.json"

func TestGoldenVectors(t *testing.T) {
	t.Parallel()
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	k := newKit(t)
	k.master.KeyWrapper, err = crypto.NewLocalKey(v.Master)
	require.NoError(t, err)
	restore(t, k, v.items())
	s := k.sealer(t, v.Namespace)
	for i, f := range v.Sealed {
		plain, err := opened(t, s, insideout.SealedField{Origin: f.Origin, Ciphertext: f.Ciphertext})
		require.Equal(t, f.Plaintext, plain, "vector %d", i)
		switch f.Outcome {
		case "opened":
			require.NoError(t, err)
		case "shredded":
			require.ErrorIs(t, err, insideout.ErrShredded)
		case "restricted":
			require.ErrorIs(t, err, insideout.ErrRestricted)
		default:
			require.ErrorIs(t, err, crypto.ErrAuthentication)
		}
	}
	for _, ix := range v.Indexes {
		hash, err := s.BlindIndex(t.Context(), crypto.Index{Name: ix.Name, Version: ix.Version, Bits: ix.Bits, Population: 10_000 * min(ix.Bits, 1)}, ix.Value)
		require.NoError(t, err)
		require.Equal(t, ix.Hash, hash)
	}
	for _, r := range v.Subjects {
		ref, err := s.SubjectRef(t.Context(), r.Subject)
		require.NoError(t, err)
		require.Equal(t, r.Ref, ref)
	}
}

func (v vectors) items() []map[string]types.AttributeValue {
	n := func(s json.Number) types.AttributeValue { return &types.AttributeValueMemberN{Value: s.String()} }
	b := func(raw []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: raw} }
	var items []map[string]types.AttributeValue
	for _, row := range v.Rows {
		it := map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: row.PK}, "sk": &types.AttributeValueMemberS{Value: "keys"},
			"format": n("1"), "rev": n("1"), "since": n("0"),
		}
		if row.State == "" {
			epochs := map[string]types.AttributeValue{}
			for epoch, wrapped := range row.Epochs {
				epochs[epoch] = b(wrapped)
			}
			it["epoch"], it["root"], it["epochs"] = n(row.Epoch), b(row.Root), &types.AttributeValueMemberM{Value: epochs}
		} else {
			keys := &types.AttributeValueMemberL{}
			for _, key := range row.Keys {
				keys.Value = append(keys.Value, &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
					"id": b(key.ID), "epoch": n(key.Epoch), "wrapped": b(key.Wrapped), "uses": n("0"),
				}})
			}
			it["state"], it["keys"] = &types.AttributeValueMemberS{Value: row.State}, keys
			if row.Dead != nil {
				it["dead"] = &types.AttributeValueMemberBS{Value: row.Dead}
			}
		}
		items = append(items, it)
	}
	return items
}

// The format is pinned from outside too: by a reader in another language, which was written from docs/sealing-format.md.
func TestReaderInAnotherLanguage(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node here")
	}
	read := func(file string) (string, error) {
		out, err := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "reader", "read.mjs"), file).CombinedOutput()
		return string(out), err
	}
	out, err := read(goldenFile)
	require.NoError(t, err, out)
	require.Contains(t, out, "12 sealed values, 4 indexes, 2 subjects: as they should be")

	raw, err := os.ReadFile(goldenFile)
	require.NoError(t, err)
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	require.NoError(t, os.WriteFile(wrong, bytes.Replace(raw, []byte(`"class": "contact"`), []byte(`"class": "health"`), 1), 0o600))
	out, err = read(wrong)
	require.Error(t, err, out)
}
