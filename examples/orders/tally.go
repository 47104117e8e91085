package main

// Tally is what the file holds, counted while it is read.
type Tally struct {
	lines, rejected int
	rejects         []Reject
	invoices        map[string]*invoiceSeen
	customers       map[string]struct{}
}

// invoiceSeen is what is known of an invoice whose lines may come in several places of the file.
type invoiceSeen struct {
	lines    int
	customer string
}

// maxRejects bounds the list in the summary; the count goes on.
const maxRejects = 10_000

func newTally() *Tally {
	return &Tally{invoices: map[string]*invoiceSeen{}, customers: map[string]struct{}{}}
}

// accept counts an accepted line and returns its number within its invoice, from 1, and the invoice's customer: the first
// that any of its lines names.
func (t *Tally) accept(line InvoiceLine) (number int, customer string) {
	seen := t.invoices[line.Invoice]
	if seen == nil {
		seen = &invoiceSeen{}
		t.invoices[line.Invoice] = seen
	}
	seen.lines++
	if seen.customer == "" {
		seen.customer = line.Customer
	}
	if line.Customer != "" {
		t.customers[line.Customer] = struct{}{}
	}
	return seen.lines, seen.customer
}

func (t *Tally) reject(r Reject) {
	t.rejected++
	if len(t.rejects) < maxRejects {
		t.rejects = append(t.rejects, r)
	}
}

// fill writes the counts into the summary.
func (t *Tally) fill(s *Summary) {
	s.LinesRead, s.LinesRejected, s.Rejects, s.Customers = t.lines, t.rejected, t.rejects, len(t.customers)
	for number, seen := range t.invoices {
		if number[0] == 'C' {
			s.Credits++
		} else {
			s.Invoices++
		}
		if seen.customer == "" {
			s.Guests++
		}
	}
}
