package wit

// Handle is one of the host's resources; zero once it has been given away.
type Handle struct {
	value int32
}

// MakeHandle wraps what the host gave.
func MakeHandle(value int32) *Handle {
	if value == 0 {
		panic("the host gave no handle")
	}
	return &Handle{value: value}
}

// Take gives it away; it panics when that has been done.
func (h *Handle) Take() int32 {
	value := h.TakeOrNil()
	if value == 0 {
		panic("the handle is used after it was given away")
	}
	return value
}

// TakeOrNil gives it away; zero when that has been done.
func (h *Handle) TakeOrNil() int32 {
	value := h.value
	h.value = 0
	return value
}

// Use lends it; it panics when it has been given away.
func (h *Handle) Use() int32 {
	if h.value == 0 {
		panic("the handle is used after it was given away")
	}
	return h.value
}

// Set puts one back.
func (h *Handle) Set(value int32) {
	h.value = value
}
