package insideout

import "context"

// SealedRows is what a reseal walks: the rows of a table with their sealed fields. It is met by table's DB.Sealed, and walked by the Reseal of
// crypto's Sealer.
type SealedRows interface {
	// Page is some of the rows behind a cursor, "" being the start, and the cursor behind them, "" being the end.
	Page(ctx context.Context, cursor string) (rows []SealedRow, next string, err error)
	// Replace stores the new Ciphertexts of a row, if the row still has those, and the plain texts, that Page read. It reports false if it has
	// not. Row has all of its fields, in the order of Page. Several rows are replaced at a time.
	Replace(ctx context.Context, row SealedRow) (bool, error)
}

// SealedRow is a row with its sealed fields. A field has its Origin and Ciphertext; or Plaintext and no Ciphertext, where it was stored in plain
// text before the model sealed it; or Err, where it cannot be resealed; or none of them, where it has to wait for another run.
type SealedRow struct {
	Key    any // the walker's own
	Fields []SealedField
}
