package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLinesAreAcceptedOrRejectedWithTheReason(t *testing.T) {
	t.Parallel()
	for line, reason := range map[string]string{
		"536365,85123A,HOLDER,6,12/1/10 8:26,2.55,17850,United Kingdom":                 "",
		"C536379,D,Discount,-1,12/1/10 9:41,27.5,14527,United Kingdom":                  "",
		"A563185,B,Adjust bad debt,1,8/12/11 14:50,11062.06,,United Kingdom":            "",
		"536414,22139,,56,12/1/10 11:52,0,,United Kingdom":                              "",
		`536365,1,"A ""B"", C",6,12/1/10 8:26,2.55,17850,France`:                        "",
		`536365,1,12" RULER,6,12/1/10 8:26,2.55,17850,France`:                           "",
		"536365,1," + strings.Repeat("X", 70_000) + ",6,12/1/10 8:26,2.55,17850,France": "the line is longer than 65536 bytes",
		"":              "the line is empty",
		"536365,85123A": "2 columns instead of 8",
		"536365,1,X,6,12/1/10 8:26,2.55,17850,France,more":    "9 columns instead of 8",
		`536365,1,"X,6,12/1/10 8:26,2.55,17850,France`:        "3 columns instead of 8",
		",85123A,X,6,12/1/10 8:26,2.55,17850,France":          "column InvoiceNo is empty",
		"CC1,85123A,X,6,12/1/10 8:26,2.55,17850,France":       `column InvoiceNo: "CC1" is not a number, or a letter and a number`,
		"536365,,X,6,12/1/10 8:26,2.55,17850,France":          "column StockCode is empty",
		"536365,1,X,6.5,12/1/10 8:26,2.55,17850,France":       `column Quantity: "6.5" is not an integer`,
		"536365,1,X,,12/1/10 8:26,2.55,17850,France":          `column Quantity: "" is not an integer`,
		"536365,1,X,99999999999999999999,12/1/10 8:26,1,1,UK": `column Quantity: "99999999999999999999" is not an integer`,
		"536365,1,X,6,2010-12-01,2.55,17850,France":           `column InvoiceDate: "2010-12-01" is not a date M/D/YY H:MM`,
		"536365,1,X,6,13/1/10 8:26,2.55,17850,France":         `column InvoiceDate: "13/1/10 8:26" is not a date M/D/YY H:MM`,
		"536365,1,X,6,12/1/10 8:26,1e3,17850,France":          `column UnitPrice: "1e3" is not a decimal number`,
		"536365,1,X,6,12/1/10 8:26,,17850,France":             `column UnitPrice: "" is not a decimal number`,
		"536365,1,X,6,12/1/10 8:26,2.55,\x01,France":          `column CustomerID: "\x01" is not a code`,
	} {
		_, err := parseLine(line)
		if reason == "" {
			require.NoError(t, err, line)
		} else {
			require.EqualError(t, err, reason, line)
		}
	}
}

// Whatever the bytes are, every line is either accepted or rejected, and none is lost.
func TestEveryLineIsCounted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.StringMatching(`[^\n]{0,30}`)).Draw(t, "lines")
		text := columns + "\n" + strings.Join(lines, "\n")
		want := len(lines)
		if want > 0 && lines[want-1] == "" {
			want-- // a line feed at the end begins no line
		}
		invoices, err := NewInvoices(strings.NewReader(text))
		require.NoError(t, err)
		got, raw := 0, len(invoices.Raw())
		for ; err == nil; got++ {
			_, _, err = invoices.Next()
			raw += len(invoices.Raw())
		}
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, want, got-1)
		require.Equal(t, len(text), raw)
	})
}

func TestAmountsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[1-9][0-9]{0,12}(\.[0-9]{0,5}[1-9])?`).Draw(t, "amount")
		amount, err := ParseAmount(text)
		require.NoError(t, err)
		require.Equal(t, text, amount.String())
		var sum Amount
		for range 10 {
			sum = sum.Add(amount)
		}
		require.Zero(t, sum.Cmp(amount.Times(10)))
		var back Amount
		require.NoError(t, back.UnmarshalText([]byte(sum.String())))
		require.Zero(t, back.Cmp(sum))
	})
}

func TestBadInputIsOneClearLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, silent.Close())
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"missing file":         {[]string{"-in", filepath.Join(dir, "none.csv")}, "-in: "},
		"other columns":        {[]string{"-in", file("other.csv", "a,b,c\n1,2,3\n")}, `it is "a,b,c", it must be InvoiceNo`},
		"empty file":           {[]string{"-in", file("empty.csv", "")}, "the file is empty"},
		"directory":            {[]string{"-in", dir}, "is a directory"},
		"binary file":          {[]string{"-in", file("binary", "\x7fELF\x02\x01\x00\xff\xfe")}, "line 1 is not the header"},
		"no line feeds":        {[]string{"-in", file("long", strings.Repeat("x", 2<<20))}, "longer than"},
		"standard input":       {[]string{"-in", "-"}, "the file is empty"},
		"data is a file":       {[]string{"-data", file("data", "x")}, "data"},
		"lake is a file":       {[]string{"-lake", file("lake", "x")}, "lake"},
		"dump without folder":  {[]string{"-dump", filepath.Join(dir, "no", "dump.csv")}, "-dump"},
		"dump is a directory":  {[]string{"-dump", dir}, "-dump"},
		"endpoint is silent":   {[]string{"-endpoint", "http://" + silent.Addr().String()}, "does not answer"},
		"endpoint is no URL":   {[]string{"-endpoint", "localhost"}, "-endpoint"},
		"both engines":         {[]string{"-data", dir, "-endpoint", "aws"}, "exclude each other"},
		"seed is no number":    {[]string{"-chaos", "x"}, `invalid value "x" for flag -chaos: the seed is not an integer`},
		"unknown flag":         {[]string{"-what"}, "-h lists the flags"},
		"argument for no flag": {[]string{"file.csv"}, `unexpected argument "file.csv"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runProgram(t, test.args...)
			require.Equal(t, exitBadInput, r.code, r.stderr)
			require.Contains(t, r.stderr, test.want)
			require.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
			require.Empty(t, r.stdout)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	r := runProgram(t, "-h")
	require.Equal(t, exitOK, r.code)
	for _, flag := range []string{"-in", "-data", "-endpoint", "-lake", "-dump", "-json"} {
		require.Contains(t, r.stderr, "\n  "+flag)
	}
}
