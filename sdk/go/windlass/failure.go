package windlass

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Kind says what went wrong, in one of the contract's words.
type Kind uint8

// The kinds of failures.
const (
	// Invalid: the parameters cannot work.
	Invalid Kind = iota
	// Auth: the source refused the credentials.
	Auth
	// Unreachable: the source cannot be reached, or says that it cannot serve now.
	Unreachable
	// Timeout: the answer did not come in time.
	Timeout
	// Throttled: the source, or the host for its sake, wants to be asked less often.
	Throttled
	// NotFound: what was asked for does not exist at the source.
	NotFound
	// BadResponse: the source answered, but not with what was asked for.
	BadResponse
	// Denied: the host does not allow it.
	Denied
	// Internal: the scaler itself is at fault.
	Internal
)

var kinds = [...]string{"invalid", "auth", "unreachable", "timeout", "throttled", "not-found", "bad-response", "denied", "internal"}

// String is the contract's word.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Failure is why a query has no value. The message is for people, says what to do where it can, and never carries a secret.
type Failure struct {
	Kind    Kind
	Message string
	// RetryAfter is when the source wants to be asked again, from now; zero: it did not say.
	RetryAfter time.Duration
}

// Error is the kind and the message.
func (f *Failure) Error() string {
	return f.Kind.String() + ": " + f.Message
}

// Failf is a failure of a kind.
func Failf(kind Kind, format string, args ...any) *Failure {
	return &Failure{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Pending is returned as the error of a Poll whose source has begun and has no value yet, for instance a search job. The next
// poll finds State in [Query.State].
type Pending struct {
	State []byte
	Retry time.Duration
}

// Error says that there is no value yet.
func (p *Pending) Error() string {
	return "the source has begun and has no value yet"
}

// failureOf is an error as a failure; the end of a connection is the source's, anything else the scaler's own fault.
func failureOf(err error) *Failure {
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return Failf(Unreachable, "the source closed the connection before it answered")
	}
	return &Failure{Kind: Internal, Message: err.Error()}
}

// Problem is what is wrong with a parameter. The message says what is wrong and what to do, and does not repeat the name.
type Problem struct {
	// Parameter is its name; empty for what concerns several.
	Parameter string
	Message   string
}

// Error is the name and the message.
func (p *Problem) Error() string {
	if p.Parameter == "" {
		return p.Message
	}
	return p.Parameter + ": " + p.Message
}

// Problemf is a problem of a parameter; several are returned with [errors.Join].
func Problemf(parameter, format string, args ...any) *Problem {
	return &Problem{Parameter: parameter, Message: fmt.Sprintf(format, args...)}
}

// problemsOf takes apart what was joined.
func problemsOf(err error) []Problem {
	var problem *Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var problems []Problem
		for _, one := range joined.Unwrap() {
			problems = append(problems, problemsOf(one)...)
		}
		return problems
	}
	if errors.As(err, &problem) {
		return []Problem{*problem}
	}
	return []Problem{{Message: err.Error()}}
}

func problemText(problems []Problem) string {
	texts := make([]string, len(problems))
	for i := range problems {
		texts[i] = problems[i].Error()
	}
	return strings.Join(texts, "; ")
}
