package wit

import "unsafe"

// procPin keeps the runtime from doing anything else on this thread, a collection above all, until procUnpin.
//
//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// realloc gives the host memory for what it hands over. The host calls it in the middle of a call of ours, when no call may
// leave the component; so no goroutine may be switched to, and no collection may begin.
//
//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if oldSize != 0 {
		panic("the host never asks for more of the same")
	}
	procPin()
	pointer := Allocate(&received, size, align)
	procUnpin()
	return pointer
}
