package windlass

import (
	"fmt"
	"slices"
	"time"
)

const (
	// maxRounds is after how many rounds over HTTP a query that asks on and on is stopped.
	maxRounds = 8
	// maxDialers is how many queries have connections at a time.
	maxDialers = 8
	// maxAttempts is how often a query is begun whose connections had been closed while they rested.
	maxAttempts = 3
	// reserve is what is left of the budget for telling outcomes.
	reserve = 20 * time.Millisecond
)

// batch runs the queries of one call side by side, one at a time: each runs until it has to wait for the host.
type batch struct {
	host Host
	// end of the time for connections; requests have the host's own.
	end time.Duration
	// parked is where a task tells that it waits, or that it is done.
	parked chan *task
	// asking, reading and dialing are the tasks that wait, by what for.
	asking  []*task
	reading []*task
	dialing []*task
	dialers int
}

// task is one query on its way to an outcome. It runs in a goroutine of its own, but only between resume and parked.
type task struct {
	batch  *batch
	query  uint32
	resume chan struct{}
	// outcome is set when it is done.
	outcome *Outcome
	rounds  int
	// requests that wait, their answers, and how many are missing.
	requests  []Request
	responses []Response
	missing   int
	err       error
	// conns that it has open, and the one that it waits for.
	conns []*Conn
	conn  *Conn
	until time.Duration
	late  bool
	// stale: a connection that had rested failed before it said anything.
	stale bool
}

// Poll answers a batch.
func (c *Component) Poll(host Host, asked Batch) {
	b := &batch{host: host, end: host.Clock() + asked.Budget - reserve, parked: make(chan *task)}
	for i := range asked.Queries {
		t := &task{batch: b, query: uint32(i), resume: make(chan struct{})}
		query := &asked.Queries[i]
		go func() {
			<-t.resume
			outcome := c.outcome(t, query, asked.Now)
			t.outcome = &outcome
			b.parked <- t
		}()
		b.run(t)
	}
	for len(b.asking)+len(b.reading)+len(b.dialing) > 0 {
		b.exchange()
		b.admit()
		b.wait()
	}
}

// outcome is what becomes of a query. One whose connection had been closed while it rested begins anew.
func (c *Component) outcome(t *task, query *BatchQuery, now time.Time) (outcome Outcome) {
	for range maxAttempts {
		t.stale = false
		outcome = c.attempt(t, query, now)
		t.closeAll()
		if outcome.Failure == nil || !t.stale {
			break
		}
	}
	return outcome
}

// attempt polls a query; a panic is a failure of its own.
func (c *Component) attempt(t *task, query *BatchQuery, now time.Time) (outcome Outcome) {
	defer func() {
		if reason := recover(); reason != nil {
			outcome = Outcome{Failure: Failf(Internal, "the scaler panicked: %v", reason)}
		}
	}()
	return outcomeOf(c.poll(t, &query.Trigger, query.State, now))
}

// run lets a task go on until it waits or is done.
func (b *batch) run(t *task) {
	t.resume <- struct{}{}
	t = <-b.parked
	if t.outcome != nil {
		b.host.Put(t.query, *t.outcome)
	}
}

// park is called by a task: it waits until it is run again.
func (t *task) park() {
	t.batch.parked <- t
	<-t.resume
}

// send asks together with the other queries.
func (t *task) send(requests []Request) ([]Response, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	if t.rounds == maxRounds {
		return nil, Failf(Internal, "asks for more after %d rounds", maxRounds)
	}
	t.rounds++
	t.requests, t.responses = requests, make([]Response, len(requests))
	t.missing, t.err = len(requests), nil
	t.batch.asking = append(t.batch.asking, t)
	t.park()
	responses := t.responses
	t.requests, t.responses = nil, nil
	return responses, t.err
}

// exchange sends what all queries ask, and lets each go on as soon as its own answers are there.
func (b *batch) exchange() {
	type place struct {
		task    *task
		round   int
		request int
	}
	var queries []uint32
	var requests []Request
	var places []place
	asking := b.asking
	b.asking = nil
	if len(asking) == 0 {
		return
	}
	for _, t := range asking {
		for i, request := range t.requests {
			queries, requests, places = append(queries, t.query), append(requests, request), append(places, place{t, t.rounds, i})
		}
	}
	exchange := b.host.Send(queries, requests)
	for {
		index, response, err, ok := exchange.Next()
		if !ok {
			break
		}
		if index < 0 || index >= len(places) {
			continue
		}
		t, request := places[index].task, places[index].request
		// A query that one answer has failed has no use for the others, and may be asking something else by now.
		if t.rounds != places[index].round || t.missing == 0 {
			continue
		}
		if err == nil && !t.requests[request].AnyStatus {
			err = response.Check()
		}
		t.responses[request] = response
		t.missing--
		if err != nil {
			// One failure is enough; what else it asked is of no use.
			t.err, t.missing = err, 0
		}
		if t.missing == 0 {
			b.run(t)
		}
	}
	for _, place := range places {
		if t := place.task; t.rounds == place.round && t.missing > 0 {
			t.err, t.missing = Failf(Internal, "the host told no answer"), 0
			b.run(t)
		}
	}
}

// admit lets queries that want their first connection go on, as many as there is room for.
func (b *batch) admit() {
	for len(b.dialing) > 0 && (b.dialers < maxDialers || b.host.Clock() >= b.end) {
		t := b.dialing[0]
		b.dialing = slices.Delete(b.dialing, 0, 1)
		b.run(t)
	}
}

// wait waits for connections and lets those go on that can be read, or whose time is over.
func (b *batch) wait() {
	if len(b.reading) == 0 || len(b.asking) > 0 {
		return
	}
	now := b.host.Clock()
	streams := make([]Stream, len(b.reading))
	until := b.end
	for i, t := range b.reading {
		streams[i] = t.conn.stream
		until = min(until, t.until)
	}
	ready := make([]bool, len(streams))
	for _, index := range b.host.Wait(streams, max(0, until-now)) {
		if index >= 0 && index < len(ready) {
			ready[index] = true
		}
	}
	now = b.host.Clock()
	waiting := b.reading
	b.reading = nil
	var woken []*task
	for i, t := range waiting {
		if t.late = !ready[i] && now >= t.until; ready[i] || t.late {
			woken = append(woken, t)
		} else {
			b.reading = append(b.reading, t)
		}
	}
	for _, t := range woken {
		b.run(t)
	}
}

func (t *task) log(level Level, format string, args ...any) {
	t.batch.host.Log(level, t.query, fmt.Sprintf(format, args...))
}
