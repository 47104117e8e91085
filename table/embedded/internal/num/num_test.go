package num_test

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/insideout-go/insideout/table/embedded/internal/num"
)

func TestParse(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", 38)
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "+0.00": "0", "0e1000": "0", "1": "1", "+1": "1", "-1": "-1",
		"1.0": "1", "0001.2300": "1.23", ".5": "0.5", "5.": "5", "1e5": "100000", "1E+5": "100000",
		"-17.4E3": "-17400", "1.5e-3": "0.0015", "10000000000000000000": "10000000000000000000",
		"100000000000000000001": "100000000000000000001", "18446744073709551616": "18446744073709551616",
		nines: nines, nines + "000": nines + "000", "0." + nines: "0." + nines,
		"1e100":  "1" + strings.Repeat("0", 100),
		"1e125":  "1" + strings.Repeat("0", 125),
		"1e-130": "0." + strings.Repeat("0", 129) + "1",
		"0." + strings.Repeat("0", 300) + "1e301":  "1",
		"1" + strings.Repeat("0", 300) + "e-300":   "1",
		"3.1415926535897932384626433832795028841":  "3.1415926535897932384626433832795028841",
		"-314159265358979323846.26433832795028841": "-314159265358979323846.26433832795028841",
	} {
		n, err := num.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n.String(), text)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("1", 39)
	for text, want := range map[string]error{
		"1e126": num.ErrOverflow, "-11e125": num.ErrOverflow, "1e1000000000000": num.ErrOverflow, "1e9223372036854775807": num.ErrOverflow,
		"1e-131": num.ErrUnderflow, "0.9e-130": num.ErrUnderflow, "1e-1000000000000": num.ErrUnderflow, "1e-9223372036854775808": num.ErrUnderflow,
		long: num.ErrPrecision, "1." + long: num.ErrPrecision, "10000000000000000000000000000000000000.01": num.ErrPrecision,
		long + "e126": num.ErrOverflow, "": num.ErrSyntax,
	} {
		_, err := num.Parse(text)
		require.Equal(t, want, err, text)
	}
	for _, text := range []string{
		"NaN", "Infinity", "-Infinity", "dog", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e5.5", "--1", "1.2.3",
		"0x10", "1_000", "1e1_0", "1e9223372036854775808", " 1", "1 ", "1,5", "1f", "1L", "٣", "1e5e5",
	} {
		_, err := num.Parse(text)
		require.EqualError(t, err, "The parameter cannot be converted to a numeric value: "+text)
	}
}

// The sizes that DynamoDB counts, measured at its limit for items.
func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"0": 1, "1": 2, "12": 2, "123": 3, "1234": 3, "12345678901234567890123456789012345678": 20, "0042": 2,
		"100": 2, "1010": 3, "0.0000001": 2, "1E125": 2, "1E-100": 2, "1.5": 3, "15": 2, "1.2": 3, "1.200": 3,
		"1.234": 4, "3.14159": 5, "123456": 4, "100.5": 4, "0.15": 2, "-42": 3, "-0": 1,
	} {
		require.Equal(t, want, parse(t, text).Size(), text)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want error
	}{
		{"1e50", "1", num.ErrOverflow},
		{"1e50", "-1", num.ErrOverflow},
		{"9e125", "9e125", num.ErrOverflow},
		{"-9e125", "-9e125", num.ErrOverflow},
		{"1e125", "1e-130", num.ErrOverflow},
		{"1.1e-130", "-1e-130", num.ErrUnderflow},
		{"99999999999999999999999999999999999999", "0.1", num.ErrOverflow},
		{"99999999999999999999999999999999999999", "2", num.ErrOverflow},
	} {
		_, err := parse(t, c.a).Add(parse(t, c.b))
		require.Equal(t, c.want, err, "%s + %s", c.a, c.b)
	}
}

func TestAddAtTheEdge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"99999999999999999999999999999999999999", "1", "1" + strings.Repeat("0", 38)},
		{"1e38", "-1", strings.Repeat("9", 38)},
		{"50000000000000000000000000000000000000", "50000000000000000000000000000000000000", "1" + strings.Repeat("0", 38)},
		{"99999999999999999999999999999999999999", "99999999999999999999999999999999999991", "19999999999999999999999999999999999999" + "0"},
		{"5", "-5", "0"},
		{"0.1", "0.2", "0.3"},
		{"10000000000000000000000", "1", "10000000000000000000001"},
	} {
		sum, err := parse(t, c.a).Add(parse(t, c.b))
		require.NoError(t, err, "%s + %s", c.a, c.b)
		require.Equal(t, c.want, sum.String())
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.Int64().Draw(t, "i")
		n := num.FromInt(i)
		got, ok := n.Int64()
		require.True(t, ok)
		require.Equal(t, i, got)
		require.Zero(t, rat(n).Cmp(new(big.Rat).SetInt64(i)))
	})
	for _, text := range []string{"0.5", "9223372036854775808", "-9223372036854775809", "1e19", "1e30"} {
		_, ok := parse(t, text).Int64()
		require.False(t, ok, text)
	}
}

// Numbers, their rational values and their key bytes have one order; equal
// numbers are one value, and the normal text is read back as the same.
func TestOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers().Draw(t, "a"), numbers().Draw(t, "b")
		want := rat(a).Cmp(rat(b))
		require.Equal(t, want, a.Cmp(b), "%s, %s", a, b)
		require.Equal(t, want, bytes.Compare(num.AppendKey(nil, a), num.AppendKey(nil, b)), "%s, %s", a, b)
		require.Equal(t, want == 0, a == b)
		require.Equal(t, rat(a).Sign(), a.Sign())
		require.Equal(t, a, parse(t, a.String()))
	})
}

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := numbers().Draw(t, "n")
		tail := rapid.SliceOf(rapid.Byte()).Draw(t, "tail")
		got, rest, err := num.DecodeKey(append(num.AppendKey(nil, n), tail...))
		require.NoError(t, err)
		require.Equal(t, n, got)
		require.Equal(t, string(tail), string(rest))
	})
}

// Key bytes are stored: these never change.
func TestKeyVectors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "05", "1": "06820b00", "10": "06830b00", "123.45": "06840d233300", "-1": "047df4ff",
		"1e-130": "06000b00", "-9.9e125": "04009bff",
	} {
		require.Equal(t, want, hex.EncodeToString(num.AppendKey(nil, parse(t, text))), text)
	}
}

func TestDecodeKeyRefuses(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"nothing": "", "another type": "0261", "no end": "06820b", "no digits": "068200", "a leading zero": "06820a00",
		"a final zero pair": "06820b0100", "a pair beyond 99": "06826500", "40 digits": "0682" + strings.Repeat("0b", 20) + "00",
	} {
		key, err := hex.DecodeString(text)
		require.NoError(t, err)
		_, rest, err := num.DecodeKey(key)
		require.ErrorIs(t, err, num.ErrKey, what)
		require.Equal(t, string(key), string(rest))
	}
}

// A sum or difference is exact, or is refused because it has no place among
// DynamoDB's numbers.
func TestArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers().Draw(t, "a"), numbers().Draw(t, "b")
		sum, err := a.Add(b)
		checkExact(t, new(big.Rat).Add(rat(a), rat(b)), sum, err)
		difference, err := a.Sub(b)
		checkExact(t, new(big.Rat).Sub(rat(a), rat(b)), difference, err)
	})
}

func checkExact(t *rapid.T, want *big.Rat, got num.Number, err error) {
	if err == nil {
		require.Zero(t, want.Cmp(rat(got)), "want %s, got %s", want.FloatString(140), got)
		return
	}
	_, parseErr := num.Parse(want.FloatString(200))
	require.Error(t, parseErr, "refused %s", want.FloatString(140))
}

// numbers gives numbers of all lengths and magnitudes, often close together.
func numbers() *rapid.Generator[num.Number] {
	return rapid.Custom(func(t *rapid.T) num.Number {
		text := rapid.StringMatching(`-?([0-9]{1,4}|[0-9]{36,38}|[0-9]{1,38})`).Draw(t, "digits")
		exp := rapid.OneOf(rapid.IntRange(-3, 3), rapid.IntRange(-40, 40), rapid.IntRange(-168, 125)).Draw(t, "exp")
		n, err := num.Parse(text + "e" + big.NewInt(int64(exp)).String())
		if err != nil {
			n, _ = num.Parse(text)
		}
		return n
	})
}

func rat(n num.Number) *big.Rat {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		panic("not a number: " + n.String())
	}
	return r
}

func parse(t require.TestingT, text string) num.Number {
	n, err := num.Parse(text)
	require.NoError(t, err, text)
	return n
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "0", "-1.50e-3", "1e1000000", "9.999e125", ".", "1e-130"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := num.Parse(text)
		if err != nil {
			require.Equal(t, num.Number{}, n)
			return
		}
		require.Equal(t, n, parse(t, n.String()))
		require.LessOrEqual(t, n.Size(), 22)
		if len(text) < 100 && !strings.ContainsAny(text, "eE") {
			want, ok := new(big.Rat).SetString(text)
			require.True(t, ok)
			require.Zero(t, want.Cmp(rat(n)))
		}
	})
}

func FuzzDecodeKey(f *testing.F) {
	for _, text := range []string{"0", "1", "-1", "123.45", "-1e-130"} {
		f.Add(num.AppendKey(nil, parse(f, text)))
	}
	f.Fuzz(func(t *testing.T, key []byte) {
		n, rest, err := num.DecodeKey(key)
		if err != nil {
			require.Equal(t, string(key), string(rest))
			return
		}
		require.Equal(t, string(key), string(append(num.AppendKey(nil, n), rest...)))
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = num.Parse("1763712000123")
	}
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	x, y := parse(b, "1763712000123.25"), parse(b, "17")
	for b.Loop() {
		_, _ = x.Add(y)
	}
}

func BenchmarkKey(b *testing.B) {
	b.ReportAllocs()
	x, room := parse(b, "1763712000123"), make([]byte, 0, 32)
	for b.Loop() {
		key := num.AppendKey(room, x)
		_, _, _ = num.DecodeKey(key)
	}
}

func BenchmarkString(b *testing.B) {
	b.ReportAllocs()
	x := parse(b, "1763712000123.25")
	for b.Loop() {
		_ = x.String()
	}
}
