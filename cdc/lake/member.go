package lake

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
)

// member is one batch of a file, checked and decompressed.
type member struct {
	data []byte // valid until the next one is read
	end  int64  // where it ends in the file
}

// members reads the batches of a file one after another. It ends before a batch that is torn, as one is while it is written
// or after a crash. Any other damage is an error, the last element.
func members(file *os.File, name string) iter.Seq2[member, error] {
	return func(yield func(member, error) bool) {
		src := &counter{r: bufio.NewReaderSize(nil, 64<<10)}
		src.moveTo(file, 0)
		var unpacker gzip.Reader
		var plain bytes.Buffer
		for {
			start := src.n
			err := unpack(&plain, &unpacker, src)
			if err == io.EOF {
				return
			}
			if err != nil {
				whole, err := again(&plain, file, name, start, err)
				if err != nil {
					yield(member{}, err)
				}
				if whole == 0 {
					return
				}
				src.moveTo(file, start+whole)
			}
			if !yield(member{plain.Bytes(), src.n}, nil) {
				return
			}
		}
	}
}

// unpack reads one gzip member whole, checksum and length included. It returns [io.EOF] if there is none.
func unpack(dst *bytes.Buffer, unpacker *gzip.Reader, src *counter) error {
	if _, err := src.r.Peek(1); err != nil {
		return err
	}
	if err := unpacker.Reset(src); err != nil {
		return noEOF(err)
	}
	unpacker.Multistream(false)
	dst.Reset()
	n, err := io.Copy(dst, io.LimitReader(unpacker, maxBatch+1))
	if err != nil {
		return noEOF(err)
	}
	if n > maxBatch {
		return errors.New("a batch is too long")
	}
	return nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// again looks at the rest of a file, from start on, after a batch did not unpack. It returns the length of the batch if it
// is whole by now, since a writer may have been at work; 0 if the file ends with a torn batch; and otherwise an error.
//
// A torn batch is one that misses its end, or nothing but zeros, which some file systems leave after a power failure. Where
// a whole batch follows, the batch cannot be torn, whatever the decompressor says about it.
func again(dst *bytes.Buffer, file *os.File, name string, start int64, cause error) (int64, error) {
	rest, err := io.ReadAll(io.NewSectionReader(file, start, math.MaxInt64-start))
	if err != nil {
		return 0, fmt.Errorf("lake: %w", err)
	}
	src := &counter{r: bufio.NewReader(bytes.NewReader(rest))}
	switch err := unpack(dst, new(gzip.Reader), src); {
	case err == nil:
		return src.n, nil
	case err == io.EOF:
		return 0, nil
	}
	zeros := len(bytes.Trim(rest, "\x00")) == 0
	if (errors.Is(cause, io.ErrUnexpectedEOF) || zeros) && !hasMember(rest) {
		return 0, nil
	}
	return 0, fmt.Errorf("%w: file %q, at byte %d: %w", ErrDamaged, name, start, cause)
}

// hasMember reports whether a whole gzip member starts somewhere after the first byte.
func hasMember(data []byte) bool {
	magic := []byte{0x1f, 0x8b, 8, 0}
	var unpacker gzip.Reader
	var plain bytes.Buffer
	for at := 1; at < len(data); at++ {
		next := bytes.Index(data[at:], magic)
		if next < 0 {
			return false
		}
		at += next
		src := &counter{r: bufio.NewReader(bytes.NewReader(data[at:]))}
		if unpack(&plain, &unpacker, src) == nil {
			return true
		}
	}
	return false
}

// wholeBytes returns the length of the whole batches at the start of a file, and the length of the file.
func wholeBytes(file *os.File, name string) (whole, size int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, fmt.Errorf("lake: %w", err)
	}
	for m, err := range members(file, name) {
		if err != nil {
			return 0, 0, err
		}
		whole = m.end
	}
	return whole, info.Size(), nil
}

// counter counts the bytes that the decompressor takes, which ends exactly with each member since it reads byte by byte.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) moveTo(file *os.File, at int64) {
	c.r.Reset(io.NewSectionReader(file, at, math.MaxInt64-at))
	c.n = at
}

// Read takes what is there.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// ReadByte makes the decompressor read no further than it needs.
func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}
