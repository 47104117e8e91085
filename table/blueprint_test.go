package table_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table"
)

func TestBlueprintsArePinned(t *testing.T) {
	t.Parallel()
	s := table.Schema(Orders, Lines, Notes, Customers)
	chart := func(string) (string, error) { return s.Markdown() }
	for _, tc := range []struct {
		file, name string
		text       func(string) (string, error)
	}{
		{"schema.yaml", "shop-entities", s.CloudFormation},
		{"schema-stage.yaml", "${Stage}-entities", s.CloudFormation},
		{"schema.tf", "${var.stage}-entities", s.Terraform},
		{"schema.md", "", chart},
	} {
		got, err := tc.text(tc.name)
		require.NoError(t, err, tc.file)
		golden(t, tc.file, got)
	}
}

func TestBlueprintsRefuse(t *testing.T) {
	t.Parallel()
	s := table.Schema(Orders)
	for _, name := range []string{"", "a b", `a"b`, "a\nb", "${", "$x", "${a b}"} {
		require.ErrorIs(t, second(s.CloudFormation(name)), table.ErrInvalid, "%q", name)
		require.ErrorIs(t, second(s.Terraform(name)), table.ErrInvalid, "%q", name)
	}
	broken := table.Schema(Orders, otherKeys())
	require.ErrorIs(t, second(broken.CloudFormation("name")), table.ErrInvalid)
	require.ErrorIs(t, second(broken.Terraform("name")), table.ErrInvalid)
	require.ErrorIs(t, second(broken.Markdown()), table.ErrInvalid)
	require.ErrorIs(t, second(broken.Verify(t.Context(), nil, "name")), table.ErrInvalid)
}

func TestVerifyFindsNothingInATableOfTheSchema(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, e endpoint) {
		db := create(t, e, Orders, Lines)
		for _, s := range []*table.TableSchema{table.Schema(Orders, Lines), table.Schema(Lines)} {
			drift, err := s.Verify(t.Context(), e, db.Name())
			require.NoError(t, err)
			require.Nil(t, drift)
		}
		_, err := table.Schema(Orders).Verify(t.Context(), e, "table-test-"+uuid.NewString())
		require.ErrorContains(t, err, "cannot verify")
	})
}

func TestVerifyReportsEveryDrift(t *testing.T) {
	t.Parallel()
	const noStream, noIndex = "the stream is off, and the schema has NEW_AND_OLD_IMAGES", `index "gsi2" is missing`
	cases := map[string]struct {
		change func(in *dynamodb.CreateTableInput)
		ttl    string
		want   []string
	}{
		"index": {dropIndex, "ttl", []string{noIndex}},
		"keys": {func(in *dynamodb.CreateTableInput) {
			in.AttributeDefinitions[3].AttributeName = new("other")
			in.GlobalSecondaryIndexes[2].KeySchema[1].AttributeName = new("other")
		}, "ttl", []string{`index "gsi2" has the key ("gsi2pk" HASH, "other" RANGE), and the schema ("gsi2pk" HASH, "gsi2sk" RANGE)`}},
		"table": {
			func(in *dynamodb.CreateTableInput) {
				in.KeySchema = in.KeySchema[:1]
				in.AttributeDefinitions = in.AttributeDefinitions[:5]
			}, "ttl",
			[]string{`the table has the key ("pk" HASH), and the schema ("pk" HASH, "sk" RANGE)`},
		},
		"type": {
			func(in *dynamodb.CreateTableInput) { in.AttributeDefinitions[3].AttributeType = "N" }, "ttl",
			[]string{`index "gsi2": attribute "gsi2sk" is of type N, and S in the schema`},
		},
		"projection": {
			func(in *dynamodb.CreateTableInput) {
				in.GlobalSecondaryIndexes[0].Projection.ProjectionType = "KEYS_ONLY"
			}, "ttl",
			[]string{`index "gsi1" projects "KEYS_ONLY", and the schema "ALL"`},
		},
		"no stream": {func(in *dynamodb.CreateTableInput) { in.StreamSpecification = nil }, "ttl", []string{noStream}},
		"stream": {
			func(in *dynamodb.CreateTableInput) { in.StreamSpecification.StreamViewType = "NEW_IMAGE" }, "ttl",
			[]string{"the stream has NEW_IMAGE, and the schema NEW_AND_OLD_IMAGES"},
		},
		"no ttl":    {func(*dynamodb.CreateTableInput) {}, "", []string{`the time to live is off, and the schema has attribute "ttl"`}},
		"other ttl": {func(*dynamodb.CreateTableInput) {}, "end", []string{`the time to live is that of attribute "end", and the schema has "ttl"`}},
		"several": {
			func(in *dynamodb.CreateTableInput) { dropIndex(in); in.StreamSpecification = nil }, "",
			[]string{noIndex, noStream, `the time to live is off, and the schema has attribute "ttl"`},
		},
	}
	everywhere(t, func(t *testing.T, e endpoint) {
		for name, tc := range cases {
			s, id := table.Schema(Orders), "table-test-"+uuid.NewString()
			in, err := s.CreateTableInput(id)
			require.NoError(t, err)
			tc.change(in)
			expiring(t, e, in, tc.ttl)
			drift, err := s.Verify(t.Context(), e, id)
			require.NoError(t, err)
			require.Equal(t, tc.want, drift, name)
		}
	})
}

func dropIndex(in *dynamodb.CreateTableInput) {
	in.GlobalSecondaryIndexes, in.AttributeDefinitions = in.GlobalSecondaryIndexes[:2], slices.Delete(in.AttributeDefinitions, 2, 4)
}

// expiring makes a table with a time to live, and waits for it to be active.
func expiring(t *testing.T, e endpoint, in *dynamodb.CreateTableInput, ttl string) {
	_, err := e.CreateTable(t.Context(), in)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		out, err := e.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: in.TableName})
		return err == nil && out.Table.TableStatus == types.TableStatusActive
	}, 30*time.Second, 20*time.Millisecond)
	if ttl == "" {
		return
	}
	_, err = e.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: in.TableName, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &ttl, Enabled: new(true)},
	})
	require.NoError(t, err)
}
