package crypto_test

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/crypto"
)

// Page gives three rows.
func (s *shelf) Page(_ context.Context, cursor string) ([]crypto.Row, string, error) {
	from, _ := strconv.Atoi(cursor)
	var page []crypto.Row
	for i := from; i < min(from+3, len(s.rows)); i++ {
		page = append(page, crypto.Row{Key: i, Fields: slices.Clone(s.rows[i])})
	}
	if from+3 >= len(s.rows) {
		return page, "", nil
	}
	return page, strconv.Itoa(from + 3), nil
}

// Replace refuses rows that are busy, once.
func (s *shelf) Replace(_ context.Context, row crypto.Row) (bool, error) {
	i, _ := row.Key.(int)
	if s.busy[i] {
		delete(s.busy, i)
		return false, nil
	}
	s.written++
	for _, f := range row.Fields {
		for j := range s.rows[i] {
			if s.rows[i][j].Origin == f.Origin {
				s.rows[i][j].Ciphertext = bytes.Clone(f.Ciphertext)
			}
		}
	}
	return true, nil
}

func copyTable(t *testing.T, k *kit) []map[string]types.AttributeValue {
	t.Helper()
	out, err := k.client.tableClient.Scan(t.Context(), &dynamodb.ScanInput{TableName: &k.table})
	require.NoError(t, err)
	return out.Items
}

func restore(t *testing.T, k *kit, rows []map[string]types.AttributeValue) {
	t.Helper()
	for _, it := range rows {
		_, err := k.client.tableClient.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &k.table, Item: it})
		require.NoError(t, err)
	}
}
