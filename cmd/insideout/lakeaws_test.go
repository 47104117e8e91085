package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/cdc/lake/s3"
)

// aws is the endpoint of a server of the AWS APIs.
func aws(t *testing.T) string {
	t.Helper()
	endpoint := os.Getenv("INSIDEOUT_AWS_ENDPOINT")
	if endpoint == "" {
		t.Skip("INSIDEOUT_AWS_ENDPOINT is not set: .ci/run starts moto and sets it")
	}
	return endpoint
}

// call calls the server without an SDK, which only packages named after a service import.
func call(t *testing.T, method, where string, form url.Values) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, where, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if form != nil { // the server takes from the signature which service is meant, and does not verify it
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0")
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	return body
}

// inBucket is a lake in a new bucket of the server.
func inBucket(t *testing.T, endpoint string) (where string, l *lake.Lake) {
	t.Helper()
	bucket := fmt.Sprintf("lake-%d", time.Now().UnixNano())
	call(t, http.MethodPut, endpoint+"/"+bucket, nil)
	where = "s3://" + bucket + "/some/prefix"
	store, err := s3.Open(t.Context(), where, endpoint)
	require.NoError(t, err)
	l, err = lake.New(store, nil)
	require.NoError(t, err)
	return where, l
}

func TestLakeInS3(t *testing.T) {
	t.Parallel()
	endpoint := aws(t)
	where, l := inBucket(t, endpoint)
	for i := range 4 {
		e := insideout.Event{ID: fmt.Sprint(i), Type: "ab"[i%2 : i%2+1], Timestamp: lakeNoon().Add(time.Duration(i) * time.Minute), PartitionKey: "p"}
		require.NoError(t, l.Publish(t.Context(), []insideout.Event{e}))
	}
	code, out, errs := lakeRun(t, "cat", where, "-endpoint", endpoint, "-type", "b", "-index")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, "13", idsOf(t, out))
	code, out, errs = lakeRun(t, "ls", where, "-endpoint", endpoint, "-json")
	require.Equal(t, exitOK, code, errs)
	require.Equal(t, 4, strings.Count(out, `"events":1`), out)
	code, _, errs = lakeRun(t, "cat", strings.Replace(where, "lake-", "none-", 1), "-endpoint", endpoint)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "NoSuchBucket")
}

func TestLakeReplayToSQS(t *testing.T) {
	endpoint := aws(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
	} {
		t.Setenv(name, value)
	}
	var created struct {
		Result struct{ QueueUrl string } `xml:"CreateQueueResult"`
	}
	name := fmt.Sprintf("replay-%d", time.Now().UnixNano())
	require.NoError(t, xml.Unmarshal(call(t, http.MethodPost, endpoint, url.Values{"Action": {"CreateQueue"}, "QueueName": {name}}), &created))
	code, _, errs := lakeRun(t, "replay", newLake(t), "-to", "sqs:"+created.Result.QueueUrl)
	require.Equal(t, exitOK, code, errs)
	var received struct {
		Messages []struct{ Body string } `xml:"ReceiveMessageResult>Message"`
	}
	text := call(t, http.MethodPost, created.Result.QueueUrl, url.Values{"Action": {"ReceiveMessage"}, "MaxNumberOfMessages": {"10"}})
	require.NoError(t, xml.Unmarshal(text, &received))
	var got []string
	for _, m := range received.Messages {
		got = append(got, idsOf(t, m.Body))
	}
	slices.Sort(got)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5"}, got)
}
