package windlass

import "time"

// Reading is what a poll found.
type Reading struct {
	// Values, one per metric of the plan, in its order.
	Values []float64
	// Active, where the scaler tells it; nil: any value above its activation.
	Active *bool
	// Observed is the source's own time stamp, where it has one.
	Observed time.Time
	// Next is when to ask again at the latest: the next moment at which the value changes.
	Next time.Time
	// State is what the next poll wants to find, at most 16 KiB; nil: as it is.
	State []byte
	// Metrics, only of a plan that says Discovered.
	Metrics []Metric
}

// Value is a reading of one value.
func Value(value float64) Reading {
	return Reading{Values: []float64{value}}
}

// Outcome is what is told of a query: one of the three.
type Outcome struct {
	Reading *Reading
	Failure *Failure
	Pending *Pending
}

func outcomeOf(reading Reading, err error) Outcome {
	if err == nil {
		return Outcome{Reading: &reading}
	}
	if pending, ok := err.(*Pending); ok {
		return Outcome{Pending: pending}
	}
	return Outcome{Failure: failureOf(err)}
}
