package swarm

import "container/heap"

// timer wakes a connection. It counts only while the connection's due is the same.
type timer struct {
	due  int64 // Unix nanoseconds
	conn int32 // index into the loop's connections
}

// timers is a heap of them.
type timers []timer

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due < t[j].due }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}

func (t *timers) add(due int64, conn int32) { heap.Push(t, timer{due, conn}) }

// next takes the first timer that is due.
func (t *timers) next(now int64) (timer, bool) {
	if len(*t) == 0 || (*t)[0].due > now {
		return timer{}, false
	}
	return heap.Pop(t).(timer), true
}
