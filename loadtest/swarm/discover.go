package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/swapcast/swapcast"
)

// Server asks a swapcast server, by its HTTP API, what there is to subscribe to.
type Server struct {
	base   string // http://host:port
	key    string
	client *http.Client
}

// NewServer makes one of the WebSocket's address.
func NewServer(ws, apiKey string) (*Server, error) {
	u, err := url.Parse(ws)
	if err != nil {
		return nil, err
	}
	return &Server{"http://" + u.Host, apiKey, &http.Client{Timeout: 10 * time.Second}}, nil
}

// Status is what a server says of itself.
type Status struct {
	Feed    string `json:"feed"`
	Message string `json:"message"`
	Limits  struct {
		MaxConnections   int `json:"maxConnections"`
		MaxSubscriptions int `json:"maxSubscriptions"`
	} `json:"limits"`
}

// errNoSuchPath is a server that has no such path.
var errNoSuchPath = errors.New("there is nothing at this path")

// Status asks for /v1/status.
func (s *Server) Status(ctx context.Context) (Status, error) {
	var st Status
	err := s.get(ctx, "/v1/status", &st)
	return st, err
}

// Assets returns up to n mints that have a price: those that every market knows, then
// the newest.
func (s *Server) Assets(ctx context.Context, n int) ([]string, error) {
	known := wellKnown()
	var fresh struct {
		Tokens []struct {
			AssetID string `json:"assetId"`
		} `json:"tokens"`
	}
	if err := s.get(ctx, "/v1/tokens?limit=200", &fresh); err != nil && !errors.Is(err, errNoSuchPath) {
		return nil, err
	}
	for _, t := range fresh.Tokens {
		known = append(known, t.AssetID)
	}
	var found []string
	seen := map[string]bool{}
	for len(known) > 0 && len(found) < n {
		part := known[:min(len(known), 100)] // of one request
		known = known[len(part):]
		var prices struct {
			Prices []struct {
				AssetID string   `json:"assetId"`
				Price   *float64 `json:"price"`
			} `json:"prices"`
		}
		if err := s.get(ctx, "/v1/prices?assets="+strings.Join(part, ","), &prices); err != nil {
			return nil, err
		}
		for _, p := range prices.Prices {
			if p.Price != nil && !seen[p.AssetID] && len(found) < n {
				seen[p.AssetID] = true
				found = append(found, p.AssetID)
			}
		}
	}
	return found, nil
}

// Wallets returns up to n owners that traded one of the assets lately.
func (s *Server) Wallets(ctx context.Context, assets []string, n int) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	for _, a := range assets {
		var trades struct {
			Trades []struct {
				Trader string `json:"trader"`
			} `json:"trades"`
		}
		if err := s.get(ctx, "/v1/trades/"+a+"?limit=1000", &trades); err != nil {
			return nil, err
		}
		for _, t := range trades.Trades {
			if t.Trader != "" && !seen[t.Trader] {
				seen[t.Trader] = true
				if found = append(found, t.Trader); len(found) == n {
					return found, nil
				}
			}
		}
	}
	return found, nil
}

func (s *Server) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, http.NoBody)
	if err != nil {
		return err
	}
	if s.key != "" {
		request.Header.Set("Authorization", "Bearer "+s.key)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("%s%s: %w", s.base, path, errNoSuchPath)
	default:
		return fmt.Errorf("%s%s: %s", s.base, path, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(into); err != nil {
		return fmt.Errorf("%s%s: %w", s.base, path, err)
	}
	return nil
}

// wellKnown are mints that are traded on any day, and that the built-in market lists.
func wellKnown() []string {
	return []string{
		swapcast.NativeMintAddress, swapcast.USDCAddress, swapcast.USDTAddress,
		"JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN",  // JUP
		"DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", // BONK
		"EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm", // WIF
		"HZ1JovNiVvGrGNiiYvEozEVgZ58xaU3RKwX8eACQBCt3", // PYTH
		"jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL",  // JTO
		"4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R", // RAY
		"orcaEKTdK7LKz57vaAYr9QeNsVEPfiu6QeMU1kektZE",  // ORCA
		"mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So",  // mSOL
		"J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn", // jitoSOL
		"bSo13r4TkiE4KumL71LsHTPpL2euBYLFx6h9HP3piy1",  // bSOL
		"85VBFQZC9TZkfaptBWjvUw7YbZjy52A6mjtPGjstQAmQ", // W
		"7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr", // POPCAT
		"MEW1gQWJ3nEXg2qgERiKu7FAFj79PHvQVREQUzScPP5",  // MEW
		"6p6xgHyF7AeE6TZkSmFsko444wqoP15icUSqi2jfGiPN", // TRUMP
		"2zMMhcVQEXDtdE6vsFS7S7D5oUodfJHE8vd1gnBouauv", // PENGU
		"9BB6NFEcjBCtnNLFko2FqVQBq8HHM13kCyYcdQbgpump", // FARTCOIN
		"pumpCmXqMfrsAkQ5r49WcJnRayYRqmXz6ae8H7H9Dfn",  // PUMP
		"cbbtcf3aa214zXHbiAZQwf4122FBYbraNdFqgw4iMij",  // cbBTC
	}
}
