package arch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/internal/arch"
)

const root = "../.."

func TestModuleKeepsTheRules(t *testing.T) {
	t.Parallel()
	packages, err := arch.Load(root)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(packages), 3, "the module was not found")
	for _, rule := range arch.Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, strings.Join(rule.Check(packages), "\n"))
		})
	}
}

// A new direct dependency is a decision: it is written down in testdata/dependencies.txt, by hand.
func TestModuleDependencies(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/dependencies.txt")
	require.NoError(t, err)
	require.Equal(t, strings.Fields(string(want)), arch.Dependencies(string(text)))
}

func TestModuleNamesNoRegistry(t *testing.T) {
	t.Parallel()
	texts, err := arch.Texts(root)
	require.NoError(t, err)
	require.Contains(t, texts, "go.mod")
	require.Contains(t, texts, ".ci/run")
	require.Empty(t, strings.Join(arch.Registries(texts), "\n"))
}
