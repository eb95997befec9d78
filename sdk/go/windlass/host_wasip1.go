package windlass

import (
	"time"

	"windlass/internal/bindings/imports/windlass_scaler_clock"
	"windlass/internal/bindings/imports/windlass_scaler_http"
	"windlass/internal/bindings/imports/windlass_scaler_log"
	"windlass/internal/bindings/imports/windlass_scaler_network"
	"windlass/internal/bindings/imports/windlass_scaler_random"
	"windlass/internal/bindings/imports/windlass_scaler_report"
	"windlass/internal/bindings/imports/windlass_scaler_tcp"
	bindings "windlass/internal/bindings/imports/windlass_scaler_types"
	"windlass/internal/wit"
)

// host is the contract's imports. After each call that hands something over, the memory is let go of: the values that were made
// of it keep alive what they need.
type host struct{}

func (host) Put(query uint32, outcome Outcome) {
	switch {
	case outcome.Reading != nil:
		windlass_scaler_report.Put(query, bindings.MakeOutcomeReady(readingTo(outcome.Reading)))
	case outcome.Pending != nil:
		later := bindings.Later{State: outcome.Pending.State, RetryMs: uint64(wholeMilliseconds(outcome.Pending.Retry))}
		windlass_scaler_report.Put(query, bindings.MakeOutcomePending(later))
	default:
		windlass_scaler_report.Put(query, bindings.MakeOutcomeFailed(failureTo(outcome.Failure)))
	}
}

func readingTo(reading *Reading) bindings.Reading {
	told := bindings.Reading{Values: reading.Values}
	if reading.Active != nil {
		told.Active = wit.Some(*reading.Active)
	}
	if !reading.Observed.IsZero() {
		told.ObservedMs = wit.Some(uint64(reading.Observed.UnixMilli()))
	}
	if !reading.Next.IsZero() {
		told.NextMs = wit.Some(uint64(reading.Next.UnixMilli()))
	}
	if reading.State != nil {
		told.State = wit.Some(reading.State)
	}
	if reading.Metrics != nil {
		told.Metrics = wit.Some(metricsTo(reading.Metrics))
	}
	return told
}

func failureTo(failure *Failure) bindings.Failure {
	told := bindings.Failure{Kind: uint8(failure.Kind), Message: failure.Message}
	if failure.RetryAfter > 0 {
		told.RetryAfterMs = wit.Some(uint64(failure.RetryAfter.Milliseconds()))
	}
	return told
}

func failureFrom(failure bindings.Failure) *Failure {
	after := milliseconds(failure.RetryAfterMs.SomeOr(0))
	return &Failure{Kind: Kind(failure.Kind), Message: failure.Message, RetryAfter: after}
}

// taken is what a call handed over, or why it did not.
func taken[T any](result wit.Result[T, bindings.Failure]) (value T, err error) {
	wit.Unpin()
	if result.IsErr() {
		return value, failureFrom(result.Err())
	}
	return result.Ok(), nil
}

func (host) Send(queries []uint32, requests []Request) Exchange {
	sent := make([]windlass_scaler_http.Request, len(requests))
	limits := make([]int, len(requests))
	for i, r := range requests {
		request := windlass_scaler_http.Request{
			Query: queries[i], Endpoint: r.Endpoint, Method: r.Method, Target: r.Target, Body: r.Body,
		}
		for _, header := range r.Headers {
			request.Headers = append(request.Headers, wit.Tuple2[string, string]{F0: header.Name, F1: header.Value})
		}
		for _, c := range r.Credentials {
			credential := bindings.Credential{Scheme: c.Scheme, Secrets: rolesTo(c.Secrets), Settings: rolesTo(c.Settings)}
			request.Credentials = append(request.Credentials, credential)
		}
		if r.Timeout > 0 {
			request.TimeoutMs = wit.Some(wholeMilliseconds(r.Timeout))
		}
		sent[i], limits[i] = request, r.MaxBody
		if r.MaxBody <= 0 {
			limits[i] = maxBody
		}
	}
	return &exchange{windlass_scaler_http.Send(sent), limits}
}

func rolesTo(roles []Role) []wit.Tuple2[string, string] {
	told := make([]wit.Tuple2[string, string], len(roles))
	for i, role := range roles {
		told[i] = wit.Tuple2[string, string]{F0: role.Role, F1: role.Name}
	}
	return told
}

type exchange struct {
	host   *windlass_scaler_http.Exchange
	limits []int
}

func (e *exchange) Next() (place int, response Response, err error, ok bool) {
	next := e.host.Next()
	wit.Unpin()
	if next.Tag() == wit.OptionNone {
		e.host.Drop()
		return 0, Response{}, nil, false
	}
	told := next.Some()
	place = int(told.F0)
	if told.F1.IsErr() {
		return place, Response{}, failureFrom(told.F1.Err()), true
	}
	came := told.F1.Ok()
	defer came.Body.Drop()
	response.Status = came.Status
	for _, header := range came.Headers {
		response.Headers = append(response.Headers, Header{header.F0, header.F1})
	}
	limit := maxBody
	if place < len(e.limits) {
		limit = e.limits[place]
	}
	response.Body, err = body(came.Body, limit)
	return place, response, err, true
}

// body reads a body to its end, up to a limit.
func body(from *windlass_scaler_http.Body, limit int) ([]byte, error) {
	var all []byte
	for {
		read, err := taken(from.Read(piece))
		switch {
		case err != nil:
			return nil, err
		case len(read) == 0:
			return all, nil
		case len(all)+len(read) > limit:
			return nil, Failf(BadResponse, "the answer is longer than %d bytes", limit)
		case all == nil:
			all = read
		default:
			all = append(all, read...)
		}
	}
}

func (host) Open(query, endpoint uint32) (Stream, bool, error) {
	opened, err := taken(windlass_scaler_tcp.ConnectionOpen(query, endpoint))
	if err != nil {
		return nil, false, err
	}
	return stream{opened.F0}, opened.F1, nil
}

func (host) Wait(on []Stream, timeout time.Duration) []int {
	connections := make([]*windlass_scaler_tcp.Connection, len(on))
	for i, one := range on {
		connections[i] = one.(stream).connection
	}
	told := windlass_scaler_tcp.Wait(connections, wholeMilliseconds(timeout))
	wit.Unpin()
	ready := make([]int, len(told))
	for i, index := range told {
		ready[i] = int(index)
	}
	return ready
}

func (host) Learn(query, parent uint32, name string, port uint16) (uint32, error) {
	return taken(windlass_scaler_network.Learn(query, parent, name, port))
}

func (host) Clock() time.Duration {
	return milliseconds(windlass_scaler_clock.MonotonicMs())
}

func (host) Random(count uint32) []byte {
	random := windlass_scaler_random.Bytes(count)
	wit.Unpin()
	return random
}

func (host) Log(level Level, query uint32, message string) {
	windlass_scaler_log.Write(uint8(level), wit.Some(query), message)
}

type stream struct {
	connection *windlass_scaler_tcp.Connection
}

func (s stream) StartTLS() error {
	_, err := taken(s.connection.StartTls())
	return err
}

func (s stream) Write(data []byte) error {
	_, err := taken(s.connection.Write(data))
	return err
}

func (s stream) Read(most uint32, timeout time.Duration) ([]byte, error) {
	return taken(s.connection.Read(most, wholeMilliseconds(timeout)))
}

func (s stream) Keep() {
	windlass_scaler_tcp.ConnectionKeep(s.connection)
}

func (s stream) Close() {
	s.connection.Drop()
}
