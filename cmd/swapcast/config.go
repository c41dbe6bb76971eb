package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes of the program.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// environ is what a subcommand may touch of the process.
type environ struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Log            *slog.Logger
}

// usageError is a wrong flag or argument: one line, exit code 2.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return usageError{text: fmt.Sprintf(format, args...)}
}

// commandLine is the whole command line. Every flag can also be given by
// environment: --redis-url is SWAPCAST_REDIS_URL.
type commandLine struct {
	LogFormat string `help:"Form of the log lines on standard error: text or json." enum:"text,json" default:"text" group:"Logging"`
	LogLevel  string `help:"Least level that is logged: debug, info, warn or error." enum:"debug,info,warn,error" default:"info" group:"Logging"`

	Serve       serveCmd       `cmd:"" help:"Serve prices and trades over WebSocket and HTTP, with a page. Without flags it follows the built-in, simulated market."`
	Geyser      geyserCmd      `cmd:"" help:"Be a Yellowstone gRPC server that plays a capture, a folder of transactions, a block or the built-in market."`
	Record      recordCmd      `cmd:"" help:"Write a live Yellowstone stream to a capture file."`
	Parse       parseCmd       `cmd:"" help:"Print the swaps and balance changes of transactions, one JSON object a line."`
	Quote       quoteCmd       `cmd:"" help:"Get one quote for a swap and show what every source said, how it scored and who won."`
	Load        loadCmd        `cmd:"" help:"Load a server with tens of thousands of WebSocket connections and report latency, missing updates, and the server's CPU and memory beside them."`
	LoadWorker  loadWorkerCmd  `cmd:"" hidden:""`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running server whether it is alive or ready; exit 0 if so. Made for container health checks."`
	Version     versionCmd     `cmd:"" help:"Print version, commit and Go version."`
}

// exitRequest carries an exit code out of kong, which would end the process.
type exitRequest int

// run is main with everything it touches passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			request, ok := r.(exitRequest)
			if !ok {
				panic(r)
			}
			code = int(request)
		}
	}()
	var cli commandLine
	parser, err := kong.New(&cli,
		kong.Name("swapcast"),
		kong.Description("Real-time market data for Solana: prices and trades from the chain to WebSocket clients.\n\n"+
			"Every flag can also be given by environment: --api-keys-file is SWAPCAST_API_KEYS_FILE.\n"+
			"Start with `swapcast serve` and open http://127.0.0.1:8080."),
		kong.DefaultEnvars("SWAPCAST"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(c int) { panic(exitRequest(c)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 110}),
	)
	if err != nil {
		return complain(stderr, fmt.Errorf("command line: %w", err), exitFailure)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return complain(stderr, oneLine(err), exitUsage)
	}
	env := &environ{Stdin: stdin, Stdout: stdout, Stderr: stderr, Log: newLogger(stderr, cli.LogFormat, cli.LogLevel)}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(env)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return complain(stderr, oneLine(err), exitUsage)
	default:
		return complain(stderr, err, exitFailure)
	}
}

// complain prints the one line that says what is wrong.
func complain(w io.Writer, err error, code int) int {
	hint := ""
	if code == exitUsage {
		hint = " (swapcast --help explains every flag)"
	}
	fmt.Fprintf(w, "swapcast: %v%s\n", err, hint)
	return code
}

// oneLine folds an error onto one line.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}

// newLogger makes the process's logger. Its text is on standard error, so that
// standard output stays the program's data.
func newLogger(w io.Writer, format, level string) *slog.Logger {
	var min slog.Level
	// The enum of the flag admits only names that slog knows.
	_ = min.UnmarshalText([]byte(level))
	options := &slog.HandlerOptions{Level: min}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
