package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/insideout-go/insideout"
	"github.com/insideout-go/insideout/cdc/lake"
	"github.com/insideout-go/insideout/gdpr"
)

// eraseCustomers runs the erase job for customers, on both services, the keys and the lake.
func eraseCustomers(ctx context.Context, e *engine, events *lake.Lake, customers []string) ([]gdpr.Receipt, error) {
	places := []gdpr.Place{
		gdpr.Table("orders", e.orders, []gdpr.Model{Orders, Lines, Buyers, Imports}, nil),
		gdpr.Table("customers", e.customers, []gdpr.Model{Customers, Purchases}, nil),
		gdpr.Keys("keys", e.secrets.sealer),
	}
	if events != nil {
		places = append(places, gdpr.Lake("lake", events, &gdpr.LakeOptions{Subjects: people}))
	}
	controller, err := gdpr.New(e.erasures, places, &gdpr.Options{Signer: e.secrets.signer, Suppression: e.suppression})
	if err != nil {
		return nil, err
	}
	var receipts []gdpr.Receipt
	for _, customer := range customers {
		plan, err := controller.Plan(ctx, customer)
		if err != nil {
			return receipts, err
		}
		receipt, err := controller.Erase(ctx, plan, "the flag -erase")
		if err != nil {
			return receipts, err
		}
		receipts = append(receipts, receipt)
	}
	return receipts, nil
}

// people are the customers whom a fact is about.
func people(e insideout.Event) ([]string, error) {
	if !strings.HasPrefix(e.Type, "order-") {
		return []string{e.PartitionKey}, nil
	}
	order, err := insideout.Body[struct {
		CustomerID string `json:"customerId"`
	}](e, "order")
	return []string{order.CustomerID}, err
}

// setErase reads the list of customers of the flag.
func (o *options) setErase(text string) error {
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id == "" {
			return errors.New("an id is empty; give ID[,ID…]")
		}
		o.erase = append(o.erase, id)
	}
	return nil
}

// receiptLines are the receipts as the summary has them: each as the bytes that verify.
func receiptLines(receipts []gdpr.Receipt) ([]json.RawMessage, error) {
	list := []json.RawMessage{}
	for _, r := range receipts {
		text, err := r.Bytes()
		if err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, nil
}
