package wire

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// headEnd is the length of a head at the start of data, with its empty line; 0 if it is not all there.
func headEnd(data []byte) int {
	const end = "\r\n\r\n"
	i := bytes.Index(data, []byte(end))
	if i < 0 {
		return 0
	}
	return i + len(end)
}

// parseHead reads the head of a request as every SDK sends it: POST /, with a length. ok is false for any other, also for one
// that is wrong: that is for net/http, which knows all of HTTP. The strings are parts of head.
func parseHead(head string) (q request, ok bool) {
	rest, ok := strings.CutPrefix(head, "POST / HTTP/1.1\r\n")
	if !ok {
		return q, false
	}
	q = request{method: http.MethodPost, path: "/", length: -1}
	for {
		line, next, _ := strings.Cut(rest, "\r\n")
		if line == "" {
			return q, q.host != "" && q.length >= 0
		}
		name, value, found := strings.Cut(line, ":")
		if !found || !plain(name, value) || !q.header(http.CanonicalHeaderKey(name), strings.Trim(value, " ")) {
			return q, false
		}
		rest = next
	}
}

// plain holds for names of letters, digits and dashes, and values of spaces and visible characters of ASCII.
func plain(name, value string) bool {
	for _, c := range []byte(name) {
		if c != '-' && c-'0' > 9 && c|0x20-'a' > 'z'-'a' {
			return false
		}
	}
	for _, c := range []byte(value) {
		if c-' ' > '~'-' ' {
			return false
		}
	}
	return name != ""
}

// header notes what matters. It refuses what would change how the rest is read, and what comes twice.
func (q *request) header(name, value string) bool {
	switch name {
	case "Host":
		return once(&q.host, value)
	case "Content-Type":
		return once(&q.contentType, value)
	case "X-Amz-Target":
		return once(&q.target, value)
	case "Authorization":
		return once(&q.authorization, value)
	case "X-Amz-Date", "Date":
		q.dated = q.dated || value != ""
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || q.length >= 0 {
			return false
		}
		q.length = int64(n)
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Trailer", "Upgrade", "Expect":
		return false
	}
	return true
}

func once(to *string, value string) bool {
	if *to != "" || value == "" {
		return false
	}
	*to = value
	return true
}
