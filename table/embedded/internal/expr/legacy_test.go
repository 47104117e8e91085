package expr_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
)

// sdk gives the values of answersValues in the SDK's form.
func sdk(t require.TestingT, names ...string) []types.AttributeValue {
	values := parseItem(t, answersValues)
	list := make([]types.AttributeValue, len(names))
	for i, name := range names {
		list[i] = values[name].SDK()
	}
	return list
}

func filter(t require.TestingT, name, operator string, values ...string) map[string]types.Condition {
	return map[string]types.Condition{
		name: {ComparisonOperator: types.ComparisonOperator(operator), AttributeValueList: sdk(t, values...)},
	}
}

// Which attributes of the item each comparison holds for.
func TestFromFilter(t *testing.T) {
	t.Parallel()
	item := parseItem(t, answersItem)
	attributes := []string{"a", "n", "ss", "l", "b", "t", "nu", "zz", "ns", "m"}
	for _, c := range []struct {
		operator string
		values   []string
		want     string
	}{
		{"EQ", []string{":s"}, "1000000000"},
		{"EQ", []string{":t"}, "0000010000"},
		{"EQ", []string{":nu"}, "0000001000"},
		{"NE", []string{":s"}, "0111111111"},
		{"NE", []string{":b"}, "1111011111"},
		{"LT", []string{":n3"}, "0100000000"},
		{"LE", []string{":s"}, "1000000000"},
		{"GT", []string{":S"}, "1000000000"},
		{"GE", []string{":b"}, "0000100000"},
		{"NULL", nil, "0000000100"},
		{"NOT_NULL", nil, "1111111011"},
		{"CONTAINS", []string{":s"}, "1000000000"},
		{"CONTAINS", []string{":n"}, "0000000010"},
		{"CONTAINS", []string{":t"}, "0000000000"},
		{"NOT_CONTAINS", []string{":s"}, "0111111011"},
		{"NOT_CONTAINS", []string{":n"}, "1111111001"},
		{"BEGINS_WITH", []string{":e"}, "1000000000"},
		{"BEGINS_WITH", []string{":b"}, "0000100000"},
		{"IN", []string{":S", ":s"}, "1000000000"},
		{"IN", []string{":n", ":n2"}, "0000000000"},
		{"BETWEEN", []string{":S", ":s"}, "1000000000"},
		{"BETWEEN", []string{":n2", ":n3"}, "0100000000"},
	} {
		got := ""
		for _, name := range attributes {
			cond, err := expr.FromFilter(filter(t, name, c.operator, c.values...), false)
			require.NoError(t, err)
			match, _ := cond.Match(item)
			got += map[bool]string{true: "1", false: "0"}[match]
		}
		require.Equal(t, c.want, got, "%s %v", c.operator, c.values)
	}
}

func TestFromFilterJoins(t *testing.T) {
	t.Parallel()
	item := parseItem(t, answersItem)
	both := filter(t, "a", "EQ", ":s")
	both["n"] = filter(t, "n", "EQ", ":n")["n"]
	both["t"] = filter(t, "t", "NOT_NULL")["t"]
	for or, want := range map[bool]bool{true: true, false: false} {
		c, err := expr.FromFilter(both, or)
		require.NoError(t, err)
		match, _ := c.Match(item)
		require.Equal(t, want, match)
	}
	none, err := expr.FromFilter(nil, false)
	require.NoError(t, err)
	match, _ := none.Match(item)
	require.True(t, match)
	dotted, err := expr.FromFilter(filter(t, "m.x", "NOT_NULL"), false)
	require.NoError(t, err)
	match, _ = dotted.Match(item)
	require.False(t, match, "a name is not a path")
}

func TestLegacyRefuses(t *testing.T) {
	t.Parallel()
	const invalid = "One or more parameter values were invalid: "
	for _, c := range []struct {
		operator string
		values   []string
		want     string
	}{
		{"EQ", nil, invalid + "Invalid number of argument(s) for the EQ ComparisonOperator"},
		{"EQ", []string{":s", ":n"}, invalid + "Invalid number of argument(s) for the EQ ComparisonOperator"},
		{"NULL", []string{":s"}, invalid + "Invalid number of argument(s) for the NULL ComparisonOperator"},
		{"IN", nil, invalid + "Invalid number of argument(s) for the IN ComparisonOperator"},
		{"IN", []string{":s", ":n"}, invalid + "AttributeValues inside AttributeValueList must be of same type"},
		{"IN", []string{":l"}, invalid + "ComparisonOperator IN is not valid for L AttributeValue type"},
		{"LT", []string{":ss"}, invalid + "ComparisonOperator LT is not valid for SS AttributeValue type"},
		{"CONTAINS", []string{":m"}, invalid + "ComparisonOperator CONTAINS is not valid for M AttributeValue type"},
		{"BEGINS_WITH", []string{":n"}, invalid + "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
		{"BETWEEN", []string{":s"}, invalid + "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
		{"BETWEEN", []string{":s", ":n"}, invalid + "AttributeValues inside AttributeValueList must be of same type"},
		{"BETWEEN", []string{":s", ":S"}, "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
		{"XX", []string{":s"}, "Unsupported operator XX"},
	} {
		f := filter(t, "a", c.operator, c.values...)
		_, err := expr.FromFilter(f, false)
		require.EqualError(t, err, c.want)
		_, err = expr.FromKeyConditions(f)
		require.EqualError(t, err, c.want)
		_, err = expr.FromExpected(map[string]types.ExpectedAttributeValue{
			"a": {ComparisonOperator: f["a"].ComparisonOperator, AttributeValueList: f["a"].AttributeValueList},
		}, false)
		require.EqualError(t, err, c.want)
	}
	_, err := expr.FromKeyConditions(map[string]types.Condition{"a": {ComparisonOperator: "EQ", AttributeValueList: []types.AttributeValue{nil}}})
	require.EqualError(t, err, string(attr.ErrEmpty))
}

func TestFromKeyConditions(t *testing.T) {
	t.Parallel()
	both := filter(t, "sk", "BETWEEN", ":S", ":s")
	both["pk"] = filter(t, "pk", "EQ", ":s")["pk"]
	k, err := expr.FromKeyConditions(both)
	require.NoError(t, err)
	require.Equal(t, "pk = x; sk BETWEEN S x", formatTerms(k))
	for operator, want := range map[string]string{
		"LT": "sk < x", "LE": "sk <= x", "GT": "sk > x", "GE": "sk >= x", "BEGINS_WITH": "sk begins_with x",
	} {
		k, err := expr.FromKeyConditions(filter(t, "sk", operator, ":s"))
		require.NoError(t, err)
		require.Equal(t, want, formatTerms(k))
	}
	for _, operator := range []string{"NE", "IN", "CONTAINS", "NOT_CONTAINS"} {
		_, err := expr.FromKeyConditions(filter(t, "sk", operator, ":s"))
		require.EqualError(t, err, "Attempted conditional constraint is not an indexable operation")
	}
}

func TestKeyTermMatch(t *testing.T) {
	t.Parallel()
	for operator, want := range map[string]string{
		"EQ": "010", "LT": "100", "LE": "110", "GT": "001", "GE": "011", "BEGINS_WITH": "011",
	} {
		k, err := expr.FromKeyConditions(filter(t, "sk", operator, ":s"))
		require.NoError(t, err)
		require.Equal(t, want, matches(k.Terms[0], "w", "x", "xa"), operator)
	}
	k, err := expr.FromKeyConditions(filter(t, "sk", "BETWEEN", ":S", ":s"))
	require.NoError(t, err)
	require.Equal(t, "01110", matches(k.Terms[0], "R", "S", "a", "x", "xa"))
	require.False(t, k.Terms[0].Match(attr.B([]byte("a"))))
	term, ok := k.Term("sk")
	require.True(t, ok)
	require.Equal(t, expr.KeyBetween, term.Op)
	_, ok = k.Term("pk")
	require.False(t, ok)
}

func matches(term expr.KeyTerm, texts ...string) string {
	got := ""
	for _, text := range texts {
		got += map[bool]string{true: "1", false: "0"}[term.Match(attr.S(text))]
	}
	return got
}

func TestFromExpected(t *testing.T) {
	t.Parallel()
	type x = types.ExpectedAttributeValue
	item := parseItem(t, answersItem)
	v, other := sdk(t, ":s")[0], sdk(t, ":S")[0]
	list := sdk(t, ":s")
	for _, c := range []struct {
		name string
		x    x
		want string
	}{
		{"a", x{}, "Value must be provided when Exists is null for Attribute: a"},
		{"a", x{Value: v}, "yes"},
		{"a", x{Value: other}, "no"},
		{"a", x{Exists: new(true)}, "Value must be provided when Exists is true for Attribute: a"},
		{"a", x{Exists: new(false)}, "no"},
		{"zz", x{Exists: new(false)}, "yes"},
		{"a", x{Exists: new(true), Value: v}, "yes"},
		{"a", x{Exists: new(false), Value: v}, "Value cannot be used when Exists is false for Attribute: a"},
		{"a", x{AttributeValueList: list}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"},
		{"a", x{AttributeValueList: list, Value: v}, "Value and AttributeValueList cannot be used together for Attribute: a"},
		{"a", x{ComparisonOperator: "EQ"}, "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a"},
		{"a", x{ComparisonOperator: "EQ", Value: v}, "yes"},
		{"a", x{ComparisonOperator: "EQ", Exists: new(true), Value: v}, "Exists and ComparisonOperator cannot be used together for Attribute: a"},
		{"a", x{ComparisonOperator: "EQ", AttributeValueList: list}, "yes"},
		{"a", x{ComparisonOperator: "NULL"}, "no"},
		{"a", x{ComparisonOperator: "NOT_NULL"}, "yes"},
		{"zz", x{ComparisonOperator: "NE", Value: v}, "yes"},
	} {
		cond, err := expr.FromExpected(map[string]types.ExpectedAttributeValue{c.name: c.x}, false)
		if c.want != "yes" && c.want != "no" {
			require.EqualError(t, err, "One or more parameter values were invalid: "+c.want)
			continue
		}
		require.NoError(t, err)
		match, _ := cond.Match(item)
		require.Equal(t, c.want == "yes", match, "%+v", c.x)
	}
}

func TestFromUpdates(t *testing.T) {
	t.Parallel()
	item := parseItem(t, `{"a":{"S":"x"},"n":{"N":"5"},"l":{"L":[{"S":"y"}]},"ss":{"SS":["a","b"]}}`)
	const invalid, mismatch = "! One or more parameter values were invalid: ", "! Type mismatch for attribute to update"
	for _, c := range []struct{ name, action, value, want string }{
		{"a", "", "", invalid + "Only DELETE action is allowed when no attribute value is specified"},
		{"a", "PUT", "", invalid + "Only DELETE action is allowed when no attribute value is specified"},
		{"n", "ADD", "", invalid + "Only DELETE action is allowed when no attribute value is specified"},
		{"a", "PUT", ":n", `{"a":{"N":"1"}}`},
		{"a", "", ":n", `{"a":{"N":"1"}}`},
		{"a.b", "", ":n", `{"a.b":{"N":"1"}}`},
		{"a", "DELETE", "", `{}`},
		{"zz", "DELETE", "", `{}`},
		{"a", "DELETE", ":s", invalid + "DELETE action with value is not supported for the type STRING"},
		{"ss", "DELETE", ":ss", `{"ss":{"SS":["b"]}}`},
		{"a", "DELETE", ":ss", mismatch},
		{"ss", "DELETE", ":ns", mismatch},
		{"n", "ADD", ":n", `{"n":{"N":"6"}}`},
		{"zz", "ADD", ":n", `{"zz":{"N":"1"}}`},
		{"a", "ADD", ":n", mismatch},
		{"a", "ADD", ":s", invalid + "ADD action is not supported for the type STRING"},
		{"l", "ADD", ":l", `{"l":{"L":[{"S":"y"},{"S":"z"}]}}`},
		{"m", "ADD", ":m", invalid + "ADD action is not supported for the type MAP"},
		{"ss", "ADD", ":ss", `{"ss":{"SS":["a","b","c"]}}`},
		{"", "PUT", ":s", "! Empty attribute name"},
	} {
		one := types.AttributeValueUpdate{Action: types.AttributeAction(c.action)}
		if c.value != "" {
			one.Value = sdk(t, c.value)[0]
		}
		require.Equal(t, c.want, applyLegacy(map[string]types.AttributeValueUpdate{c.name: one}, item), "%+v", c)
	}
	u, err := expr.FromUpdates(nil)
	require.NoError(t, err)
	require.True(t, u.Creates())
	next, err := u.ApplyMissing(attr.Item{"pk": attr.S("p")})
	require.NoError(t, err)
	require.Equal(t, `{"pk":{"S":"p"}}`, formatItem(next))
}

// applyLegacy gives what the update touched, or ! and the message.
func applyLegacy(updates map[string]types.AttributeValueUpdate, item attr.Item) string {
	u, err := expr.FromUpdates(updates)
	if err == nil {
		var next attr.Item
		if next, err = u.Apply(item); err == nil {
			return formatItem(u.Touched(next))
		}
	}
	return "! " + err.Error()
}

func TestFromAttributesToGet(t *testing.T) {
	t.Parallel()
	p, err := expr.FromAttributesToGet([]string{"a", "zz", "m.x", "nu"})
	require.NoError(t, err)
	require.Equal(t, `{"a":{"S":"x"},"nu":{"NULL":true}}`, formatItem(p.Apply(parseItem(t, answersItem))))
	_, err = expr.FromAttributesToGet([]string{"a", "b", "a"})
	require.EqualError(t, err, "One or more parameter values were invalid: Duplicate value in attribute name: a")
	_, err = expr.FromAttributesToGet([]string{""})
	require.EqualError(t, err, "Empty attribute name")
}
