package insideout_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every piece of Go in the README stands in an example that the tests run, to the letter.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var examples string
	for _, file := range []string{"story_test.go", "gdpr/example_test.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		examples += string(text)
	}
	pieces := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, pieces)
	for _, piece := range pieces {
		require.True(t, strings.Contains(examples, piece[1]), "in no example:\n%s", piece[1])
	}
}

func TestReadmeHasTheTwoCommands(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, command := range []string{"go run ./examples/orders", "go test ./..."} {
		require.Contains(t, string(readme), "```sh\n"+command+"\n```")
	}
}
