package windlass

import "time"

// Query is one query of a batch, as a Poll sees it. It is not to be used after that has returned, nor by another goroutine.
type Query[P any] struct {
	// Parameters that the user wrote.
	Parameters *P
	Trigger    *Trigger
	// State that this query left last time, or empty. Nothing else outlives a batch.
	State []byte
	// Now is the wall time of the batch.
	Now  time.Time
	task *task
}

// Do sends a request and waits for the answer. The requests of all queries of a batch leave together. The host does pooling, TLS,
// rates and credentials; redirects are not followed. An answer that does not say 2xx is a [Failure] by the usual meaning of its
// status, unless the request says AnyStatus.
func (q *Query[P]) Do(request Request) (Response, error) {
	responses, err := q.DoAll(request)
	if err != nil {
		return Response{}, err
	}
	return responses[0], nil
}

// DoAll sends several requests at once, and tells the answers in their order, or the first failure.
func (q *Query[P]) DoAll(requests ...Request) ([]Response, error) {
	return q.task.send(requests)
}

// Dial opens a connection to one of the plan's endpoints, or to one of [Query.Learn]; see [Conn]. Some queries of a batch have
// connections at a time, the others wait for their turn.
func (q *Query[P]) Dial(endpoint uint32) (*Conn, error) {
	return q.task.dial(endpoint)
}

// Learn is the number of an endpoint that the source named, a broker or a leader: the scaler has to say so in its Needs, and the
// user or the operator has to permit it. It is good for this query in this batch.
func (q *Query[P]) Learn(parent uint32, host string, port uint16) (uint32, error) {
	return q.task.batch.host.Learn(q.task.query, parent, host, port)
}

// Log writes a line to the host's log, under the query's name. No secrets, ever.
func (q *Query[P]) Log(level Level, format string, args ...any) {
	q.task.log(level, format, args...)
}

// Random is random bytes of the host, at most 1 KiB at a time, for nonces.
func (q *Query[P]) Random(count uint32) []byte {
	return q.task.batch.host.Random(count)
}
