package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attrSchema is the attribute of a row's schema version. Rows without it are of version 0.
const attrSchema = "_sv"

// Upgrades makes rows of older versions of the model readable: the first function turns a row of version 0, which is every row from before
// there were any, into one of version 1, the second one that into version 2, and so on. The version of the model is their number: add
// functions at the end, and take none away while there are rows that need them.
//
// A function gets the attributes of a row, and may set and delete them; it must not change values in place. Reads upgrade in memory; Save, Create and Upsert store the
// new version; Update first saves a row of an older version in the new one. Filters, conditions and index keys see what is stored. A row of a version that this program does not know
// is an error (ErrUnknownRow) for whoever reads or updates it, so let readers have a new version before writers. A model with lanes, of which each is written by
// itself, has no versions: rebuild such a view.
func (d *def) Upgrades(steps ...func(row Item) error) {
	for i, step := range steps {
		if step == nil {
			d.d.fault("", fmt.Sprintf("Upgrades: function %d is nil", i), "func(row table.Item) error")
		}
	}
	if len(steps) == 0 || len(d.d.upgrades) > 0 {
		d.d.fault("", "Upgrades: it is called twice, or without functions", "name all functions in one call")
	}
	d.d.upgrades = append(d.d.upgrades, steps...)
}

// schema is the version of the model as it is stored.
func (m *model) schema() types.AttributeValue { return number(int64(len(m.upgrades))) }

// schemaOf is the schema version of a row.
func schemaOf(item Item) (int, error) {
	switch av := item[attrSchema].(type) {
	case nil:
		return 0, nil
	case *types.AttributeValueMemberN:
		if n, err := strconv.Atoi(av.Value); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("attribute %q is not the version of a schema", attrSchema)
}

// known checks that the program knows the schema version of a row, and returns it.
func (m *model) known(item Item) (int, error) {
	n, err := schemaOf(item)
	if err == nil && n > len(m.upgrades) {
		err = fmt.Errorf("%w: its schema has version %d, and this program knows %d: let it have the new one", ErrUnknownRow, n, len(m.upgrades))
	}
	return n, err
}

// upgraded is the row in the version of the model. An image of keys alone has none.
func (m *model) upgraded(item Item) (Item, error) {
	if len(m.upgrades) == 0 && item[attrSchema] == nil || len(item) <= len(RowKey{}.Item()) {
		return item, nil
	}
	n, err := m.known(item)
	if err != nil || n == len(m.upgrades) {
		return item, err
	}
	item = maps.Clone(item)
	for ; n < len(m.upgrades); n++ {
		if err := m.upgrades[n](item); err != nil {
			return nil, fmt.Errorf("upgrading the row from version %d: %w", n, err)
		}
	}
	return item, nil
}

// errOutdated: an update met a row of an older version.
var errOutdated = errors.New("table: the row is of an older version")

// outdated says what an update that met the row has to do about its schema version.
func (r *row) outdated(stored Item) error {
	if !r.checksSchema() {
		return nil
	}
	n, err := r.known(stored)
	if err == nil && n < len(r.upgrades) {
		err = errOutdated
	}
	return err
}

// rewrite saves the row that an update met in the version of the model, unless somebody else changes it meanwhile.
func (db *DB) rewrite(ctx context.Context, update *row, stored Item) error {
	m := update.model
	rv := reflect.New(m.goType).Elem()
	if err := m.decodeRow(stored, rv); err != nil {
		return err
	}
	if err := db.openRow(ctx, m, stored, rv); err != nil {
		return err
	}
	r, err := db.commandRow(ctx, m, writeSave, &m.command, keyOfItem(stored), nil)
	if err != nil {
		return err
	}
	if err := r.fill(rv); err != nil {
		return err
	}
	r.expected = storedTimestamp(stored)
	err = db.command(ctx, r)
	if err == nil && update.expected > 0 {
		update.expected = r.now.UnixMilli()
	}
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// checksSchema says whether a write goes through only to a row of the model's version.
func (r *row) checksSchema() bool { return r.kind == writeUpdate && len(r.upgrades) > 0 }

// mendAll does what can be done about the rows that stopped a transaction.
func (db *DB) mendAll(ctx context.Context, acts []act, canceled *types.TransactionCanceledException) error {
	for i, reason := range canceled.CancellationReasons {
		if i >= len(acts) || acts[i].claim != nil || textOr(reason.Code) != "ConditionalCheckFailed" {
			continue
		}
		if _, verdict := acts[i].row.verdict(reason.Item); verdict == errOutdated || verdict == errUnseen {
			if err := db.mend(ctx, acts[i].row, reason.Item, verdict); err != nil {
				return err
			}
		}
	}
	return nil
}
