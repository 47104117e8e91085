package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
)

type item = map[string]types.AttributeValue

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func n(v any) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(v)} }

func create(t testing.TB, db *embedded.DB, stream bool) {
	t.Helper()
	in := &dynamodb.CreateTableInput{
		TableName: new("rows"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: types.KeyTypeHash}},
	}
	if stream {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewImage}
	}
	_, err := db.CreateTable(context.Background(), in)
	require.NoError(t, err)
}

// client is the engine, or the SDK's client for it.
type client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
}

func put(db client, it item) error {
	_, err := db.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: new("rows"), Item: it})
	return err
}

func get(t testing.TB, db client, pk string) item {
	t.Helper()
	out, err := db.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: new("rows"), Key: item{"pk": s(pk)}})
	require.NoError(t, err)
	return out.Item
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	create(t, db, true)
	require.NoError(t, put(db, item{"pk": s("a"), "n": n(1)}))
	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	require.ErrorIs(t, put(db, item{"pk": s("b")}), embedded.ErrClosed)

	db, err = disk.Open(dir, nil)
	require.NoError(t, err)
	require.Equal(t, item{"pk": s("a"), "n": n(1)}, get(t, db, "a"))
	d, err := db.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new("rows")})
	require.NoError(t, err)
	require.EqualValues(t, 1, *d.Table.ItemCount)
	require.NotNil(t, d.Table.StreamSpecification)
	require.NoError(t, db.Close())
}

func TestRefused(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, path, text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string) string
		want    string
		is      error
	}{
		{"no name", func(*testing.T, string) string { return "" }, "no name", nil},
		{"a file", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "f"), "x")
			return filepath.Join(dir, "f")
		}, "is a file, not a folder", nil},
		{"a folder below a file", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "f"), "x")
			return filepath.Join(dir, "f", "below")
		}, "f/below", nil},
		{"a folder with something else", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "photo.jpg"), "x")
			return dir
		}, "photo.jpg", disk.ErrFormat},
		{"another format", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "VERSION"), "insideout embedded database, format 2\n")
			return dir
		}, "format 2", disk.ErrFormat},
		{"a folder without its database", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "VERSION"), "insideout embedded database, format 1\n")
			return dir
		}, "damaged", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tt.prepare(t, t.TempDir())
			_, err := disk.Open(dir, nil)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "\n")
			require.True(t, strings.HasPrefix(err.Error(), "disk: "), err)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			_, again := disk.Open(dir, nil)
			require.EqualError(t, again, err.Error(), "a refusal leaves no lock")
		})
	}
}

func TestUnwritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	if os.Geteuid() == 0 { // who may write there, and nearly everywhere
		dir = "/sys/kernel"
		if _, err := os.Stat(dir); err != nil {
			t.Skip("the superuser may write everywhere")
		}
	}
	_, err := disk.Open(dir, nil)
	require.ErrorContains(t, err, "cannot be written")
	_, err = disk.Open(filepath.Join(dir, "new"), nil)
	require.ErrorContains(t, err, "cannot be made")
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	_, err = disk.Open(dir, nil)
	require.ErrorIs(t, err, disk.ErrLocked)
	require.ErrorContains(t, err, dir)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	_, err = disk.Open(link, nil)
	require.ErrorIs(t, err, disk.ErrLocked)
	require.NoError(t, db.Close())
	db, err = disk.Open(link, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	create(t, db, false)
	require.NoError(t, db.Close())
	manifests, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*"))
	require.NoError(t, err)
	require.NotEmpty(t, manifests)
	for _, m := range manifests {
		require.NoError(t, os.WriteFile(m, []byte("nonsense that is no manifest at all"), 0o600))
	}
	_, err = disk.Open(dir, nil)
	require.ErrorContains(t, err, "damaged")
}

// TestDamagedLog takes copies of the folder while it is in use, as a crash would
// leave it, and flips a byte in the middle of the log of one: answered writes follow, so that this cannot
// be where a power loss cut it off. Of a folder that was closed nothing is left in the log.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	dir, whole, damaged := t.TempDir(), t.TempDir(), t.TempDir()
	db, err := disk.Open(dir, nil)
	require.NoError(t, err)
	create(t, db, false)
	for i := range 50 {
		require.NoError(t, put(db, item{"pk": s(fmt.Sprint(i)), "text": s(strings.Repeat("x", 2000))}))
	}
	require.NoError(t, os.CopyFS(whole, os.DirFS(dir)))
	require.NoError(t, os.CopyFS(damaged, os.DirFS(dir)))
	require.NoError(t, db.Close())
	_, data := lastLog(t, dir)
	require.Less(t, len(data), 1000)

	db, err = disk.Open(whole, nil)
	require.NoError(t, err)
	require.NotNil(t, get(t, db, "49"))
	require.NoError(t, db.Close())

	name, data := lastLog(t, damaged)
	require.Greater(t, len(data), 100_000)
	data[len(data)/2] ^= 0xff
	require.NoError(t, os.WriteFile(name, data, 0o600))
	_, err = disk.Open(damaged, nil)
	require.ErrorContains(t, err, "damaged")
}

// lastLog reads what was written to the newest log.
func lastLog(t *testing.T, dir string) (name string, data []byte) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	name = slices.Max(logs)
	data, err = os.ReadFile(name)
	require.NoError(t, err)
	return name, bytes.TrimRight(data, "\x00")
}
