package wire

import "net/http"

// Head is what the protocol looks at of the head of a request.
type Head struct {
	Method, Path, Query, Host, ContentType, Target, Authorization string
	Dated                                                         bool
	Length                                                        int64
}

func (q request) head() Head {
	return Head{q.method, q.path, q.query, q.host, q.contentType, q.target, q.authorization, q.dated, q.length}
}

// ParseHead reads the usual head.
func ParseHead(text string) (Head, bool) {
	q, ok := parseHead(text)
	return q.head(), ok
}

// ReceivedHead is that of a request that net/http has read.
func ReceivedHead(r *http.Request) Head {
	q := received(r)
	return q.head()
}
