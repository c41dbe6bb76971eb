package main

import "math"

// hist counts times in buckets of 1/16 octave: 4% wide.
type hist struct {
	n      uint64
	bucket [64 * 16]uint64
}

func (h *hist) add(ns int64) {
	h.n++
	if ns < 1 {
		ns = 1
	}
	h.bucket[int(math.Log2(float64(ns))*16)]++
}

func (h *hist) merge(o *hist) {
	h.n += o.n
	for i, v := range o.bucket {
		h.bucket[i] += v
	}
}

// quantile returns the upper end of the bucket that holds it, in nanoseconds;
// 0 where nothing was counted.
func (h *hist) quantile(q float64) float64 {
	if h.n == 0 {
		return 0
	}
	want, sum := uint64(math.Ceil(q*float64(h.n))), uint64(0)
	for i, v := range h.bucket {
		if sum += v; sum >= want {
			return math.Exp2(float64(i+1) / 16)
		}
	}
	return 0
}
