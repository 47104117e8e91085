package table

// EncodeRow is the row of a value as DB.Batch puts it, without the library's stamps: what a benchmark compares with other encoders.
func EncodeRow[T any](n *Node[T], v *T) (Item, error) {
	s := hold(n.m, v)
	defer s.giveBack()
	key, err := n.m.keyOf(s)
	if err != nil {
		return nil, err
	}
	r := n.m.newRow(writeSave, &n.m.command, key)
	defer r.release()
	if err := r.fillFrom(s); err != nil {
		return nil, err
	}
	return r.item(), nil
}
