//go:build !unix

package cpu

import "time"

// Used is the clock where nothing else is to be had.
func Used() time.Duration { return time.Duration(time.Now().UnixNano()) }
