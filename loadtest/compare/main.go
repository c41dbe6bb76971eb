package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("say what: run, client, list")
	}
	switch args[0] {
	case "list":
		for _, t := range targets() {
			more := ""
			if t.more {
				more = " (with -servers only)"
			}
			fmt.Fprintf(out, "%-16s %s%s\n", t.name, t.what, more)
		}
		return nil
	case "client":
		return runClient(ctx, args[1:], out)
	case "run":
		return runTable(ctx, args[1:], out)
	}
	return fmt.Errorf("unknown subcommand %q", args[0])
}

func runClient(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("client", flag.ContinueOnError)
	o := clientOptions{}
	protocol := fs.String("protocol", "query", "how to subscribe: query, swapcast, centrifuge, nats")
	fs.StringVar(&o.addr, "addr", "127.0.0.1:8080", "host:port of the server")
	fs.IntVar(&o.conns, "conns", 100, "connections")
	fs.IntVar(&o.tokens, "tokens", 1, "tokens that exist")
	fs.IntVar(&o.each, "each", 1, "tokens that each connection subscribes to")
	fs.IntVar(&o.loops, "loops", 1, "epoll loops, one thread each")
	fs.IntVar(&o.pid, "pid", 0, "server process whose CPU is read")
	fs.StringVar(&o.query, "query", "", "query string for swapcast, such as window_ms=100&batch=1")
	warm := fs.Duration("warm", 2*time.Second, "time before the window")
	window := fs.Duration("window", 10*time.Second, "measured time")
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.protocol = protocolName(*protocol)
	c, err := dial(ctx, o)
	if err != nil {
		return err
	}
	defer c.close()
	r, err := c.measure(ctx, *warm, *window)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

func split(list string) []string {
	var names []string
	for n := range strings.SplitSeq(list, ",") {
		if n = strings.TrimSpace(n); n != "" {
			names = append(names, n)
		}
	}
	return names
}
