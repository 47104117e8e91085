package crypto_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// All of the package runs where only what FIPS 140 approves may be used.
func TestFIPS(t *testing.T) {
	t.Parallel()
	if os.Getenv("INSIDEOUT_FIPS") != "" {
		t.Skip("this is the inner run")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=TestSealAndOpen|TestEverySwap|TestGolden|TestStates|TestUnique|TestBeacon|TestLocalKey|TestShredSubject|TestKeys|TestReseal|TestUses|Example")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "INSIDEOUT_FIPS=1", "INSIDEOUT_DYNAMODB_ENDPOINT=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "PASS")
}
