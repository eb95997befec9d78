// Package exports is where the generated exports find the scaler.
package exports

import (
	bindings "windlass/internal/bindings/imports/windlass_scaler_types"
	"windlass/internal/wit"
)

// Answer is what configure says of one trigger.
type Answer = wit.Result[bindings.Plan, []bindings.Problem]

// Scaler is the contract's export.
type Scaler interface {
	Describe() bindings.Info
	Configure([]bindings.Trigger) []Answer
	Poll(bindings.Batch)
}

// Exported is set once, before the host calls anything.
var Exported Scaler

func exported() Scaler {
	if Exported == nil {
		panic("nothing is exported: call windlass.Export in an init function")
	}
	return Exported
}

// Describe is the contract's.
func Describe() bindings.Info {
	return exported().Describe()
}

// Configure is the contract's.
func Configure(triggers []bindings.Trigger) []Answer {
	return exported().Configure(triggers)
}

// Poll is the contract's.
func Poll(batch bindings.Batch) {
	exported().Poll(batch)
}
