package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/table"
)

// Import is how far a file has been stored: a note of the orders service's own, written after each batch. A run that was stopped
// at any moment goes on from here, if the file still begins with the same bytes.
type Import struct {
	File   string `dynamo:"file" gdpr:"none"`
	Offset int64  `dynamo:"offset" gdpr:"none"`
	Digest string `dynamo:"digest" gdpr:"none"` // SHA-256 of the first Offset bytes
}

// Imports is the model of the notes.
var Imports = table.DefineNode("import", func(i *Import, d *table.Def[Import]) {
	d.ID(&i.File)
})

// batchLines is how many lines are stored together. A batch ends with its last invoice, unless that is longer than ten batches.
const batchLines = 500

// piece is how many lines are stored together where orders come in pieces.
const piece = 30

// batch is what is stored together.
type batch struct {
	lines     []Line
	orders    []Order
	countries map[string]string // by customer
}

func (b *batch) add(line InvoiceLine, number int, customer string) {
	b.lines = append(b.lines, Line{
		OrderID: line.Invoice, No: number, StockCode: line.StockCode, Description: line.Description,
		Quantity: line.Quantity, Price: line.Price,
	})
	at := slices.IndexFunc(b.orders, func(o Order) bool { return o.ID == line.Invoice })
	if at < 0 {
		b.orders = append(b.orders, Order{ID: line.Invoice, Credit: line.Credit(), PlacedAt: line.At})
		at = len(b.orders) - 1
	}
	b.orders[at].CustomerID = customer
	if b.countries == nil {
		b.countries = map[string]string{}
	}
	if customer != "" && b.countries[customer] == "" {
		b.countries[customer] = line.Country
	}
}

// buyers are the customers of the batch's orders, each once.
func (b *batch) buyers() []Buyer {
	var buyers []Buyer
	for _, o := range b.orders {
		known := slices.ContainsFunc(buyers, func(b Buyer) bool { return b.ID == o.CustomerID })
		if o.CustomerID != "" && !known {
			buyers = append(buyers, Buyer{
				ID: o.CustomerID, RegisteredAt: o.PlacedAt,
				Email: insideout.Seal(o.CustomerID + "@example.com"), Country: insideout.Seal(b.countries[o.CustomerID]),
			})
		}
	}
	return buyers
}

// endsBefore says whether the batch is full when a line of this invoice comes next.
func (b *batch) endsBefore(invoice string) bool {
	return len(b.lines) >= batchLines &&
		(b.orders[len(b.orders)-1].ID != invoice || len(b.lines) >= 10*batchLines)
}

// importer reads a file and stores its invoices.
type importer struct {
	db       *table.DB
	name     string // of the note; empty: none is kept, as for standard input
	tally    *Tally
	progress *progress
	inPieces bool // batches end within invoices, so that orders change after they were placed
	resumed  int  // lines that an earlier run has stored

	next   batch
	offset int64     // bytes whose lines are stored or in next
	digest hash.Hash // of these bytes
}

// run stores all lines of in, from where an earlier run with the same data stopped.
func (im *importer) run(ctx context.Context, in io.Reader) error {
	stored, err := im.stored(ctx, in)
	if err != nil {
		return err
	}
	im.digest = sha256.New()
	invoices, err := NewInvoices(in)
	for err == nil {
		im.consumed(invoices.Raw())
		if err = ctx.Err(); err == nil {
			err = im.line(ctx, invoices, stored)
		}
	}
	if errors.Is(err, io.EOF) {
		return im.flush(ctx)
	}
	return err
}

// line takes one line. Its bytes are consumed only afterwards, so that a batch that ends before the line does not cover it.
func (im *importer) line(ctx context.Context, invoices *Invoices, stored int64) error {
	line, reject, err := invoices.Next()
	if err != nil {
		return err
	}
	im.tally.lines++
	im.progress.lines.Add(1)
	if reject != nil {
		im.tally.reject(*reject)
		return nil
	}
	number, customer := im.tally.accept(line)
	if im.offset+int64(len(invoices.Raw())) <= stored {
		im.resumed++
		return nil
	}
	if im.next.endsBefore(line.Invoice) || im.inPieces && len(im.next.lines) >= piece {
		if err := im.flush(ctx); err != nil {
			return err
		}
	}
	im.next.add(line, number, customer)
	return nil
}

func (im *importer) consumed(raw []byte) {
	im.offset += int64(len(raw))
	im.digest.Write(raw)
}

// flush stores the batch, and then the note that says so.
func (im *importer) flush(ctx context.Context) error {
	if len(im.next.lines) == 0 {
		return nil
	}
	if err := placeOrders(ctx, im.db, im.next); err != nil {
		return err
	}
	im.next = batch{}
	if im.name == "" {
		return nil
	}
	return Imports.Save(ctx, im.db, Import{File: im.name, Offset: im.offset, Digest: hex.EncodeToString(im.digest.Sum(nil))})
}

// stored returns how many bytes of the file an earlier run has stored: none if the file cannot be read twice or has changed.
func (im *importer) stored(ctx context.Context, in io.Reader) (int64, error) {
	file, seekable := in.(io.ReadSeeker)
	if im.name == "" || !seekable {
		return 0, nil
	}
	note, err := Imports.Get(ctx, im.db, im.name)
	if errors.Is(err, table.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	digest := sha256.New()
	if _, err := io.CopyN(digest, file, note.Offset); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if hex.EncodeToString(digest.Sum(nil)) != note.Digest {
		return 0, nil
	}
	return note.Offset, nil
}
