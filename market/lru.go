package market

// links places a value in an lru; it stands inside the value, so that moving
// to the front allocates nothing.
type links[T any] struct{ prev, next *T }

// lru is an intrusive list, freshest first.
type lru[T any] struct {
	head, tail *T
	at         func(*T) *links[T]
}

func (l *lru[T]) pushFront(v *T) {
	*l.at(v) = links[T]{next: l.head}
	if l.head != nil {
		l.at(l.head).prev = v
	} else {
		l.tail = v
	}
	l.head = v
}

func (l *lru[T]) remove(v *T) {
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

func (l *lru[T]) touch(v *T) {
	if l.head != v {
		l.remove(v)
		l.pushFront(v)
	}
}
