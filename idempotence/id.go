package idempotence

import (
	"strconv"

	"github.com/google/uuid"
)

// ID derives a UUID (version 5, 36 characters) from a namespace, which says what the id is for, and the parts that
// identify the one thing it stands for. The same arguments give the same id for ever, on every machine.
//
// Different arguments give different ids, also where their concatenations are equal: each is written with its length in
// bytes, as "2:ab,", the namespace first, and the whole is hashed under the UUID
// 9d556ff1-560d-59b9-a47b-dccf79827567, which is version 5 of "https://github.com/insideout-go/insideout" in the
// namespace for URLs.
//
// The id reveals nothing by itself, but whoever can guess the arguments can confirm the guess: it does not hide a person.
func ID(namespace string, parts ...string) string {
	space := uuid.UUID{0x9d, 0x55, 0x6f, 0xf1, 0x56, 0x0d, 0x59, 0xb9, 0xa4, 0x7b, 0xdc, 0xcf, 0x79, 0x82, 0x75, 0x67}
	name := appendPart(nil, namespace)
	for _, part := range parts {
		name = appendPart(name, part)
	}
	return uuid.NewSHA1(space, name).String()
}

func appendPart(dst []byte, part string) []byte {
	dst = strconv.AppendInt(dst, int64(len(part)), 10)
	dst = append(dst, ':')
	dst = append(dst, part...)
	return append(dst, ',')
}
