package crypto_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
)

// shelf is where reseal's tests keep rows.
type shelf struct {
	rows    [][]insideout.SealedField
	busy    map[int]bool // rows that another writer changes in between
	mu      sync.Mutex
	written int
}

// Page gives three rows.
func (s *shelf) Page(_ context.Context, cursor string) ([]insideout.SealedRow, string, error) {
	from, _ := strconv.Atoi(cursor)
	var page []insideout.SealedRow
	for i := from; i < min(from+3, len(s.rows)); i++ {
		page = append(page, insideout.SealedRow{Key: i, Fields: slices.Clone(s.rows[i])})
	}
	if from+3 >= len(s.rows) {
		return page, "", nil
	}
	return page, strconv.Itoa(from + 3), nil
}

// Replace refuses rows that are busy, once.
func (s *shelf) Replace(_ context.Context, row insideout.SealedRow) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, _ := row.Key.(int)
	if s.busy[i] {
		delete(s.busy, i)
		return false, nil
	}
	s.written++
	for at, f := range row.Fields {
		if f.Ciphertext != nil {
			s.rows[i][at] = insideout.SealedField{Origin: f.Origin, Ciphertext: f.Ciphertext}
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
