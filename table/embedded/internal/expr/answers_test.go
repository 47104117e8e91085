package expr_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/expr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

// The item, the names and the values that testdata/answers.txt speaks of.
const (
	answersItem = `{"a":{"S":"x"},"n":{"N":"5"},"l":{"L":[{"S":"l0"},{"S":"l1"},{"S":"l2"}]},
		"m":{"M":{"x":{"N":"1"},"y":{"M":{"z":{"S":"q"}}},"l":{"L":[{"N":"1"}]}}},
		"ss":{"SS":["a","b"]},"ns":{"NS":["1","2"]},"t":{"BOOL":true},"nu":{"NULL":true},"b":{"B":"YWI="}}`
	answersValues = `{":s":{"S":"x"},":n":{"N":"1"},":n2":{"N":"2"},":n3":{"N":"30"},":l":{"L":[{"S":"z"}]},
		":m":{"M":{"k":{"S":"v"}}},":ss":{"SS":["a","c"]},":ns":{"NS":["1","7"]},":bs":{"BS":["YWI="]},":t":{"BOOL":true},
		":nu":{"NULL":true},":b":{"B":"YWI="},":S":{"S":"S"},":bad":{"S":"XYZ"},":e":{"S":""}}`
)

// TestAnswers holds expressions to the answers of DynamoDB: each line of the
// file is the kind of expression, its text, and the result for the item above,
// or ! and the message.
func TestAnswers(t *testing.T) {
	t.Parallel()
	item, values := parseItem(t, answersItem), parseItem(t, answersValues)
	names := map[string]string{"#a": "a", "#n": "n", "#l": "l", "#m": "m", "#d": "a.b", "#pk": "pk"}
	file, err := os.Open("testdata/answers.txt")
	require.NoError(t, err)
	defer file.Close()
	lines := bufio.NewScanner(file)
	count := 0
	for lines.Scan() {
		if lines.Text() == "" || strings.HasPrefix(lines.Text(), "//") {
			continue
		}
		kind, rest, _ := strings.Cut(lines.Text(), "\t")
		quoted, want, _ := strings.Cut(rest, "\t")
		text, err := strconv.Unquote(quoted)
		require.NoError(t, err, lines.Text())
		count++
		t.Run(kind+" "+text, func(t *testing.T) {
			t.Parallel()
			env, err := expr.NewEnv(names, values)
			require.NoError(t, err)
			require.Equal(t, want, answer(kind, text, env, item))
		})
	}
	require.NoError(t, lines.Err())
	require.Greater(t, count, 600)
}

func answer(kind, text string, env *expr.Env, item attr.Item) string {
	result, err := "", error(nil)
	switch kind {
	case "filter":
		var c *expr.Condition
		if c, err = expr.ParseFilter(text, env); err == nil {
			match, _ := c.Match(item)
			result = strconv.FormatBool(match)
		}
	case "update":
		var u *expr.Update
		if u, err = expr.ParseUpdate(text, env); err == nil {
			var next attr.Item
			next, err = u.Apply(item)
			result = formatItem(next)
		}
	case "projection":
		var p *expr.Projection
		if p, err = expr.ParseProjection(text, env); err == nil {
			result = formatItem(p.Apply(item))
		}
	case "key":
		var k *expr.KeyCondition
		if k, err = expr.ParseKeyCondition(text, env); err == nil {
			result = formatTerms(k)
		}
	}
	if err != nil {
		return "! " + err.Error()
	}
	return result
}

func formatTerms(k *expr.KeyCondition) string {
	terms := make([]string, len(k.Terms))
	for i, t := range k.Terms {
		terms[i] = t.Name + " " + t.Op.String()
		for _, v := range t.Values {
			terms[i] += " " + v.Text()
		}
	}
	return strings.Join(terms, "; ")
}

// formatItem writes an item as DynamoDB's JSON, members in order.
func formatItem(item attr.Item) string {
	b, err := json.Marshal(toJSON(attr.M(item)).(map[string]any)["M"])
	if err != nil {
		return err.Error()
	}
	return regexp.MustCompile(`\\u00[0-9a-f]{2}`).ReplaceAllString(string(b), "?")
}

func toJSON(v attr.Value) any {
	var x any
	switch v.Kind() {
	case attr.String, attr.Num, attr.Binary:
		x = v.Text()
	case attr.Bool:
		x = v.Bool()
	case attr.Null:
		x = true
	case attr.List:
		list := make([]any, len(v.List()))
		for i, e := range v.List() {
			list[i] = toJSON(e)
		}
		x = list
	case attr.Map:
		m := map[string]any{}
		for name, e := range v.Map() {
			m[name] = toJSON(e)
		}
		x = m
	default:
		x = setTexts(v)
	}
	return map[string]any{v.Kind().String(): x}
}

func setTexts(v attr.Value) []string {
	var texts []string
	for _, n := range v.Nums() {
		texts = append(texts, n.String())
	}
	if v.Kind() == attr.NumSet {
		return texts
	}
	for _, m := range v.Members() {
		if v.Kind() == attr.BinarySet {
			m = base64.StdEncoding.EncodeToString([]byte(m))
		}
		texts = append(texts, m)
	}
	return texts
}

// parseItem reads DynamoDB's JSON.
func parseItem(t require.TestingT, text string) attr.Item {
	var m map[string]map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	item := attr.Item{}
	for name, v := range m {
		item[name] = parseValue(t, v)
	}
	return item
}

func parseValue(t require.TestingT, members map[string]json.RawMessage) attr.Value {
	for kind, raw := range members {
		var text string
		var texts []string
		switch kind {
		case "S", "N", "B":
			require.NoError(t, json.Unmarshal(raw, &text))
			return scalar(t, kind, text)
		case "BOOL":
			return attr.BOOL(string(raw) == "true")
		case "NULL":
			return attr.NULL()
		case "M":
			return attr.M(parseItem(t, string(raw)))
		case "L":
			var list []map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(raw, &list))
			values := make([]attr.Value, len(list))
			for i, e := range list {
				values[i] = parseValue(t, e)
			}
			return attr.L(values)
		default:
			require.NoError(t, json.Unmarshal(raw, &texts))
			return set(t, kind, texts)
		}
	}
	return attr.Value{}
}

func scalar(t require.TestingT, kind, text string) attr.Value {
	switch kind {
	case "N":
		n, err := num.Parse(text)
		require.NoError(t, err)
		return attr.N(n)
	case "B":
		b, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return attr.B(b)
	default:
		return attr.S(text)
	}
}

func set(t require.TestingT, kind string, texts []string) attr.Value {
	var v attr.Value
	var err error
	switch kind {
	case "SS":
		v, err = attr.SS(texts)
	case "NS":
		numbers := make([]num.Number, len(texts))
		for i, text := range texts {
			numbers[i] = scalar(t, "N", text).Num()
		}
		v, err = attr.NS(numbers)
	default:
		bytes := make([][]byte, len(texts))
		for i, text := range texts {
			bytes[i] = scalar(t, "B", text).Bytes()
		}
		v, err = attr.BS(bytes)
	}
	require.NoError(t, err)
	return v
}
