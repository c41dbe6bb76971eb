package web

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// The codes of problems, as the HTTP API beside the page uses them. Clients
// branch on them: they are never renamed.
const (
	codeNotFound         = "not_found"          // 404: no such path
	codeMethodNotAllowed = "method_not_allowed" // 405: this path is read only
)

// problem is an error as clients see it (RFC 9457), in the form that every
// answer of the server has. Its type is always "about:blank": Code is what tells
// problems apart.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"` // the status in words
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"` // one sentence for a person
}

// writeProblem answers with a problem, uncached.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	body, err := json.Marshal(problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail})
	if err != nil { // strings and a number always encode: a failure is a bug
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	body = append(body, '\n')
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}
