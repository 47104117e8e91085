package attr_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/attr"
	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

type (
	sdkS    = types.AttributeValueMemberS
	sdkN    = types.AttributeValueMemberN
	sdkB    = types.AttributeValueMemberB
	sdkBOOL = types.AttributeValueMemberBOOL
	sdkNULL = types.AttributeValueMemberNULL
	sdkL    = types.AttributeValueMemberL
	sdkM    = types.AttributeValueMemberM
	sdkSS   = types.AttributeValueMemberSS
	sdkNS   = types.AttributeValueMemberNS
	sdkBS   = types.AttributeValueMemberBS
)

func TestFromSDKRefuses(t *testing.T) {
	t.Parallel()
	const invalid = "One or more parameter values were invalid: "
	for _, c := range []struct {
		value types.AttributeValue
		want  string
	}{
		{nil, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		{&sdkNULL{}, invalid + "Null attribute value types must have the value of true"},
		{&sdkN{}, "The parameter cannot be converted to a numeric value"},
		{&sdkN{Value: "b"}, "The parameter cannot be converted to a numeric value: b"},
		{&sdkN{Value: "1e126"}, string(num.ErrOverflow)},
		{&sdkSS{}, invalid + "An string set  may not be empty"},
		{&sdkNS{}, invalid + "An number set  may not be empty"},
		{&sdkBS{}, invalid + "Binary sets should not be empty"},
		{&sdkSS{Value: []string{"", ""}}, invalid + "Input collection [, ] contains duplicates."},
		{&sdkSS{Value: []string{"b", "a", "b"}}, invalid + "Input collection [b, a, b] contains duplicates."},
		{&sdkNS{Value: []string{"1", "1.0"}}, "Input collection contains duplicates"},
		{&sdkNS{Value: []string{"1", "x"}}, "The parameter cannot be converted to a numeric value: x"},
		{&sdkBS{Value: [][]byte{[]byte("b"), []byte("b")}}, invalid + "Input collection [Yg==, Yg==]of type BS contains duplicates."},
		{&sdkL{Value: []types.AttributeValue{&sdkN{Value: "x"}}}, "The parameter cannot be converted to a numeric value: x"},
		{&sdkM{Value: map[string]types.AttributeValue{"a": nil}}, string(attr.ErrEmpty)},
		{&sdkM{Value: map[string]types.AttributeValue{"": &sdkS{}}}, "Empty attribute name"},
		{
			&sdkM{Value: map[string]types.AttributeValue{strings.Repeat("a", 65536): &sdkS{}}},
			"Attribute name is too large, must be less than 65536 bytes",
		},
		{nested(32), "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"},
	} {
		_, err := attr.FromSDK(c.value)
		require.EqualError(t, err, c.want)
		_, err = attr.ItemFromSDK(map[string]types.AttributeValue{"a": c.value})
		require.EqualError(t, err, c.want)
	}
	v, err := attr.FromSDK(nested(31))
	require.NoError(t, err)
	require.Equal(t, 31, v.Depth())
}

// nested gives lists and maps within one another.
func nested(depth int) types.AttributeValue {
	var v types.AttributeValue = &sdkS{Value: "x"}
	for i := range depth {
		if i%2 == 0 {
			v = &sdkL{Value: []types.AttributeValue{v}}
		} else {
			v = &sdkM{Value: map[string]types.AttributeValue{"a": v}}
		}
	}
	return v
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	ns := fromSDK(t, &sdkNS{Value: []string{"10", "-1", "2.50"}})
	require.Equal(t, attr.NumSet, ns.Kind())
	require.Equal(t, &sdkNS{Value: []string{"-1", "2.5", "10"}}, ns.SDK())
	require.True(t, ns.Has(fromSDK(t, &sdkN{Value: "2.5"})))
	require.False(t, ns.Has(fromSDK(t, &sdkN{Value: "3"})))
	require.False(t, ns.Has(attr.S("10")))
	b := attr.B([]byte("ab"))
	require.Equal(t, []byte("ab"), b.Bytes())
	require.Equal(t, "ab", b.Str())
	require.Equal(t, "YWI=", b.Text())
	require.True(t, attr.BOOL(true).Bool())
	require.Empty(t, attr.BOOL(true).Str())
	require.Zero(t, attr.S("5").Num())
	require.Nil(t, attr.S("5").List())
	require.Zero(t, attr.Value{}.Kind())
	require.Nil(t, attr.Value{}.SDK())
	require.False(t, attr.Equal(attr.Value{}, attr.Value{}))
	for _, name := range []string{"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"} {
		kind, ok := attr.ParseKind(name)
		require.True(t, ok)
		require.Equal(t, name, kind.String())
	}
	_, ok := attr.ParseKind("")
	require.False(t, ok)
}

func TestSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value types.AttributeValue
		want  int
	}{
		{&sdkS{Value: "é"}, 2},
		{&sdkS{}, 0},
		{&sdkN{Value: "100.5"}, 4},
		{&sdkB{Value: make([]byte, 7)}, 7},
		{&sdkBOOL{}, 1},
		{&sdkNULL{Value: true}, 1},
		{&sdkL{}, 3},
		{&sdkM{}, 3},
		{&sdkL{Value: []types.AttributeValue{&sdkS{Value: "ab"}, &sdkBOOL{}}}, 3 + 2 + 2 + 1},
		{&sdkM{Value: map[string]types.AttributeValue{"ab": &sdkS{Value: "abc"}}}, 3 + 1 + 2 + 3},
		{&sdkSS{Value: []string{"ab", "c"}}, 3},
		{&sdkNS{Value: []string{"1", "123"}}, 5},
		{&sdkBS{Value: [][]byte{{1, 2}, {3}}}, 3},
	} {
		v := fromSDK(t, c.value)
		require.Equal(t, c.want, v.Size(), "%#v", c.value)
		require.Equal(t, c.want+3, attr.ItemSize(attr.Item{"abc": v}))
	}
}

// What comes from the SDK goes back to it as it was, sets in order and numbers
// in normal form.
func TestSDKRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "v")
		back, err := attr.FromSDK(v.SDK())
		require.NoError(t, err)
		require.True(t, attr.Equal(v, back))
		require.Equal(t, v, back)
		require.Equal(t, v.SDK(), back.SDK())
		require.Equal(t, v.Size(), back.Size())
		item := attr.Item{"a": v}
		back2, err := attr.ItemFromSDK(attr.ItemToSDK(item))
		require.NoError(t, err)
		require.True(t, attr.EqualItems(item, back2))
	})
}

func TestStreams(t *testing.T) {
	t.Parallel()
	item, err := attr.ItemFromSDK(map[string]types.AttributeValue{
		"s": &sdkS{Value: "x"}, "n": &sdkN{Value: "1.0"}, "b": &sdkB{Value: []byte("y")}, "t": &sdkBOOL{Value: true},
		"z": &sdkNULL{Value: true}, "l": &sdkL{Value: []types.AttributeValue{&sdkS{Value: "e"}}},
		"m":  &sdkM{Value: map[string]types.AttributeValue{"k": &sdkS{Value: "e"}}},
		"ss": &sdkSS{Value: []string{"a"}}, "ns": &sdkNS{Value: []string{"1"}}, "bs": &sdkBS{Value: [][]byte{{1}}},
	})
	require.NoError(t, err)
	e := &streams.AttributeValueMemberS{Value: "e"}
	require.Equal(t, map[string]streams.AttributeValue{
		"s": &streams.AttributeValueMemberS{Value: "x"}, "n": &streams.AttributeValueMemberN{Value: "1"},
		"b": &streams.AttributeValueMemberB{Value: []byte("y")}, "t": &streams.AttributeValueMemberBOOL{Value: true},
		"z":  &streams.AttributeValueMemberNULL{Value: true},
		"l":  &streams.AttributeValueMemberL{Value: []streams.AttributeValue{e}},
		"m":  &streams.AttributeValueMemberM{Value: map[string]streams.AttributeValue{"k": e}},
		"ss": &streams.AttributeValueMemberSS{Value: []string{"a"}},
		"ns": &streams.AttributeValueMemberNS{Value: []string{"1"}},
		"bs": &streams.AttributeValueMemberBS{Value: [][]byte{{1}}},
	}, attr.ItemToStreams(item))
}

func TestCodecRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		item := items().Draw(t, "item")
		encoded := attr.AppendItem([]byte("before"), item)[len("before"):]
		back, err := attr.DecodeItem(encoded)
		require.NoError(t, err)
		require.True(t, attr.EqualItems(item, back))
		require.Equal(t, encoded, attr.AppendItem(nil, back))
		sdk, err := attr.DecodeSDK(encoded)
		require.NoError(t, err)
		require.Equal(t, attr.ItemToSDK(item), sdk)
		for n := range len(encoded) {
			_, err := attr.DecodeItem(encoded[:n])
			require.ErrorIs(t, err, attr.ErrCorrupt, "of %d bytes %d", len(encoded), n)
			_, err = attr.AppendJSON(nil, encoded[:n])
			require.ErrorIs(t, err, attr.ErrCorrupt, "of %d bytes %d", len(encoded), n)
			_, err = attr.DecodeSDK(encoded[:n])
			require.ErrorIs(t, err, attr.ErrCorrupt, "of %d bytes %d", len(encoded), n)
		}
	})
}

// Stored items are read by later versions: these bytes never change.
func TestCodecVector(t *testing.T) {
	t.Parallel()
	item, err := attr.ItemFromSDK(map[string]types.AttributeValue{
		"s": &sdkS{Value: "x"}, "n": &sdkN{Value: "-1"}, "b": &sdkB{Value: []byte{0}}, "t": &sdkBOOL{Value: true},
		"f": &sdkBOOL{}, "z": &sdkNULL{Value: true}, "l": &sdkL{Value: []types.AttributeValue{&sdkS{}}},
		"m":  &sdkM{Value: map[string]types.AttributeValue{"k": &sdkN{Value: "0"}}},
		"ss": &sdkSS{Value: []string{"b", "a"}}, "ns": &sdkNS{Value: []string{"1", "0"}}, "bs": &sdkBS{Value: [][]byte{{1}}},
	})
	require.NoError(t, err)
	require.Equal(t, strings.Join([]string{
		"01", "0b", // version, count
		"0162" + "03" + "0100", "026273" + "0a" + "010101", "0166" + "0400", "016c" + "06" + "01" + "0100",
		"016d" + "07" + "01" + "016b" + "0205", "016e" + "02" + "047df4ff", "026e73" + "09" + "02" + "05" + "06820b00",
		"0173" + "01" + "0178", "027373" + "08" + "02" + "0161" + "0162", "0174" + "0401", "017a" + "05",
	}, ""), hex.EncodeToString(attr.AppendItem(nil, item)))
}

func TestDecodeItemRefuses(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"nothing": "", "another version": "0200", "more bytes": "010000", "a count beyond the bytes": "01ff01",
		"a huge count": "01ffffffff7f", "no kind": "01010161" + "00", "an unknown kind": "01010161" + "0b",
		"a truth of 2": "01010161" + "0402", "an empty set": "01010161" + "0800",
		"a set out of order": "01010161" + "0802" + "0162" + "0161", "names out of order": "0102" + "016205" + "016105",
		"a name twice": "0102" + "016105" + "016105", "a number with a final zero pair": "01010161" + "02" + "06820b0100",
		"a padded count": "0180" + "00",
	} {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		_, err = attr.DecodeItem(b)
		require.ErrorIs(t, err, attr.ErrCorrupt, what)
		_, err = attr.DecodeSDK(b)
		require.ErrorIs(t, err, attr.ErrCorrupt, what)
		_, err = attr.AppendJSON(nil, b)
		require.ErrorIs(t, err, attr.ErrCorrupt, what)
	}
	deep := append([]byte{1, 1, 1, 'a'}, bytes.Repeat([]byte{6, 1}, 100_000)...)
	_, err := attr.DecodeItem(append(deep, 5))
	require.ErrorIs(t, err, attr.ErrCorrupt)
	_, err = attr.DecodeSDK(append(deep, 5))
	require.ErrorIs(t, err, attr.ErrCorrupt)
	_, err = attr.AppendJSON(nil, append(deep, 5))
	require.ErrorIs(t, err, attr.ErrCorrupt)
}

// Key bytes of one type sort as the values, differ when they do, and tell where
// they end.
func TestKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]attr.Kind{attr.String, attr.Num, attr.Binary}).Draw(t, "kind")
		a, b := scalars(kind).Draw(t, "a"), scalars(kind).Draw(t, "b")
		order, ok := attr.Compare(a, b)
		require.True(t, ok)
		require.Equal(t, naturalOrder(a, b), order)
		keyA, keyB := key(t, a), key(t, b)
		require.Equal(t, order, bytes.Compare(keyA, keyB))
		require.False(t, order != 0 && (bytes.HasPrefix(keyA, keyB) || bytes.HasPrefix(keyB, keyA)))
		tail := rapid.SliceOf(rapid.Byte()).Draw(t, "tail")
		back, rest, err := attr.DecodeKey(append(bytes.Clone(keyA), tail...))
		require.NoError(t, err)
		require.Equal(t, a, back)
		require.Equal(t, string(tail), string(rest))
		require.NotEqual(t, byte(0xFF), keyA[0])
	})
}

// Two keys in a row sort by the first, then by the second.
func TestKeyPairs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := scalars(attr.String)
		a1, a2, b1, b2 := s.Draw(t, "a1"), s.Draw(t, "a2"), s.Draw(t, "b1"), s.Draw(t, "b2")
		want := cmp.Or(strings.Compare(a1.Str(), b1.Str()), strings.Compare(a2.Str(), b2.Str()))
		require.Equal(t, want, bytes.Compare(append(key(t, a1), key(t, a2)...), append(key(t, b1), key(t, b2)...)))
	})
}

func TestKeyPrefix(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]attr.Kind{attr.String, attr.Binary}).Draw(t, "kind")
		a, b := scalars(kind).Draw(t, "a"), scalars(kind).Draw(t, "b")
		prefix, err := attr.AppendKeyPrefix(nil, a)
		require.NoError(t, err)
		require.Equal(t, strings.HasPrefix(b.Str(), a.Str()), bytes.HasPrefix(key(t, b), prefix))
	})
	_, err := attr.AppendKeyPrefix(nil, attr.N(num.FromInt(1)))
	require.ErrorIs(t, err, attr.ErrKey)
	_, err = attr.AppendKey(nil, attr.NULL())
	require.ErrorIs(t, err, attr.ErrKey)
}

// Keys are stored: these bytes never change.
func TestKeyVectors(t *testing.T) {
	t.Parallel()
	require.Equal(t, "02"+"61"+"00ff"+"62"+"0001", hex.EncodeToString(key(t, attr.S("a\x00b"))))
	require.Equal(t, "02"+"0001", hex.EncodeToString(key(t, attr.S(""))))
	require.Equal(t, "03"+"ff"+"0001", hex.EncodeToString(key(t, attr.B([]byte{0xff}))))
	require.Equal(t, "06820b00", hex.EncodeToString(key(t, attr.N(num.FromInt(1)))))
}

func naturalOrder(a, b attr.Value) int {
	if a.Kind() != attr.Num {
		return strings.Compare(a.Str(), b.Str())
	}
	x, _ := new(big.Rat).SetString(a.Num().String())
	y, _ := new(big.Rat).SetString(b.Num().String())
	return x.Cmp(y)
}

func key(t require.TestingT, v attr.Value) []byte {
	k, err := attr.AppendKey(nil, v)
	require.NoError(t, err)
	return k
}

func fromSDK(t require.TestingT, v types.AttributeValue) attr.Value {
	value, err := attr.FromSDK(v)
	require.NoError(t, err)
	return value
}
