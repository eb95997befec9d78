package windlass_test

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass"
	"windlass/windlasstest"
)

// poller is a scaler whose poll a test writes.
type poller func(*windlass.Query[parameters]) (windlass.Reading, error)

type parameters struct {
	Mode string
}

func (poller) Configure(*parameters, *windlass.Trigger) (windlass.Plan, error) {
	return windlass.SingleMetric("test", 1, 0), nil
}

func (p poller) Poll(query *windlass.Query[parameters]) (windlass.Reading, error) {
	return p(query)
}

// poll polls one query per mode.
func poll(script *windlasstest.Script, scaler poller, modes ...string) {
	batch := windlass.Batch{Now: time.UnixMilli(0), Budget: windlasstest.Budget}
	for _, mode := range modes {
		values := []windlass.ParameterValue{{Name: "mode", Text: mode}}
		batch.Queries = append(batch.Queries, windlass.BatchQuery{Trigger: windlass.Trigger{Values: values}})
	}
	windlass.New[parameters](windlass.Info{Name: "test"}, scaler).Poll(script, batch)
}

// told is the outcomes as texts, in the order of the queries.
func told(script *windlasstest.Script, count int) []string {
	var texts []string
	for i := range count {
		switch outcome := script.Outcomes[uint32(i)]; {
		case outcome.Reading != nil:
			texts = append(texts, fmt.Sprint(outcome.Reading.Values))
		case outcome.Pending != nil:
			texts = append(texts, "pending")
		case outcome.Failure != nil:
			texts = append(texts, outcome.Failure.Error())
		default:
			texts = append(texts, "nothing")
		}
	}
	return texts
}

func expect(t *testing.T, script *windlasstest.Script, expected ...string) {
	t.Helper()
	if found := told(script, len(expected)); !slices.Equal(found, expected) {
		t.Errorf("%q instead of %q", found, expected)
	}
	if len(script.Outcomes) != len(expected) {
		t.Errorf("%d outcomes instead of %d", len(script.Outcomes), len(expected))
	}
}

func get(target, body string) windlasstest.Exchange {
	return windlasstest.Exchange{Request: "GET " + target, Body: body}
}

func length(query *windlass.Query[parameters], target string) (windlass.Reading, error) {
	response, err := query.Do(windlass.Get(target))
	return windlass.Value(float64(len(response.Body))), err
}

func TestRequestsOfABatchLeaveTogether(t *testing.T) {
	var exchange []windlasstest.Exchange
	var modes, expected []string
	for i := range 1000 {
		modes = append(modes, fmt.Sprintf("/%d", i))
		exchange = append(exchange, get(modes[i], strings.Repeat("x", i)))
		expected = append(expected, fmt.Sprintf("[%d]", i))
	}
	script := windlasstest.NewScript(exchange)
	poll(script, func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		return length(query, query.Parameters.Mode)
	}, modes...)
	expect(t, script, expected...)
	if script.Sends != 1 {
		t.Errorf("%d sends", script.Sends)
	}
}

func TestRoundsAreTakenTogether(t *testing.T) {
	script := windlasstest.NewScript([]windlasstest.Exchange{
		get("/a", "/one"), get("/b", "/two"), get("/one", "1"), get("/two", "22"), get("/c", "ccc"),
	})
	poll(script, func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		if query.Parameters.Mode == "/c" {
			return length(query, "/c")
		}
		response, err := query.Do(windlass.Get(query.Parameters.Mode))
		if err != nil {
			return windlass.Reading{}, err
		}
		return length(query, string(response.Body))
	}, "/a", "/b", "/c")
	expect(t, script, "[1]", "[2]", "[3]")
	if script.Sends != 2 {
		t.Errorf("%d sends", script.Sends)
	}
}

func TestOneQuerysTroubleIsItsOwn(t *testing.T) {
	script := windlasstest.NewScript([]windlasstest.Exchange{
		get("/good", "1234"), {Request: "GET /401", Status: 401, Body: "who\n  are you?"},
	})
	poll(script, func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		switch mode := query.Parameters.Mode; mode {
		case "panic":
			panic("oh")
		case "error":
			return windlass.Reading{}, fmt.Errorf("no failure of a kind")
		case "pending":
			return windlass.Reading{}, &windlass.Pending{Retry: time.Second}
		default:
			return length(query, mode)
		}
	}, "panic", "/401", "error", "/good", "pending")
	expect(t, script, "internal: the scaler panicked: oh", "auth: answered 401: check the credentials (who are you?)",
		"internal: no failure of a kind", "[4]", "pending")
}

// The answers of a round that has failed do not reach the next one.
func TestAFailedRoundIsOver(t *testing.T) {
	script := windlasstest.NewScript([]windlasstest.Exchange{
		{Request: "GET /fails", Status: 500}, get("/late", "late"), get("/second", "12"),
	})
	poll(script, func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		if _, err := query.DoAll(windlass.Get("/fails"), windlass.Get("/late")); err == nil {
			return windlass.Reading{}, fmt.Errorf("no failure")
		}
		return length(query, "/second")
	}, "")
	expect(t, script, "[2]")
}

func TestAskingWithoutEndIsStopped(t *testing.T) {
	var exchange []windlasstest.Exchange
	for range 20 {
		exchange = append(exchange, get("/again", ""))
	}
	script := windlasstest.NewScript(exchange)
	poll(script, func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		for {
			if _, err := query.Do(windlass.Get("/again")); err != nil {
				return windlass.Reading{}, err
			}
		}
	}, "")
	expect(t, script, "internal: asks for more after 8 rounds")
}

func ask(query *windlass.Query[parameters]) (windlass.Reading, error) {
	conn, err := query.Dial(0)
	if err != nil {
		return windlass.Reading{}, err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", query.Parameters.Mode); err != nil {
		return windlass.Reading{}, err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return windlass.Reading{}, err
	}
	conn.Keep()
	return windlass.Value(float64(len(line))), nil
}

func TestConversationsOverTCP(t *testing.T) {
	var exchange []windlasstest.Exchange
	var modes, expected []string
	for i := range 30 {
		modes = append(modes, fmt.Sprintf("LEN %d", i))
		one := windlasstest.Exchange{Sent: text(modes[i] + "\r\n"), Reply: text(strings.Repeat("x", i) + "\n")}
		switch {
		case i == 3:
			// It says nothing, and its neighbours do not wait for it.
			one.Reply = nil
			expected = append(expected, "timeout: no answer in time")
		default:
			expected = append(expected, fmt.Sprintf("[%d]", i+1))
		}
		exchange = append(exchange, one)
	}
	script := windlasstest.NewScript(exchange)
	poll(script, ask, modes...)
	expect(t, script, expected...)
	if script.Left() != 0 || len(script.Unexpected) != 0 {
		t.Errorf("%d left, %q unexpected", script.Left(), script.Unexpected)
	}
}

func TestAPeerThatCloses(t *testing.T) {
	script := windlasstest.NewScript(nil)
	poll(script, ask, "LEN 1")
	expect(t, script, "unreachable: the source closed the connection before it answered")
}

// aged is a host with connections that were closed while they rested.
type aged struct {
	*windlasstest.Script
	left int
}

type closed struct {
	windlass.Stream
}

func (closed) Write([]byte) error { return nil }
func (closed) Close()             {}

func (closed) Read(uint32, time.Duration) ([]byte, error) {
	return nil, nil
}

func (a *aged) Open(query, endpoint uint32) (windlass.Stream, bool, error) {
	if a.left--; a.left >= 0 {
		return closed{}, false, nil
	}
	return a.Script.Open(query, endpoint)
}

func (a *aged) Wait(on []windlass.Stream, timeout time.Duration) []int {
	if _, ok := on[0].(closed); ok {
		return []int{0}
	}
	return a.Script.Wait(on, timeout)
}

func TestAConnectionThatWasClosedWhileItRested(t *testing.T) {
	for _, one := range []struct {
		closed   int
		expected string
	}{{2, "[3]"}, {3, "unreachable: the source closed the connection before it answered"}} {
		script := windlasstest.NewScript([]windlasstest.Exchange{{Sent: text("LEN\r\n"), Reply: text("12\n")}})
		component := windlass.New[parameters](windlass.Info{Name: "test"}, poller(ask))
		query := windlass.BatchQuery{Trigger: windlass.Trigger{Values: []windlass.ParameterValue{{Name: "mode", Text: "LEN"}}}}
		batch := windlass.Batch{Budget: windlasstest.Budget, Queries: []windlass.BatchQuery{query}}
		component.Poll(&aged{script, one.closed}, batch)
		expect(t, script, one.expected)
	}
}

func TestAKeptConnectionIsUsedAgain(t *testing.T) {
	script := windlasstest.NewScript([]windlasstest.Exchange{{Sent: text("LEN\r\n"), Reply: text("1\n")}})
	var fresh []bool
	scaler := func(query *windlass.Query[parameters]) (windlass.Reading, error) {
		conn, err := query.Dial(0)
		if err != nil {
			return windlass.Reading{}, err
		}
		fresh = append(fresh, conn.Fresh())
		if query.Parameters.Mode == "keep" {
			conn.Keep()
		}
		return windlass.Value(0), nil
	}
	poll(script, scaler, "keep", "drop", "keep")
	expect(t, script, "[0]", "[0]", "[0]")
	if !slices.Equal(fresh, []bool{true, false, true}) {
		t.Errorf("%v", fresh)
	}
}
