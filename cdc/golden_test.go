package cdc_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// golden rules: by the name of the thing, so that a record says what its mapper does.
func goldenTrigger(t *testing.T, out cdc.Publisher) *cdc.Trigger {
	t.Helper()
	trigger, err := cdc.New(out,
		&cdc.Options{
			Source: "things", Region: "eu-west-1",
			Tags: insideout.Tags{insideout.TagAccount: "dev", insideout.TagFunction: "trigger"},
		},
		cdc.Publish(things, func(c cdc.Change[thing]) (insideout.Event, error) {
			switch c.State().Name {
			case "poison":
				return insideout.Event{}, errors.New("this name is not for sale")
			case "panic":
				panic("out of cheese")
			case "skip":
				return insideout.Event{}, cdc.ErrSkip
			}
			return thingEvent(c)
		}),
		cdc.Publish(things, func(c cdc.Change[thing]) (insideout.Event, error) {
			if c.Kind != cdc.Updated || c.Old() == nil || c.Old().Name == c.New.Name {
				return insideout.Event{}, cdc.ErrSkip
			}
			e := insideout.Event{Type: "thing-renamed", Tags: insideout.Tags{"by": c.By, insideout.TagStage: "prd"}}
			return e, e.SetBody("thing", map[string]string{"id": c.New.ID, "from": c.Old().Name, "to": c.New.Name})
		}),
	)
	require.NoError(t, err)
	return trigger
}

// TestGolden maps the records of each file, twice, and compares the events to those below the line. Run with -update
// after a change that is meant, and read the difference.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/trigger/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			input, want, _ := strings.Cut(string(text), "----\n")
			got := goldenEvents(t, input)
			require.Equal(t, got, goldenEvents(t, input), "the same records, delivered again, give the same bytes")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(input+"----\n"+got), 0o644))
				return
			}
			require.Equal(t, want, got)
		})
	}
}

func goldenEvents(t *testing.T, input string) string {
	t.Helper()
	_, records, _ := strings.Cut(input, "\n\n") // behind the explanation
	var batch events.DynamoDBEvent
	require.NoError(t, json.Unmarshal([]byte(`{"Records":[`+records+`]}`), &batch))
	var out sink
	response, err := goldenTrigger(t, &out).HandleDynamoDB(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, response.BatchItemFailures)
	return out.lines()
}
