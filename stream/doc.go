// Package stream is the WebSocket: it fans prices and trades out to clients.
package stream
