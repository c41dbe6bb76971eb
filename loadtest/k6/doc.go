// Package k6 has no Go code: it is the folder of the k6 scripts, and its tests run each of
// them against a server, small, and against servers that do wrong, which they must find.
package k6
