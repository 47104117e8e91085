package insideout_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every piece of Go in the README stands in the example that the tests run, to the letter.
func TestReadmeShowsTheExample(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	story, err := os.ReadFile("story_test.go")
	require.NoError(t, err)
	pieces := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, pieces)
	for _, piece := range pieces {
		require.True(t, strings.Contains(string(story), piece[1]), "not in story_test.go:\n%s", piece[1])
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
