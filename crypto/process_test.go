package crypto_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/crypto"
	"github.com/insideout-go/insideout/table/embedded"
)

const statedTime = 2 * time.Second

// Another process, with a cache of its own that is warm, opens nothing when the stated time is over. It reaches the key table by HTTP.
func TestShredReachesAnotherProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("INSIDEOUT_FIPS") != "" {
		t.Skip("one run is enough")
	}
	db := embedded.New(nil)
	server := httptest.NewServer(db.Handler())
	defer server.Close()
	k := kitOn(t, db)
	s := k.sealer(t, "shop")
	f := mustSeal(t, s, field("17850", "email", "1"))[0]
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestOtherProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), "INSIDEOUT_OTHER="+server.URL, "INSIDEOUT_TABLE="+k.table, "INSIDEOUT_SEALED="+base64.StdEncoding.EncodeToString(f.Ciphertext))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range 3 { // warm
		require.True(t, lines.Scan())
		require.Equal(t, "opened", lines.Text())
	}
	_, err = s.ShredSubject(t.Context(), "17850")
	require.NoError(t, err)
	shredded := time.Now()
	for lines.Scan() && lines.Text() == "opened" {
		require.Less(t, time.Since(shredded), statedTime+10*time.Second, "with time for a busy machine")
	}
	require.Equal(t, "shredded", lines.Text())
	for lines.Scan() {
		require.NotEqual(t, "opened", lines.Text())
	}
	require.NoError(t, cmd.Wait())
}

// TestOtherProcess is the other process: it opens a value again and again, and ends when it was shredded.
func TestOtherProcess(t *testing.T) {
	url := os.Getenv("INSIDEOUT_OTHER")
	if url == "" {
		t.Skip("it is run by TestShredReachesAnotherProcess")
	}
	client := dynamodb.New(dynamodb.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")})
	keys, err := crypto.New(client, os.Getenv("INSIDEOUT_TABLE"), localKey(t, "a"), &crypto.Options{SubjectTTL: statedTime})
	require.NoError(t, err)
	f := field("17850", "email", "")
	f.Ciphertext, err = base64.StdEncoding.DecodeString(os.Getenv("INSIDEOUT_SEALED"))
	require.NoError(t, err)
	s := sealerOf(t, keys, "shop")
	for gone := 0; gone < 5; time.Sleep(50 * time.Millisecond) {
		_, err := opened(t, s, f)
		switch {
		case err == nil:
			fmt.Println("opened")
		case errors.Is(err, insideout.ErrShredded):
			fmt.Println("shredded")
			gone++
		default:
			require.NoError(t, err)
		}
	}
}
