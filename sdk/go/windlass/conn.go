package windlass

import (
	"io"
	"slices"
	"time"
)

// piece is how much is read at once, in bytes.
const piece = 64 << 10

// Conn is a connection, of the host and to be had for as long as the query is polled. It is a reader and a writer, so that bufio and
// other packages may stand on it. While it waits, the other queries of the batch go on.
type Conn struct {
	task    *task
	stream  Stream
	fresh   bool
	input   []byte
	timeout time.Duration
	// silent: nothing has been read from it.
	silent bool
	closed bool
}

// dial waits for room, and opens.
func (t *task) dial(endpoint uint32) (*Conn, error) {
	b := t.batch
	if len(t.conns) == 0 && b.dialers >= maxDialers {
		b.dialing = append(b.dialing, t)
		t.park()
	}
	if b.host.Clock() >= b.end {
		return nil, Failf(Timeout, "no answer within the time of the poll")
	}
	stream, fresh, err := b.host.Open(t.query, endpoint)
	if err != nil {
		return nil, err
	}
	if len(t.conns) == 0 {
		b.dialers++
	}
	conn := &Conn{task: t, stream: stream, fresh: fresh, silent: true}
	t.conns = append(t.conns, conn)
	return conn, nil
}

// Fresh tells whether the connection is new: log in first. Otherwise an earlier poll left it in good order, logged in already. It
// may have been closed meanwhile: a Poll that fails on it before anything was read is begun anew.
func (c *Conn) Fresh() bool {
	return c.fresh
}

// SetTimeout says how long a read waits; zero: until the end of the poll.
func (c *Conn) SetTimeout(timeout time.Duration) {
	c.timeout = timeout
}

// StartTLS goes on encrypted, where the endpoint's TLS says Upgrade.
func (c *Conn) StartTLS() error {
	if c.closed {
		return Failf(Internal, "the connection was given up")
	}
	return c.stream.StartTLS()
}

// Write sends data.
func (c *Conn) Write(data []byte) (int, error) {
	if c.closed {
		return 0, Failf(Internal, "the connection was given up")
	}
	if err := c.stream.Write(data); err != nil {
		return 0, c.lost(err)
	}
	return len(data), nil
}

// Read waits until something has arrived. The end is io.EOF: the peer closed the connection.
func (c *Conn) Read(into []byte) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	if c.closed {
		return 0, Failf(Internal, "the connection was given up")
	}
	if len(c.input) == 0 {
		t := c.task
		t.until = t.batch.end
		if c.timeout > 0 {
			t.until = min(t.until, t.batch.host.Clock()+c.timeout)
		}
		t.conn = c
		t.batch.reading = append(t.batch.reading, t)
		t.park()
		if t.late {
			return 0, Failf(Timeout, "no answer in time")
		}
		// It can be read or has failed: that does not wait.
		input, err := c.stream.Read(piece, time.Millisecond)
		if err != nil {
			return 0, c.lost(err)
		}
		if len(input) == 0 {
			return 0, c.lost(io.EOF)
		}
		c.input, c.silent = input, false
	}
	count := copy(into, c.input)
	c.input = c.input[count:]
	return count, nil
}

// lost notes a failure, which is the connection's age and not the source's when it had rested and has said nothing.
func (c *Conn) lost(err error) error {
	if c.silent && !c.fresh {
		c.task.stale = true
	}
	return err
}

// Keep lets the connection rest for a later poll: between two exchanges only, with nothing half-read. One that is not kept is
// closed when the query's poll ends.
func (c *Conn) Keep() {
	if !c.closed && len(c.input) == 0 {
		c.stream.Keep()
		c.gone()
		return
	}
	c.Close()
}

// Close closes it.
func (c *Conn) Close() {
	if !c.closed {
		c.stream.Close()
		c.gone()
	}
}

// closeAll closes what a poll has left open.
func (t *task) closeAll() {
	for len(t.conns) > 0 {
		t.conns[0].Close()
	}
}

func (c *Conn) gone() {
	c.closed = true
	t := c.task
	t.conns = slices.DeleteFunc(t.conns, func(other *Conn) bool { return other == c })
	if len(t.conns) == 0 {
		t.batch.dialers--
	}
}
