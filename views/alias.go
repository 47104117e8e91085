package views

import (
	"context"
	"errors"
	"fmt"

	"github.com/insideout-go/insideout/table"
)

// Alias is the name under which readers find the table that a view is in at present: one row, which is switched from one
// table to another in one conditional write. It is safe for concurrent use.
type Alias struct {
	db   *table.DB
	name string
}

type aliasRow struct {
	ID    string `dynamo:"id"`
	Table string `dynamo:"table"`
}

var aliasRows = table.DefineNode("alias", func(r *aliasRow, d *table.Def[aliasRow]) { d.ID(&r.ID) })

// NewAlias returns the alias of a view. Its row lies in db, which is neither the blue nor the green table but one that stays: its
// partition key is the name, its sort key "alias". The first Switch makes it.
func NewAlias(db *table.DB, name string) (*Alias, error) {
	if db == nil || name == "" {
		return nil, errors.New("views: an alias needs a table and a name")
	}
	return &Alias{db, name}, nil
}

// Table returns the name of the table that readers are to read, "" before the first Switch. It costs one consistent read; readers may
// keep it for as long as the table that they switched from is still fed.
func (a *Alias) Table(ctx context.Context) (string, error) {
	row, err := aliasRows.Get(ctx, a.db, a.name)
	if errors.Is(err, table.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("views: the alias %q: %w", a.name, err)
	}
	return row.Table, nil
}

// Switch makes the alias stand for the table to instead of the table from, which is "" the first time. It is one conditional write, and
// done already where the alias stands for to: a job that was killed may call it again. Where the alias stands for
// neither, someone else has switched it meanwhile, and it fails with [table.ErrConflict]. Switch(ctx, to, from) switches back.
func (a *Alias) Switch(ctx context.Context, from, to string) error {
	if to == "" || from == to {
		return fmt.Errorf("views: the alias %q cannot be switched from the table %q to %q", a.name, from, to)
	}
	next := aliasRow{ID: a.name, Table: to}
	var err error
	if from == "" {
		err = aliasRows.Create(ctx, a.db, next)
	} else {
		err = aliasRows.Save(ctx, a.db, next, table.If(table.Eq(&aliasRows.F.Table, from)))
	}
	if err == nil {
		return nil
	}
	now, readErr := a.Table(ctx)
	switch {
	case readErr == nil && now == to:
		return nil
	case readErr == nil && now != from:
		return fmt.Errorf("views: the alias %q stands for the table %q, and neither for %q nor for %q: %w", a.name, now, from, to, errors.Join(table.ErrConflict, err))
	}
	return fmt.Errorf("views: the alias %q: %w", a.name, err)
}
