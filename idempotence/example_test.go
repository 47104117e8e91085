package idempotence_test

import (
	"fmt"
	"time"

	"github.com/insideout-go/insideout/idempotence"
)

func ExampleNewVersion() {
	first, _ := idempotence.NewVersion(time.UnixMilli(1700000000123), "4bb1b7a3")
	second, err := idempotence.NewVersion(time.UnixMilli(1700000000123), "5cc2c8b4")
	fmt.Println(first, err)
	fmt.Println(first < second, max(first, second) == second)

	_, err = idempotence.NewVersion(time.Time{}, "4bb1b7a3")
	fmt.Println(err)
	// Output:
	// 1700000000123#4bb1b7a3 <nil>
	// true true
	// idempotence: no version: time 0001-01-01T00:00:00Z of event "4bb1b7a3" is before 1970
}

func ExampleID() {
	fmt.Println(idempotence.ID("fault", "e-1", "m1"))
	fmt.Println(idempotence.ID("fault", "e-1m1"))
	// Output:
	// 6e358a0d-dbb1-5e93-aadb-fe2e44cdfd12
	// 49daf519-2d6a-5177-a752-a7cbe6930ed2
}

func ExampleClassify() {
	stored := idempotence.Version("1700000000123#4bb1b7a3")
	fmt.Println(idempotence.Classify(stored, "1700000000124#0a"))
	fmt.Println(idempotence.Classify(stored, stored))
	fmt.Println(idempotence.Classify(stored, "1700000000122#ff"))
	// Output:
	// applied
	// duplicate
	// stale
}

func ExampleLockCondition() {
	lane := idempotence.Lane("totals")
	fmt.Println(idempotence.LockCondition("#v", ":v"), "with #v =", lane.VersionAttribute())
	// Output:
	// attribute_not_exists(#v) OR #v < :v with #v = _v_totals
}
