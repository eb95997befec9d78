// Package windlass is what a scaler in Go is written with.
//
// A scaler is a struct of parameters and a type with two methods, [Scaler]: Configure makes a [Plan] of what a user wrote, and
// Poll asks the source and answers with a [Reading]. Poll is written as if there were one query and all the time in the world;
// the SDK runs the queries of a batch side by side. What they ask over HTTP leaves in one call to the host, their TCP connections
// are waited for together, and each outcome is told as soon as it is known. A query that fails or panics fails alone.
//
// [Export] makes the component; natively it does nothing, so that `go test` runs as usual, with what the package windlasstest
// gives.
//
// A component has no clock, no randomness, no files and no sockets of its own. [Query.Now] is the wall time, [Random] is random;
// time.Now is not the time, what is printed goes nowhere ([Log] does), crypto/rand, net and os fail.
package windlass
