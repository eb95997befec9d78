package wit

import (
	"runtime"
	"unsafe"
)

// received keeps alive what the host has written until the bindings have made values of it.
var received runtime.Pinner

// Allocate is memory of that size and alignment (at most 8), alive until the pinner lets go of it.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		// Any address of that alignment will do; it is never read.
		return unsafe.Pointer(&empty)
	}
	// Words of 8 bytes: aligned for whatever the contract has, and without pointers that a collector would follow.
	words := make([]uint64, (size+7)/8)
	pointer := unsafe.Pointer(unsafe.SliceData(words))
	pinner.Pin(pointer)
	return pointer
}

var empty uint64

// Unpin lets go of what the host wrote: to be called once the values made of it are held elsewhere.
func Unpin() {
	received.Unpin()
}
