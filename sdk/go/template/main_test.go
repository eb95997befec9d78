package main

import (
	"testing"

	"windlass/windlasstest"
)

// The folder cases says what users write and what comes of it.
func TestCases(t *testing.T) {
	windlasstest.RunCases(t, component, "cases")
}

func TestNumber(t *testing.T) {
	document := []byte(`{"a": [{"b": 1.5}, "2"], "c": {"0": 3}}`)
	for path, expected := range map[string]float64{"a.0.b": 1.5, "a.1": 2, "c.0": 3} {
		if found, err := number(document, path); err != nil || found != expected {
			t.Errorf("%s: %v, %v", path, found, err)
		}
	}
	for _, path := range []string{"", "a", "a.2", "a.-1", "a.0.b.c", "c.1"} {
		if found, err := number(document, path); err == nil {
			t.Errorf("%s: %v", path, found)
		}
	}
}
