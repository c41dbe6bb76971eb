// Command compare measures what a delivered message costs a server: swapcast
// beside the WebSocket servers and libraries that one would use instead. Each
// server runs in a process of its own and sends the very same JSON price; the
// client is this program, one epoll loop or two, which counts messages, takes
// latency from a time in each message, and reads the server's CPU time from
// /proc around the steady window. It is a module of its own, so that none of
// the yardsticks is a dependency of swapcast. Linux only.
//
//	compare run [-quick] [-servers a,b] [-repeat 3] [-out table.md]
//	compare server NAME      a server alone; obeys "start N", "stop", "count", "gc" on stdin
//	compare client -addr HOST:PORT ...
//	compare list
package main
