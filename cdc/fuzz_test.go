package cdc_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"
)

// FuzzHandleDynamoDB: whatever Lambda's types take as a record is published, ignored or a fault, the same each time; nothing panics.
func FuzzHandleDynamoDB(f *testing.F) {
	files, err := filepath.Glob("testdata/trigger/*.txt")
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		input, _, _ := strings.Cut(string(text), "----\n")
		_, records, _ := strings.Cut(input, "\n\n")
		f.Add(records)
	}
	f.Fuzz(func(t *testing.T, records string) {
		var batch events.DynamoDBEvent
		if !decodes(`{"Records":[`+records+`]}`, &batch) {
			return
		}
		var once, again sink
		for _, out := range []*sink{&once, &again} {
			response, err := goldenTrigger(t, out).HandleDynamoDB(t.Context(), batch)
			require.NoError(t, err)
			require.Empty(t, response.BatchItemFailures)
		}
		require.Equal(t, once.lines(), again.lines())
	})
}

// decodes is false for what Lambda's own types refuse, or panic about.
func decodes(text string, batch *events.DynamoDBEvent) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return json.Unmarshal([]byte(text), batch) == nil
}
