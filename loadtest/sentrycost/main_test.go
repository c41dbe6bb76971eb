package main

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestScrape(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("# HELP a x\na 1.5\nb{kind=\"x\",text=\"a b\"} 2\nb{kind=\"y\"} 3e1\nbroken\n"))
	}))
	defer web.Close()
	got, err := scrape(t.Context(), strings.TrimPrefix(web.URL, "http://"))
	if err != nil || !reflect.DeepEqual(got, map[string]float64{"a": 1.5, "b": 32}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMedianAndBad(t *testing.T) {
	if a, b := median([]float64{3, 1, 2}), median([]float64{4, 1, 2, 3}); a != 2 || b != 2.5 {
		t.Errorf("%v %v", a, b)
	}
	if got := bad("fine\n  BAD 1 attempts failed\nFAILED\n"); got != "         BAD 1 attempts failed\n" {
		t.Errorf("%q", got)
	}
}
