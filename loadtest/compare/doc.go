// Command compare measures what a delivered message costs a server: swapcast
// beside the WebSocket servers and libraries that one would use instead. Each
// server runs in a process of its own and sends the very same JSON price; the
// client is this program, one epoll loop or two, which counts messages, takes
// latency from a time in each message, and reads the server's CPU time from
// /proc around the steady window. It is a module of its own, and so is each of the
// yardsticks in servers, so that none is a dependency of swapcast, or changes
// another one's. Linux only.
//
//	compare run [-mode full|short|quick] [-servers a,b] [-scenarios c,d] [-out table.md]
//	compare client -addr HOST:PORT ...
//	compare list
package main
