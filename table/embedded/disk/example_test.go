package disk_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/insideout-go/insideout/table/embedded/disk"
)

// A folder is open once; closing the database frees it.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	db, err := disk.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = disk.Open(dir, nil)
	fmt.Println("in use:", errors.Is(err, disk.ErrLocked))

	out, err := db.ListTables(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("tables:", len(out.TableNames))
	if err := db.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// in use: true
	// tables: 0
}
