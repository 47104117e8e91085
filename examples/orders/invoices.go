package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// columns is the header of the UCI Online Retail data set.
const columns = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"

const (
	maxLine = 1 << 20  // bytes until a line feed, so that a file without any cannot fill the memory
	maxRow  = 64 << 10 // bytes of a line that is taken: far below the limit of an item
)

// InvoiceLine is one accepted line of the file.
type InvoiceLine struct {
	Invoice, StockCode, Description string
	Quantity                        int64
	At                              time.Time
	Price                           Amount
	Customer, Country               string // Customer is empty on a guest order
}

// Credit says whether the line takes goods back: the invoice number has a leading C.
func (l InvoiceLine) Credit() bool { return strings.HasPrefix(l.Invoice, "C") }

// Reject is a line that was not taken, and why. The header is line 1.
type Reject struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Invoices reads a file of invoice lines. A faulty line is rejected by itself: a stray quote does not swallow the lines after it.
type Invoices struct {
	in    *bufio.Reader
	count int // lines read, the header among them
	raw   []byte
}

// NewInvoices checks the header and returns the reader of the lines below it.
func NewInvoices(in io.Reader) (*Invoices, error) {
	r := &Invoices{in: bufio.NewReaderSize(in, 64<<10)}
	header, err := r.line()
	switch {
	case errors.Is(err, io.EOF):
		return nil, badInput{errors.New("the file is empty: it must begin with the line " + columns)}
	case err != nil:
		return nil, err
	}
	if header = strings.TrimPrefix(header, "\ufeff"); header != columns {
		return nil, badInput{fmt.Errorf("line 1 is not the header of an invoice file: it is %s, it must be %s", excerpt(header), columns)}
	}
	return r, nil
}

// Next reads one line: an accepted one, or a reject. The error is io.EOF at the end.
func (r *Invoices) Next() (InvoiceLine, *Reject, error) {
	text, err := r.line()
	if err != nil {
		return InvoiceLine{}, nil, err
	}
	line, err := parseLine(text)
	if err != nil {
		return InvoiceLine{}, &Reject{Line: r.count, Reason: err.Error()}, nil
	}
	return line, nil, nil
}

// Raw is the line that was read last, with its line feed. It is valid until the next call.
func (r *Invoices) Raw() []byte { return r.raw }

func (r *Invoices) line() (string, error) {
	r.raw = r.raw[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		r.raw = append(r.raw, part...)
		if len(r.raw) > maxLine {
			return "", badInput{fmt.Errorf("line %d is longer than %d bytes: this is not an invoice file", r.count+1, maxLine)}
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return "", badInput{err}
		case len(r.raw) == 0:
			return "", io.EOF
		}
		r.count++
		line := bytes.TrimSuffix(r.raw, []byte("\n"))
		return string(bytes.TrimSuffix(line, []byte("\r"))), nil
	}
}

func parseLine(text string) (InvoiceLine, error) {
	switch {
	case text == "":
		return InvoiceLine{}, errors.New("the line is empty")
	case len(text) > maxRow:
		return InvoiceLine{}, fmt.Errorf("the line is longer than %d bytes", maxRow)
	}
	fields := csv.NewReader(strings.NewReader(text))
	fields.FieldsPerRecord, fields.LazyQuotes = -1, true
	row, err := fields.Read()
	if err != nil {
		return InvoiceLine{}, errors.New("the quotes do not match")
	}
	if want := strings.Count(columns, ",") + 1; len(row) != want {
		return InvoiceLine{}, fmt.Errorf("%d columns instead of %d", len(row), want)
	}
	line := InvoiceLine{
		Invoice: row[0], StockCode: row[1], Description: strings.ToValidUTF8(row[2], "\ufffd"),
		Customer: row[6], Country: strings.ToValidUTF8(row[7], "\ufffd"),
	}
	if err := line.checkTexts(); err != nil {
		return InvoiceLine{}, err
	}
	if line.Quantity, err = strconv.ParseInt(row[3], 10, 64); err != nil {
		return InvoiceLine{}, fmt.Errorf("column Quantity: %s is not an integer", excerpt(row[3]))
	}
	if line.At, err = time.Parse("1/2/06 15:04", row[4]); err != nil {
		return InvoiceLine{}, fmt.Errorf("column InvoiceDate: %s is not a date M/D/YY H:MM", excerpt(row[4]))
	}
	if line.Price, err = ParseAmount(row[5]); err != nil {
		return InvoiceLine{}, fmt.Errorf("column UnitPrice: %w", err)
	}
	return line, nil
}

func (l InvoiceLine) checkTexts() error {
	digits := strings.TrimLeftFunc(l.Invoice, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	switch {
	case l.Invoice == "":
		return errors.New("column InvoiceNo is empty")
	case len(l.Invoice)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > maxDigits:
		return fmt.Errorf("column InvoiceNo: %s is not a number, or a letter and a number", excerpt(l.Invoice))
	case l.StockCode == "":
		return errors.New("column StockCode is empty")
	case !isCode(l.StockCode):
		return fmt.Errorf("column StockCode: %s is not a code", excerpt(l.StockCode))
	case !isCode(l.Customer):
		return fmt.Errorf("column CustomerID: %s is not a code", excerpt(l.Customer))
	}
	return nil
}

// maxID keeps ids far below the limits of DynamoDB's keys.
const maxID = 100

func isCode(text string) bool {
	return len(text) <= maxID && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// excerpt quotes the beginning of a text, so that an error stays one short line whatever the file holds.
func excerpt(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%q…", text[:40])
	}
	return strconv.Quote(text)
}
