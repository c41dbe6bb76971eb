package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/quote"
)

// quoteCmd is `swapcast quote`.
type quoteCmd struct {
	In          string `help:"What is given: a mint's address, or a symbol such as SOL or USDC." required:"" placeholder:"MINT"`
	Out         string `help:"What is wanted, likewise." required:"" placeholder:"MINT"`
	Amount      string `help:"How much is given: raw units (100000000), or whole tokens with a decimal point (0.1 or 5.0) where the token's decimals are known." required:"" placeholder:"AMOUNT"`
	SlippageBps uint16 `help:"How much less than quoted the swap may bring, in hundredths of a percent." default:"50"`
	Server      string `help:"Server to ask. Default http://127.0.0.1:8080, unless a flag of a source is given: then the sources are asked directly." placeholder:"URL"`
	JSON        bool   `name:"json" help:"Print the answer as JSON, as GET /v1/quote has it."`

	quoteFlags `embed:""`
}

// Help explains the table and shows how it is called.
func (*quoteCmd) Help() string {
	return `Asks for one quote and shows what every source said.

    swapcast quote --in SOL --out USDC --amount 0.1
    swapcast quote --in SOL --out USDC --amount 100000000 --server http://127.0.0.1:8080 --json
    swapcast quote --in SOL --out USDC --amount 0.1 --jupiter-v1

The first two ask a running "swapcast serve", which knows the market and judges
quotes by it. The third asks Jupiter itself: without a market, a quote is judged by
what it says of itself, and there is no on-chain source.

Sources are asked in the order that the engine finds useful: Jupiter first, the
others when its quote is doubtful, late or missing, Pyth only at the end. The score
is confidence (0 to 1000) + amount beside the best one (0 to 500) + reliability of
the source (0 to 100), less 50 for each warning; the highest wins, and what can be
traded goes before a mere indication.

Exit code 0: there is a quote. 1: there is none, and the table says why.`
}

// quoteReply is the answer as it comes over HTTP, or the problem where there is no
// quote.
type quoteReply struct {
	Feed                 string          `json:"feed"`
	InAmount             string          `json:"inAmount"`
	OutAmount            string          `json:"outAmount"`
	OtherAmountThreshold string          `json:"otherAmountThreshold"`
	PriceImpactPct       *string         `json:"priceImpactPct"`
	Source               string          `json:"source"`
	Executable           bool            `json:"executable"`
	Score                int             `json:"score"`
	Warnings             []quote.Warning `json:"warnings"`
	Hops                 int             `json:"hops"`
	Legs                 int             `json:"legs"`
	ExpiresAt            int64           `json:"expiresAt"`
	ElapsedMs            int64           `json:"elapsedMs"`
	Sources              []sourceReply   `json:"sources"`

	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// sourceReply is one entry of its sources.
type sourceReply struct {
	Source    string          `json:"source"`
	Outcome   string          `json:"outcome"`
	Reason    string          `json:"reason"`
	Detail    string          `json:"detail"`
	OutAmount string          `json:"outAmount"`
	Score     *scoreReply     `json:"score"`
	Warnings  []quote.Warning `json:"warnings"`
	ElapsedMs *int64          `json:"elapsedMs"`
}

type scoreReply struct {
	Confidence  int `json:"confidence"`
	Amount      int `json:"amount"`
	Reliability int `json:"reliability"`
	Warnings    int `json:"warnings"`
	Total       int `json:"total"`
}

// errNoQuote makes the exit code where the table has said everything.
var errNoQuote = errors.New("no quote")

// Run asks once and prints.
func (c *quoteCmd) Run(ctx context.Context, env *environ) error {
	if err := c.check(); err != nil {
		return err
	}
	in, err := readToken("--in", c.In)
	if err != nil {
		return err
	}
	out, err := readToken("--out", c.Out)
	if err != nil {
		return err
	}
	server := c.Server
	if server == "" && !c.given() {
		server = "http://127.0.0.1:8080"
	}
	ctx, cancel := context.WithTimeout(ctx, c.QuoteDeadline+10*time.Second)
	defer cancel()
	if server != "" {
		if server, err = checkServer(server); err != nil {
			return err
		}
		for _, token := range []*swapcast.Token{&in, &out} {
			if err := askToken(ctx, server, token); err != nil {
				return err
			}
		}
	}
	amount, err := readAmount(c.Amount, &in)
	if err != nil {
		return err
	}
	request := quote.Request{InputMint: in.Mint, OutputMint: out.Mint, Amount: amount, SlippageBps: c.SlippageBps}
	if err := request.Validate(); err != nil {
		return usagef("%v", err)
	}
	var body []byte
	if server != "" {
		body, err = askServer(ctx, server, request)
	} else {
		body, err = c.askSources(ctx, request)
	}
	if err != nil {
		return err
	}
	return c.print(env.Stdout, body, &in, &out)
}

// print writes the answer, and is errNoQuote where it is none.
func (c *quoteCmd) print(w io.Writer, body []byte, in, out *swapcast.Token) error {
	var reply quoteReply
	if err := json.Unmarshal(body, &reply); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	if c.JSON {
		if _, err := w.Write(append([]byte(strings.TrimSpace(string(body))), '\n')); err != nil {
			return err
		}
	} else if err := writeQuote(w, &reply, in, out); err != nil {
		return err
	}
	switch {
	case reply.Source != "":
		return nil
	case reply.Code == "" || reply.Code == "no_quote" || reply.Code == "no_route":
		return errNoQuote
	}
	return fmt.Errorf("the server refuses: %s: %s", reply.Code, reply.Detail)
}

// readToken reads an address or a well-known symbol.
func readToken(flag, text string) (swapcast.Token, error) {
	known := sim.Tokens() // the mints, symbols and decimals of real tokens
	if mint, err := swapcast.ParseKey(text); err == nil {
		for _, t := range known {
			if t.Mint == mint {
				return t, nil
			}
		}
		return swapcast.Token{Mint: mint}, nil
	}
	var symbols []string
	for _, t := range known {
		if strings.EqualFold(t.Symbol, text) {
			return t, nil
		}
		symbols = append(symbols, t.Symbol)
	}
	return swapcast.Token{}, usagef("%s %q: neither a mint's address nor one of %s", flag, text, strings.Join(symbols, ", "))
}

// readAmount reads raw units, or whole tokens where there is a decimal point.
func readAmount(text string, t *swapcast.Token) (uint64, error) {
	whole, fraction, pointed := strings.Cut(text, ".")
	if !pointed {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return 0, usagef("--amount %q: neither raw units (100000000) nor whole tokens with a decimal point (0.1)", text)
		}
		return n, nil
	}
	if !t.Known {
		return 0, usagef("--amount %q: the decimals of %s are not known here; give raw units", text, t.Mint)
	}
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, usagef("--amount %q: not a number", text)
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > int(t.Decimals) {
		return 0, usagef("--amount %q: %s has %d decimals", text, tokenName(t), t.Decimals)
	}
	n, ok := new(big.Int).SetString("0"+whole+fraction+strings.Repeat("0", int(t.Decimals)-len(fraction)), 10)
	if !ok || !n.IsUint64() {
		return 0, usagef("--amount %q: too large", text)
	}
	return n.Uint64(), nil
}

func checkServer(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usagef("--server %q: write http://host:port", server)
	}
	return strings.TrimRight(server, "/"), nil
}

// fetch makes one request, over a connection of its own, and reads the answer whole.
func fetch(request *http.Request) (status int, body []byte, err error) {
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		var long *url.Error
		if errors.As(err, &long) { // the query says nothing that a person wants to read here
			err = fmt.Errorf("%s://%s: %w", request.URL.Scheme, request.URL.Host, long.Err)
		}
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, 4<<20))
	return response.StatusCode, body, err
}

// askToken fills in what a server knows of a token that is not well known.
func askToken(ctx context.Context, server string, t *swapcast.Token) error {
	if t.Known {
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/v1/tokens/"+t.Mint.String(), http.NoBody)
	if err != nil {
		return usagef("--server: %v", err)
	}
	status, body, err := fetch(request)
	if err != nil {
		return err
	}
	var token struct {
		Symbol   string
		Decimals *uint8
	}
	if status == http.StatusOK && json.Unmarshal(body, &token) == nil && token.Decimals != nil {
		t.Decimals, t.Known = *token.Decimals, true
		t.Symbol = printable(token.Symbol)
	}
	return nil
}

// askServer is GET /v1/quote. Problems are answers too.
func askServer(ctx context.Context, server string, r quote.Request) ([]byte, error) {
	target := server + "/v1/quote?inputMint=" + r.InputMint.String() + "&outputMint=" + r.OutputMint.String() +
		"&amount=" + strconv.FormatUint(r.Amount, 10) + "&slippageBps=" + strconv.Itoa(int(r.SlippageBps))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, usagef("--server: %v", err)
	}
	status, body, err := fetch(request)
	if err != nil {
		return nil, fmt.Errorf("%w (is there a swapcast serve? a source's own flags ask without one)", err)
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("%s answers with status %d and no JSON", server, status)
	}
	return body, nil
}

// askSources asks without a server.
func (c *quoteCmd) askSources(ctx context.Context, r quote.Request) ([]byte, error) {
	engine, err := quote.New(c.options(true))
	if err != nil {
		return nil, usagef("%v", err)
	}
	defer engine.Close()
	answer, err := engine.Quote(ctx, r)
	var none *quote.NoQuoteError
	switch {
	case errors.As(err, &none):
		code := "no_quote"
		if none.NoRoute {
			code = "no_route"
		}
		return json.Marshal(map[string]any{"code": code, "detail": "no source has a quote", "sources": none.Sources, "elapsedMs": none.Elapsed.Milliseconds()})
	case err != nil:
		return nil, err
	}
	return json.Marshal(answer)
}

// tokenName is a token's symbol, or its address.
func tokenName(t *swapcast.Token) string {
	if t.Symbol != "" {
		return t.Symbol
	}
	return shortKey(t.Mint)
}

func shortKey(k solana.PublicKey) string {
	text := k.String()
	if len(text) <= 12 {
		return text
	}
	return text[:4] + ".." + text[len(text)-4:]
}
