// Package cpu measures for benchmarks: other programs on the machine disturb the processors' time less than the clock.
package cpu
