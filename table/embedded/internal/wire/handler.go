package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxBody is the largest request: 16 MB of items, as text.
	maxBody = 24 << 20
	// keptBuffer is the largest buffer that is kept for the next request.
	keptBuffer = 256 << 10
	// firstRead bounds what a request gets on its mere word for its length.
	firstRead = 64 << 10

	jsonType = "application/json"
)

// Options of a handler.
type Options struct {
	// Region is the one that the health check names. Default: us-east-1.
	Region string
	// Logger gets a record of each request at debug level, and of each
	// internal error. Default: none is written.
	Logger *slog.Logger
}

// Handler serves both protocols. It is safe for concurrent use.
type Handler struct {
	region string
	log    *slog.Logger
	ops    map[string]operation
	spare  sync.Pool // of *exchange
}

// New serves api.
func New(api API, opts *Options) *Handler {
	if opts == nil {
		opts = &Options{}
	}
	h := &Handler{
		region: cmp.Or(opts.Region, "us-east-1"),
		log:    cmp.Or(opts.Logger, slog.New(slog.DiscardHandler)),
		ops:    operations(api),
	}
	h.spare.New = func() any { return new(exchange) }
	return h
}

// exchange is the memory of one request and its answer, which is used again.
type exchange struct {
	encoder
	in []byte
}

// request is what the protocol looks at of an HTTP request, whoever has read it.
type request struct {
	method, path, query string
	host, contentType   string
	target              string // the operation
	authorization       string
	dated               bool // the head has a date

	length int64     // of the body; -1: unknown
	body   io.Reader // nil: text has been read
	text   string
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.spare.Get().(*exchange)
	defer h.release(x)
	q := received(r)
	rep := h.answer(r.Context(), &q, x)
	rep.send(w, x.buf)
}

// received is a request that net/http has read.
func received(r *http.Request) request {
	return request{
		method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, host: r.Host,
		contentType: r.Header.Get("Content-Type"), target: r.Header.Get("X-Amz-Target"), authorization: r.Header.Get("Authorization"),
		dated: r.Header.Get("X-Amz-Date") != "" || r.Header.Get("Date") != "", length: r.ContentLength, body: r.Body,
	}
}

// answer leaves the body of the answer in x.
func (h *Handler) answer(ctx context.Context, q *request, x *exchange) reply {
	start := time.Now()
	x.reset()
	rep := reply{id: requestID(), contentType: jsonType, status: http.StatusOK}
	switch {
	case q.method == http.MethodGet && q.path == "/":
		rep.contentType = "text/plain"
		x.buf = append(x.buf, "healthy: dynamodb."+h.region+".amazonaws.com "...)
	case !accepts(q, &rep):
		rep.notFound(&x.encoder)
	default:
		h.operate(ctx, q, x, &rep)
	}
	if h.log.Enabled(ctx, slog.LevelDebug) {
		h.log.DebugContext(ctx, "request", "method", q.method, "target", rep.target, "status", rep.status,
			"error", rep.code, "bytes", len(x.buf), "elapsed", time.Since(start), "request_id", rep.id)
	}
	return rep
}

func (h *Handler) release(x *exchange) {
	if cap(x.buf) <= keptBuffer && cap(x.in) <= keptBuffer {
		h.spare.Put(x)
	}
}

// accepts reports whether this is a request of the protocol, and sets the
// content type of its answer. A request without a body needs no content type.
func accepts(q *request, rep *reply) bool {
	if q.method != http.MethodPost || q.path != "/" {
		return false
	}
	contentType, _, _ := strings.Cut(q.contentType, ";")
	switch contentType = strings.TrimSpace(contentType); contentType {
	case "application/x-amz-json-1.0", "application/x-amz-json-1.1", jsonType:
		rep.contentType = contentType
		return true
	default:
		return q.length == 0
	}
}

// operate runs the operation that the request names, and writes its answer or
// its error into x.
func (h *Handler) operate(ctx context.Context, q *request, x *exchange, rep *reply) {
	f := h.perform(ctx, q, x, rep)
	if f == nil {
		return
	}
	x.reset()
	f.encode(&x.encoder)
	rep.status, rep.code = f.status, f.code
}

func (h *Handler) perform(ctx context.Context, q *request, x *exchange, rep *reply) (f *fault) {
	defer func() {
		if p := recover(); p != nil {
			h.log.ErrorContext(ctx, "panic", "target", rep.target, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			f, _ = internalFault(nil)
		}
	}()
	body, f := x.read(q)
	if f != nil {
		rep.close = true
		return f
	}
	op, ok := h.ops[q.target]
	if !ok {
		return unknown(body)
	}
	rep.target = q.target
	if f := authenticate(q); f != nil {
		return f
	}
	if q.target == endpointsTarget {
		ctx = context.WithValue(ctx, hostKey{}, q.host)
	}
	err := op(ctx, body, &x.encoder)
	if err == nil {
		return nil
	}
	f, known := asFault(err)
	if !known {
		h.log.ErrorContext(ctx, "internal error", "target", q.target, "error", err)
	}
	return f
}

// unknown answers a request without a valid target. DynamoDB parses the body
// first.
func unknown(body string) *fault {
	d := &decoder{src: body}
	if body != "" && (d.skip() != nil || d.end() != nil) {
		return &fault{status: http.StatusBadRequest, code: serializationCode}
	}
	return &fault{status: http.StatusBadRequest, code: unknownOpCode}
}

// read reads the whole body. It takes no more memory than twice what the client
// has really sent, whatever length it announces.
func (x *exchange) read(q *request) (string, *fault) {
	if q.body == nil {
		return q.text, nil
	}
	x.in = slices.Grow(x.in[:0], int(min(max(q.length, 0), firstRead))+1)
	for q.length <= maxBody && len(x.in) <= maxBody {
		n, err := q.body.Read(x.in[len(x.in):cap(x.in)])
		x.in = x.in[:len(x.in)+n]
		switch {
		case errors.Is(err, io.EOF) && int64(len(x.in)) >= q.length:
			return string(x.in), nil
		case err != nil:
			return "", &fault{status: http.StatusBadRequest, code: serializationCode}
		case len(x.in) == cap(x.in):
			x.in = slices.Grow(x.in, len(x.in))
		}
	}
	return "", &fault{
		status: http.StatusRequestEntityTooLarge, code: "RequestEntityTooLargeException",
		message: "Request size exceeded the limit of " + strconv.Itoa(maxBody) + " bytes",
	}
}

// reply is what goes into the answer beside its body.
type reply struct {
	id, contentType string
	status          int
	// target and code go into the log.
	target, code string
	// close ends the connection: the rest of the request is not wanted.
	close bool
}

func (rep *reply) notFound(e *encoder) {
	rep.status, rep.code, rep.contentType = http.StatusNotFound, unknownOpCode, "text/xml"
	e.buf = append(e.buf, "<UnknownOperationException/>\n"...)
}

// send writes the answer by way of net/http. The headers are set under Go's canonical spelling, which spares the work of
// finding it.
func (rep *reply) send(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"] = []string{rep.contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	h["X-Amzn-Requestid"] = []string{rep.id}
	h["X-Amz-Crc32"] = []string{strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)}
	if rep.close {
		h["Connection"] = []string{"close"}
	}
	w.WriteHeader(rep.status)
	// An error here is a client that has gone: nobody is left to tell.
	_, _ = w.Write(body)
}

// head appends the same answer's status and headers.
func (rep *reply) head(out, body []byte) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(rep.status), 10)
	out = append(append(out, ' '), http.StatusText(rep.status)...)
	out = append(append(out, "\r\nContent-Type: "...), rep.contentType...)
	out = strconv.AppendInt(append(out, "\r\nContent-Length: "...), int64(len(body)), 10)
	out = append(append(out, "\r\nX-Amzn-Requestid: "...), rep.id...)
	out = strconv.AppendUint(append(out, "\r\nX-Amz-Crc32: "...), uint64(crc32.ChecksumIEEE(body)), 10)
	out = time.Now().UTC().AppendFormat(append(out, "\r\nDate: "...), http.TimeFormat)
	if rep.close {
		out = append(out, "\r\nConnection: close"...)
	}
	return append(out, "\r\n\r\n"...)
}

// requestID is 52 digits and capital letters, as DynamoDB's.
func requestID() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
	var id [52]byte
	for i := 0; i < len(id); {
		for bits, n := rand.Uint64(), 0; n < 12 && i < len(id); n++ {
			id[i] = digits[bits&31]
			bits >>= 5
			i++
		}
	}
	return string(id[:])
}
