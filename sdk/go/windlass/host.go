package windlass

import "time"

// Level of a line in the log.
type Level uint8

// The levels.
const (
	LevelDebug Level = iota
	LevelInfo
	LevelWarn
	LevelError
)

// Host is what the contract gives a poll; the package windlasstest has one that plays a script.
type Host interface {
	// Put tells a query's outcome.
	Put(query uint32, outcome Outcome)
	// Send sends requests, each for the query beside it.
	Send(queries []uint32, requests []Request) Exchange
	// Open opens a connection, or takes one that rests: then fresh is false.
	Open(query, endpoint uint32) (stream Stream, fresh bool, err error)
	// Wait waits until some of them can be read or have failed, and tells which.
	Wait(on []Stream, timeout time.Duration) []int
	// Learn is the number of an endpoint that the source named.
	Learn(query, parent uint32, host string, port uint16) (uint32, error)
	// Clock is a time that only grows.
	Clock() time.Duration
	// Random is random bytes.
	Random(count uint32) []byte
	// Log writes a line.
	Log(level Level, query uint32, message string)
}

// Exchange is answers, as they come.
type Exchange interface {
	// Next is the next answer to come, and the place of its request; ok is false when all have been told.
	Next() (place int, response Response, err error, ok bool)
}

// Stream is one of the host's connections.
type Stream interface {
	StartTLS() error
	Write(data []byte) error
	// Read what is there, waiting at most that long; nothing: closed by the peer.
	Read(most uint32, timeout time.Duration) ([]byte, error)
	// Keep lets it rest for a later query.
	Keep()
	// Close closes it.
	Close()
}
