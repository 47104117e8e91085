package expr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

func newEnv(t testing.TB, names map[string]string, values map[string]attr.Value) *expr.Env {
	t.Helper()
	e, err := expr.NewEnv(names, values)
	require.NoError(t, err)
	return e
}

func s(text string) map[string]attr.Value { return map[string]attr.Value{":s": attr.S(text)} }

func TestLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, 101)
	values := map[string]attr.Value{":s": attr.S("x")}
	for i := range many {
		many[i] = fmt.Sprintf(":v%d", i)
		values[many[i]] = attr.N(num.FromInt(int64(i)))
	}
	or := func(term string, n int) string { return strings.Repeat(term+" OR ", n-1) + term }
	const tooMany = "Invalid FilterExpression: The expression contains too many operators; operator count: 301"
	for _, c := range []struct{ name, text, want string }{
		{"4,096 bytes", strings.Repeat("a", 4091) + " = :s", ""},
		{"4,097 bytes", strings.Repeat("a", 4092) + " = :s", "Invalid FilterExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"},
		{"100 operands of IN", "n IN (" + strings.Join(many[:100], ",") + ")", ""},
		{"101 operands of IN", "n IN (" + strings.Join(many, ",") + ")", "Invalid FilterExpression: The IN operator is provided with too many operands; number of operands: 101"},
		{"299 operators", or("a=:s", 150), ""},
		{"300 operators", or("a=:s", 149) + " OR NOT attribute_exists(a)", ""},
		{"301 operators", or("a=:s", 151), tooMany},
		{"299 NOT", strings.Repeat("NOT ", 299) + "a = :s", ""},
		{"300 NOT", strings.Repeat("NOT ", 300) + "a = :s", tooMany},
		{"32 levels", "a" + strings.Repeat(".b", 31) + " = :s", ""},
		{"33 levels", "a" + strings.Repeat(".b", 32) + " = :s", "Invalid FilterExpression: The document path has too many nesting levels; nesting levels: 33"},
		{"4,096 parentheses", strings.Repeat("(", 4096), `Invalid FilterExpression: Syntax error; token: "<EOF>", near: "("`},
		{"2,000 pairs of parentheses", strings.Repeat("(", 2000) + "a=:s" + strings.Repeat(")", 2000), "Invalid FilterExpression: The expression has redundant parentheses;"},
		{"parentheses and NOT", strings.Repeat("(NOT ", 600) + "a=:s" + strings.Repeat(")", 600), tooMany},
		{"operands in parentheses", "a = " + strings.Repeat("(", 4000) + "b" + strings.Repeat(")", 80), `Invalid FilterExpression: The expression has redundant parentheses;`},
		{"functions in functions", strings.Repeat("size(", 800), `Invalid FilterExpression: Syntax error; token: "<EOF>", near: "("`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := expr.ParseFilter(c.text, newEnv(t, nil, values))
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

func TestUpdateLimits(t *testing.T) {
	t.Parallel()
	set := func(right string, n int) string {
		actions := make([]string, n)
		for i := range actions {
			actions[i] = fmt.Sprintf("z%d=%s", i, right)
		}
		return "SET " + strings.Join(actions, ",")
	}
	value := map[string]attr.Value{":v": attr.N(num.FromInt(1))}
	for _, text := range []string{set(":v", 400), set(":v+:v", 300)} {
		_, err := expr.ParseUpdate(text, newEnv(t, nil, value))
		require.NoError(t, err)
	}
	_, err := expr.ParseUpdate(set(":v+:v", 301), newEnv(t, nil, value))
	require.EqualError(t, err, "Invalid UpdateExpression: The expression contains too many operators; operator count: 301")
}

// A word is reserved in any case, and only as a bare name.
func TestReserved(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ABORT", "abort", "Status", "name", "ZONE", "AGGREGATE", "localtimestamp", "size"} {
		_, err := expr.ParseProjection(name, nil)
		require.EqualError(t, err, "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: "+name)
		_, err = expr.ParseProjection("#x.a", newEnv(t, map[string]string{"#x": name}, nil))
		require.NoError(t, err)
	}
	for _, name := range []string{"ABOR", "statuses", "namesake", "pk", "timestamp1", "a"} {
		_, err := expr.ParseProjection(name, nil)
		require.NoError(t, err, name)
	}
}

func TestEnvRefuses(t *testing.T) {
	t.Parallel()
	type names = map[string]string
	for _, c := range []struct {
		names  names
		values map[string]types.AttributeValue
		want   string
	}{
		{names: names{}, want: "ExpressionAttributeNames must not be empty"},
		{names: names{"a": "a"}, want: `ExpressionAttributeNames contains invalid key: Syntax error; key: "a"`},
		{names: names{"#": "a"}, want: `ExpressionAttributeNames contains invalid key: Syntax error; key: "#"`},
		{names: names{"#a-b": "a"}, want: `ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"`},
		{names: names{"##a": "a"}, want: `ExpressionAttributeNames contains invalid key: Syntax error; key: "##a"`},
		{names: names{"#" + strings.Repeat("a", 255): "a"}, want: "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; size of key: 256"},
		{names: names{"": "a"}, want: "ExpressionAttributeNames contains invalid key: The expression attribute map contains an empty key;"},
		{names: names{"#a": ""}, want: "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"},
		{
			names: names{"#a": strings.Repeat("a", 65536)},
			want:  "ExpressionAttributeNames contains invalid value: Attribute name is too large, must be less than 65536 bytes for key #a",
		},
		{values: map[string]types.AttributeValue{}, want: "ExpressionAttributeValues must not be empty"},
		{
			values: map[string]types.AttributeValue{":" + strings.Repeat("a", 255): &types.AttributeValueMemberS{}},
			want:   "ExpressionAttributeValues contains invalid key: The expression attribute map contains a key that is too long;",
		},
		{
			values: map[string]types.AttributeValue{"#a": &types.AttributeValueMemberS{}},
			want:   `ExpressionAttributeValues contains invalid key: Syntax error; key: "#a"`,
		},
		{
			values: map[string]types.AttributeValue{":a": &types.AttributeValueMemberN{Value: "x"}},
			want:   "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a",
		},
		{
			values: map[string]types.AttributeValue{":a": nil},
			want:   "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :a",
		},
	} {
		_, err := expr.NewEnvSDK(c.names, c.values)
		require.EqualError(t, err, c.want)
	}
	word := strings.Repeat("a", 254)
	_, err := expr.NewEnvSDK(names{"#" + word: "a"}, map[string]types.AttributeValue{":" + word: &types.AttributeValueMemberS{}})
	require.NoError(t, err)
	_, err = expr.NewEnv(nil, map[string]attr.Value{})
	require.EqualError(t, err, "ExpressionAttributeValues must not be empty")
}

func TestUnused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, map[string]string{"#a": "a", "#x": "x", "#b": "b"}, map[string]attr.Value{":s": attr.S(""), ":t": attr.S("")})
	require.EqualError(t, e.CheckUnused(), "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b, #x}")
	_, err := expr.ParseFilter("#a = :s", e)
	require.NoError(t, err)
	_, err = expr.ParseProjection("#b.a, #x", e)
	require.NoError(t, err)
	require.EqualError(t, e.CheckUnused(), "Value provided in ExpressionAttributeValues unused in expressions: keys: {:t}")
	_, err = expr.ParseUpdate("SET c = :t", e)
	require.NoError(t, err)
	require.NoError(t, e.CheckUnused())
}
