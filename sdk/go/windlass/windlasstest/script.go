package windlasstest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"windlass"
)

// Budget is how long a poll may take in a test.
const Budget = 5 * time.Second

// Script is a host whose sources play an exchange. Time passes only in a wait that nothing ends, so a test never waits.
type Script struct {
	// Outcomes that were told, by query.
	Outcomes map[uint32]windlass.Outcome
	// Unexpected is what was asked and not to be found in the script.
	Unexpected []string
	// Sends counts the calls that sent requests.
	Sends int
	// Lines that were logged.
	Lines []string
	left  []Exchange
	kept  map[uint32][]*stream
	clock time.Duration
}

// NewScript plays an exchange; each entry is asked for once, in any order.
func NewScript(exchange []Exchange) *Script {
	return &Script{Outcomes: map[uint32]windlass.Outcome{}, left: slices.Clone(exchange), kept: map[uint32][]*stream{}}
}

// Left is how many entries have not been asked for.
func (s *Script) Left() int {
	return len(s.left)
}

// Put keeps the first outcome of a query.
func (s *Script) Put(query uint32, outcome windlass.Outcome) {
	if _, told := s.Outcomes[query]; !told {
		s.Outcomes[query] = outcome
	}
}

// take takes the first entry that fits.
func (s *Script) take(asked string, fits func(Exchange) bool) (Exchange, bool) {
	place := slices.IndexFunc(s.left, fits)
	if place < 0 {
		s.Unexpected = append(s.Unexpected, asked)
		return Exchange{}, false
	}
	entry := s.left[place]
	s.left = slices.Delete(s.left, place, place+1)
	return entry, true
}

type answer struct {
	response windlass.Response
	err      error
}

type answers struct {
	left []answer
	told int
}

func (a *answers) Next() (int, windlass.Response, error, bool) {
	if a.told == len(a.left) {
		return 0, windlass.Response{}, nil, false
	}
	one := a.left[a.told]
	a.told++
	return a.told - 1, one.response, one.err, true
}

// Send answers from the script.
func (s *Script) Send(_ []uint32, requests []windlass.Request) windlass.Exchange {
	s.Sends++
	told := &answers{}
	for _, request := range requests {
		response, err := s.respond(request)
		told.left = append(told.left, answer{response, err})
	}
	return told
}

func (s *Script) respond(request windlass.Request) (windlass.Response, error) {
	line := request.Method + " " + request.Target
	credentials := credentialsOf(request)
	entry, ok := s.take(fmt.Sprintf("%s %v %v", line, request.Headers, credentials), func(entry Exchange) bool {
		for name, value := range entry.Headers {
			carried := func(h windlass.Header) bool { return strings.EqualFold(h.Name, name) && h.Value == value }
			if !slices.ContainsFunc(request.Headers, carried) {
				return false
			}
		}
		return entry.Request == line && entry.Content == string(request.Body) && slices.Equal(entry.Credentials, credentials)
	})
	if !ok {
		return windlass.Response{}, windlass.Failf(windlass.Internal, "the script has no such request")
	}
	response := windlass.Response{Status: entry.Status, Body: []byte(entry.Body)}
	if response.Status == 0 {
		response.Status = 200
	}
	for _, name := range slices.Sorted(maps.Keys(entry.AnswerHeaders)) {
		response.Headers = append(response.Headers, windlass.Header{Name: name, Value: entry.AnswerHeaders[name]})
	}
	return response, nil
}

// credentialsOf is a request's credentials as a case writes them.
func credentialsOf(request windlass.Request) []string {
	var texts []string
	for _, credential := range request.Credentials {
		text := credential.Scheme
		for _, role := range slices.Concat(credential.Secrets, credential.Settings) {
			text += " " + role.Role + "=" + role.Name
		}
		texts = append(texts, text)
	}
	return texts
}

// stream is a connection to a source that plays the script.
type stream struct {
	script   *Script
	endpoint uint32
	pending  bytes.Buffer
	closed   bool
}

// Open opens a connection, or takes one that was kept.
func (s *Script) Open(_, endpoint uint32) (windlass.Stream, bool, error) {
	if kept := s.kept[endpoint]; len(kept) > 0 {
		s.kept[endpoint] = kept[1:]
		return kept[0], false, nil
	}
	return &stream{script: s, endpoint: endpoint}, true, nil
}

// Wait tells which can be read; when none can, the time passes.
func (s *Script) Wait(on []windlass.Stream, timeout time.Duration) []int {
	var ready []int
	for i, one := range on {
		if side, ok := one.(*stream); ok && (side.closed || side.pending.Len() > 0) {
			ready = append(ready, i)
		}
	}
	if len(ready) == 0 {
		s.clock += timeout
	}
	return ready
}

// Learn gives every name the number 1000.
func (s *Script) Learn(_, _ uint32, _ string, _ uint16) (uint32, error) {
	return 1000, nil
}

// Clock is the time of the script.
func (s *Script) Clock() time.Duration {
	return s.clock
}

// Random is always the same.
func (s *Script) Random(count uint32) []byte {
	return bytes.Repeat([]byte{7}, int(count))
}

// Log keeps the line.
func (s *Script) Log(_ windlass.Level, _ uint32, message string) {
	s.Lines = append(s.Lines, message)
}

func (c *stream) StartTLS() error {
	return nil
}

func (c *stream) Write(data []byte) error {
	entry, ok := c.script.take(fmt.Sprintf("%q", data), func(entry Exchange) bool {
		return entry.Sent != nil && *entry.Sent == string(data)
	})
	switch {
	case !ok:
		c.closed = true
	case entry.Reply != nil:
		c.pending.WriteString(*entry.Reply)
	}
	return nil
}

func (c *stream) Read(most uint32, _ time.Duration) ([]byte, error) {
	return bytes.Clone(c.pending.Next(int(most))), nil
}

func (c *stream) Keep() {
	c.script.kept[c.endpoint] = append(c.script.kept[c.endpoint], c)
}

func (c *stream) Close() {
	c.closed = true
}
