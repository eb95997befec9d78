package windlass_test

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"windlass"
	"windlass/windlasstest"
)

// What users write.
type listParameters struct {
	Address  windlass.Address  `windlass:",required" doc:"host:port of the server."`
	List     string            `windlass:",required" doc:"Name of the list."`
	Target   float64           `default:"5" doc:"Entries per replica."`
	Password windlass.Revealed `from:"authentication" doc:"For the log-in."`
}

// listLength is the length of a list, over TCP.
type listLength struct{}

func (listLength) Configure(parameters *listParameters, _ *windlass.Trigger) (windlass.Plan, error) {
	return windlass.SingleMetric("list-"+parameters.List, parameters.Target, 0, parameters.Address.Endpoint()), nil
}

func (listLength) Poll(query *windlass.Query[listParameters]) (windlass.Reading, error) {
	conn, err := query.Dial(0)
	if err != nil {
		return windlass.Reading{}, err
	}
	lines := bufio.NewReader(conn)
	ask := func(command string) (string, error) {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			return "", err
		}
		line, err := lines.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	if conn.Fresh() && query.Parameters.Password.IsSet() {
		if answer, err := ask("AUTH " + query.Parameters.Password.Reveal()); err != nil {
			return windlass.Reading{}, err
		} else if answer != "+OK" {
			return windlass.Reading{}, windlass.Failf(windlass.Auth, "the server refused the password")
		}
	}
	answer, err := ask("LLEN " + query.Parameters.List)
	if err != nil {
		return windlass.Reading{}, err
	}
	length, err := strconv.ParseFloat(strings.TrimPrefix(answer, ":"), 64)
	if err != nil {
		return windlass.Reading{}, windlass.Failf(windlass.BadResponse, "the server answered %q", answer)
	}
	conn.Keep()
	return windlass.Value(length), nil
}

func text(text string) *string {
	return &text
}

// A scaler that speaks to its source over TCP, and a test that plays the source.
func Example() {
	component := windlass.New[listParameters](windlass.Info{Name: "list-length", Version: "0.1.0"}, listLength{})
	err := windlasstest.Run(component, windlasstest.Case{
		Metadata:       map[string]string{"address": "redis:6379", "list": "jobs"},
		Authentication: map[string]string{"password": "hush"},
		Metrics:        [][3]any{{"list-jobs", 5.0, 0.0}},
		Endpoints:      []string{"redis:6379"},
		Polls: []windlasstest.Poll{{
			Exchange: []windlasstest.Exchange{
				{Sent: text("AUTH hush\r\n"), Reply: text("+OK\r\n")},
				{Sent: text("LLEN jobs\r\n"), Reply: text(":7\r\n")},
			},
			Expect: windlasstest.Expected{Values: []float64{7}},
		}},
	})
	fmt.Println(err)
	// Output: <nil>
}
