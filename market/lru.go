package market

// links places a value in an lru; it stands inside the value, so that moving
// to the front allocates nothing.
type links[T any] struct{ prev, next *T }

// lru is an intrusive list, freshest first.
type lru[T any] struct {
	head, tail *T
	at         func(*T) *links[T]
	moves      *undoLog[lruMove[T]] // nil: no journal is kept
}

// lruMove is one change of the list: where the value stood before.
type lruMove[T any] struct {
	v, prev *T // prev nil: v was first
	in, out bool
}

func (l *lru[T]) pushFront(v *T) {
	l.record(lruMove[T]{v: v, in: true})
	l.link(v, nil)
}

func (l *lru[T]) remove(v *T) {
	l.record(lruMove[T]{v: v, prev: l.at(v).prev, out: true})
	l.unlink(v)
}

func (l *lru[T]) touch(v *T) {
	if l.head != v {
		l.record(lruMove[T]{v: v, prev: l.at(v).prev, in: true, out: true})
		l.unlink(v)
		l.link(v, nil)
	}
}

func (l *lru[T]) record(mv lruMove[T]) {
	if l.moves != nil {
		*l.moves.push() = mv
	}
}

// undo takes back the newest moves down to a position of the log. Each is undone
// in the very list that it left.
func (l *lru[T]) undo(to uint64) {
	for l.moves.to > to {
		mv := l.moves.pop()
		if mv.in {
			l.unlink(mv.v)
		}
		if mv.out {
			l.link(mv.v, mv.prev)
		}
	}
}

// link puts v behind prev, or to the front where that is nil.
func (l *lru[T]) link(v, prev *T) {
	n := links[T]{prev: prev, next: l.head}
	if prev != nil {
		n.next = l.at(prev).next
		l.at(prev).next = v
	} else {
		l.head = v
	}
	if n.next != nil {
		l.at(n.next).prev = v
	} else {
		l.tail = v
	}
	*l.at(v) = n
}

func (l *lru[T]) unlink(v *T) {
	n := *l.at(v)
	if n.prev != nil {
		l.at(n.prev).next = n.next
	} else {
		l.head = n.next
	}
	if n.next != nil {
		l.at(n.next).prev = n.prev
	} else {
		l.tail = n.prev
	}
	*l.at(v) = links[T]{}
}
