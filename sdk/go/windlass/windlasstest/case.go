// Package windlasstest tests scalers natively: a source that plays a script, and the cases beside a scaler's sources, which are
// the same in every language.
package windlasstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass"
)

// Case is a folder's case.json: what a user writes, and what must come of it.
type Case struct {
	// About says what it shows.
	About string `json:"about"`
	// Type of the trigger; without it the scaler's first.
	Type string `json:"type"`
	// Metadata of the trigger; values of the environment are given here too.
	Metadata map[string]string `json:"metadata"`
	// Authentication: parameters from a TriggerAuthentication.
	Authentication map[string]string `json:"authentication"`
	// Problems: parts of messages by parameter, "" for those of none. Then nothing else is expected.
	Problems map[string]string `json:"problems"`
	// Metrics: name, target and activation.
	Metrics [][3]any `json:"metrics"`
	// Endpoints: "host:port" or "host:port tls".
	Endpoints []string `json:"endpoints"`
	// Polls, one after the other; state is carried along.
	Polls []Poll `json:"polls"`
}

// Poll of a case.
type Poll struct {
	// Now, for instance 2026-03-29T00:30:00Z; without it 1970.
	Now time.Time `json:"now"`
	// Exchange: what the source is asked and answers, each once and in any order.
	Exchange []Exchange `json:"exchange"`
	// Expect is what comes of it.
	Expect Expected `json:"expect"`
}

// Exchange is a request and its answer, or bytes and their answer.
type Exchange struct {
	// Request is method and target, for instance "GET /api?x=1".
	Request string `json:"request"`
	// Headers that the request must carry.
	Headers map[string]string `json:"headers"`
	// Credentials that the request must carry: "scheme role=name …".
	Credentials []string `json:"credentials"`
	// Content is the request's body.
	Content string `json:"content"`
	// Status of the answer; 0 is 200.
	Status uint16 `json:"status"`
	// AnswerHeaders of the answer.
	AnswerHeaders map[string]string `json:"answer_headers"`
	// Body of the answer.
	Body string `json:"body"`
	// Sent is what is written over TCP.
	Sent *string `json:"sent"`
	// Reply is what is answered to it; without it the source says nothing.
	Reply *string `json:"reply"`
}

// Expected is what comes of a poll.
type Expected struct {
	Values []float64 `json:"values"`
	// Active, where the scaler tells it.
	Active *bool `json:"active"`
	// Next is when it wants to be asked again, where it says so.
	Next *time.Time `json:"next"`
	// Failed is the kind of failure, for instance "bad-response".
	Failed string `json:"failed"`
	// Message is a part of the failure's message.
	Message string `json:"message"`
}

// RunCases runs every case of a folder, each a subtest.
func RunCases(t *testing.T, component *windlass.Component, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", "case.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case in %s", folder)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var one Case
			decoder := json.NewDecoder(bytes.NewReader(text))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&one); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if err := Run(component, one); err != nil {
				t.Error(err)
			}
		})
	}
}

// Run runs one case, and says what is not as it should be.
func Run(component *windlass.Component, one Case) error {
	trigger, problems := Resolve(component.Describe(), one.Type, one.Metadata, one.Authentication)
	var plan windlass.Plan
	if len(problems) == 0 {
		plan, problems = component.Configure(&trigger)
	}
	if len(problems) > 0 || len(one.Problems) > 0 {
		return sameProblems(problems, one.Problems)
	}
	if err := samePlan(plan, one); err != nil {
		return err
	}
	var state []byte
	for i, poll := range one.Polls {
		script := NewScript(poll.Exchange)
		now := poll.Now
		if now.IsZero() {
			now = time.UnixMilli(0).UTC()
		}
		query := windlass.BatchQuery{Trigger: trigger, State: state}
		component.Poll(script, windlass.Batch{Now: now, Budget: Budget, Queries: []windlass.BatchQuery{query}})
		if err := script.check(poll.Expect); err != nil {
			return fmt.Errorf("poll %d: %w", i, err)
		}
		switch outcome := script.Outcomes[0]; {
		case outcome.Reading != nil && outcome.Reading.State != nil:
			state = outcome.Reading.State
		case outcome.Pending != nil:
			state = outcome.Pending.State
		}
	}
	return nil
}

func sameProblems(found []windlass.Problem, expected map[string]string) error {
	fits := len(found) == len(expected)
	for _, problem := range found {
		part, ok := expected[problem.Parameter]
		fits = fits && ok && strings.Contains(problem.Message, part)
	}
	if !fits {
		return fmt.Errorf("problems: %v instead of %v", found, expected)
	}
	return nil
}

func samePlan(plan windlass.Plan, one Case) error {
	metrics := [][3]any{}
	for _, metric := range plan.Metrics {
		metrics = append(metrics, [3]any{metric.Name, metric.Target, metric.Activation})
	}
	if !slices.Equal(metrics, one.Metrics) {
		return fmt.Errorf("metrics: %v instead of %v", metrics, one.Metrics)
	}
	var endpoints []string
	for _, endpoint := range plan.Endpoints {
		text := fmt.Sprintf("%s:%d", endpoint.Host, endpoint.Port)
		if endpoint.TLS != nil {
			text += " tls"
		}
		endpoints = append(endpoints, text)
	}
	if !slices.Equal(endpoints, one.Endpoints) {
		return fmt.Errorf("endpoints: %v instead of %v", endpoints, one.Endpoints)
	}
	return nil
}

func (s *Script) check(expected Expected) error {
	if len(s.Unexpected) > 0 {
		return fmt.Errorf("asked what the case does not say: %s", strings.Join(s.Unexpected, "; "))
	}
	if len(s.left) > 0 {
		return fmt.Errorf("never asked: %+v", s.left)
	}
	outcome, told := s.Outcomes[0]
	switch {
	case !told:
		return fmt.Errorf("no outcome was told")
	case outcome.Pending != nil:
		return fmt.Errorf("is pending")
	case outcome.Failure != nil:
		failure := outcome.Failure
		if failure.Kind.String() != expected.Failed || !strings.Contains(failure.Message, expected.Message) {
			return fmt.Errorf("failed as %v instead of %+v", failure, expected)
		}
		return nil
	}
	reading := outcome.Reading
	var next *time.Time
	if !reading.Next.IsZero() {
		next = &reading.Next
	}
	same := expected.Failed == "" && slices.Equal(reading.Values, expected.Values) && equal(reading.Active, expected.Active)
	if !same || (next == nil) != (expected.Next == nil) || next != nil && !next.Equal(*expected.Next) {
		return fmt.Errorf("%+v instead of %+v", *reading, expected)
	}
	return nil
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
