// Package quotetest has stand-ins for the services that quotes come from.
package quotetest
