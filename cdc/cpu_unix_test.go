//go:build unix

package cdc_test

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used of the processors: a measure that other programs on the machine disturb less than the clock.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
