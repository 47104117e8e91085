package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/insideout-go/insideout/table/embedded"
	"github.com/insideout-go/insideout/table/embedded/disk"
	"github.com/insideout-go/insideout/table/embedded/local"
)

// settings are the flags of serve.
type settings struct {
	addr, dir               string
	unsafeBind, log, noSync bool
}

func parseServe(args []string, output io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("insideout serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8000", "listen on this `address`; port 0 takes a free one")
	flags.StringVar(&s.dir, "dir", "", "keep the data in this `folder`, which is made if need be; without it, in memory until the end")
	flags.BoolVar(&s.unsafeBind, "unsafe-bind", false, "allow an address that other machines can reach; whoever reaches it may read and change everything, since nobody is authenticated")
	flags.BoolVar(&s.log, "log", false, "log each request to standard error")
	flags.BoolVar(&s.noSync, "nosync", false, "answer writes before they are on the disk: faster, but a crash takes the last ones with it; only with -dir")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(output, "Usage: insideout serve [FLAG…]\n\nServes DynamoDB and DynamoDB Streams over HTTP, for development, tests and small deployments.\n\nFlags:")
		flags.SetOutput(output)
		flags.PrintDefaults()
		return s, err
	case err != nil:
		return s, fmt.Errorf("%w; insideout serve -h lists the flags", err)
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q; insideout serve -h lists the flags", flags.Arg(0))
	case s.noSync && s.dir == "":
		return s, errors.New("-nosync needs -dir: in memory nothing is on the disk")
	default:
		return s, nil
	}
}

// serve runs an endpoint until ctx ends.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	const name = "insideout serve"
	s, err := parseServe(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return refuse(stderr, name, err)
	}
	listener, err := listen(s)
	if err != nil {
		return refuse(stderr, name, err)
	}
	defer listener.Close()
	logger := newLogger(s.log, stderr)
	db, err := open(s, logger)
	if err != nil {
		return refuse(stderr, name, err)
	}
	defer runtime.KeepAlive(ballast())
	go forgetStart()
	announce(stdout, endpoint(listener.Addr()), s)
	err = errors.Join(db.Serve(ctx, listener), db.Close())
	if err != nil {
		fmt.Fprintln(stderr, name+": "+oneLine(err))
		return exitFailed
	}
	return exitOK
}

// ballast is memory that is never touched, and so never taken from the machine. As long as it is kept, the garbage
// collector waits for some dozens of megabytes: a small server would collect a hundred times a second, and a request that
// meets that waits. A large one hardly notices. It comes in pieces, for one that begins in memory that was used before is
// cleared, and so touched, to its end. Whoever sets GOGC or GOMEMLIMIT decides.
func ballast() [][]byte {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	pieces := make([][]byte, 32)
	for i := range pieces {
		pieces[i] = make([]byte, 1<<20)
	}
	return pieces
}

func newLogger(requests bool, w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if requests {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// listen opens the port, on loopback only unless the user insists.
func listen(s settings) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		return nil, fmt.Errorf("-addr %q is no address such as 127.0.0.1:8000: %w", s.addr, err)
	}
	if err := reachable(s, addr.IP); err != nil {
		return nil, err
	}
	listener, err := net.ListenTCP("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("-addr %q: the port is in use by another program", s.addr)
	case err != nil:
		return nil, fmt.Errorf("-addr %q: %w", s.addr, err)
	default:
		return listener, nil
	}
}

// reachable refuses an address that others than this machine can reach.
func reachable(s settings, ip net.IP) error {
	if s.unsafeBind || ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-addr %q can be reached from other machines, and nobody is authenticated; -unsafe-bind allows it", s.addr)
}

func open(s settings, logger *slog.Logger) (*embedded.DB, error) {
	opts := &embedded.Options{Logger: logger, NoSync: s.noSync}
	if s.dir == "" {
		return embedded.New(opts), nil
	}
	return disk.Open(s.dir, opts)
}

// endpoint is the URL for clients on this machine.
func endpoint(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

// announce says where the endpoint is and how to point clients at it.
func announce(w io.Writer, url string, s settings) {
	where := "in memory, until it ends"
	if s.dir != "" {
		where = "in " + s.dir
	}
	fmt.Fprintf(w, `DynamoDB at %[1]s, data %[2]s

For any AWS SDK and the AWS CLI:
  export AWS_ENDPOINT_URL_DYNAMODB=%[1]s
  export AWS_ENDPOINT_URL_DYNAMODB_STREAMS=%[1]s
  export AWS_REGION=%[3]s AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  aws dynamodb list-tables

In Go: local.Clients(%[4]q), package table/embedded/local

Ctrl-C stops it.
`, url, where, local.Region, url)
}
