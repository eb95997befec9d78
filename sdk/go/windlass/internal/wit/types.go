// Package wit is what the generated bindings stand on: the contract's generic types, and memory that the host may write to.
package wit

// Tags of Option.
const (
	OptionNone = iota
	OptionSome
)

// Tags of Result.
const (
	ResultOk = iota
	ResultErr
)

// Unit is the type of nothing.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Option is a value that may be missing.
type Option[T any] struct {
	some  bool
	value T
}

// None is the missing value.
func None[T any]() Option[T] {
	return Option[T]{}
}

// Some is a value that is there.
func Some[T any](value T) Option[T] {
	return Option[T]{some: true, value: value}
}

// Tag tells which of the two it is.
func (o Option[T]) Tag() uint8 {
	if o.some {
		return OptionSome
	}
	return OptionNone
}

// Some is the value; it panics when there is none.
func (o Option[T]) Some() T {
	if !o.some {
		panic("option has no value")
	}
	return o.value
}

// SomeOr is the value, or another where there is none.
func (o Option[T]) SomeOr(other T) T {
	if o.some {
		return o.value
	}
	return other
}

// Result is a value or an error.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

// Ok is a value.
func Ok[T, E any](value T) Result[T, E] {
	return Result[T, E]{value: value}
}

// Err is an error.
func Err[T, E any](err E) Result[T, E] {
	return Result[T, E]{failed: true, err: err}
}

// Tag tells which of the two it is.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// IsErr tells whether it is an error.
func (r Result[T, E]) IsErr() bool {
	return r.failed
}

// Ok is the value; it panics when there is an error.
func (r Result[T, E]) Ok() T {
	if r.failed {
		panic("result is an error")
	}
	return r.value
}

// Err is the error; it panics when there is a value.
func (r Result[T, E]) Err() E {
	if !r.failed {
		panic("result is a value")
	}
	return r.err
}
