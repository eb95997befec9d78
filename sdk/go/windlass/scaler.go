package windlass

import (
	"fmt"
	"reflect"
	"time"
)

// Scaler is an event source; P is the struct of its parameters. It has no state of its own: an instance lives for one batch, and
// whatever a query needs stands in its parameters, or in its State.
//
// The exported fields of P are the parameters. Their names and whether they are required stand in the tag `windlass:"name,required"`
// (without a name: the field's, queueLength for QueueLength and url for URL); further tags are
//
//	doc:"…"                          what people read about it
//	default:"5"                      the value when it is not set, as a user would write it
//	from:"metadata,authentication"   where it may come from, also environment; metadata when not given
//	choices:"a,b"                    allowed values
//	aliases:"a,b"                    other names for it
//	deprecated:"use x"               no longer accepted, and what to use instead
//
// Types are string, bool, integers, floats, time.Duration, [URL], [Address], []string, []Address, map[string]string (a=b,c=d; or, with
// a name such as "query.*", all with that prefix), [Sealed], [Revealed]; pointers to them tell what is not set. A URL may carry a
// user and a password: `windlass:"url,required,sealed"` leaves them with the host, to be used by [UserOf].
type Scaler[P any] interface {
	// Configure makes a plan of what a user wrote, or says what is wrong with it: a [Problem], or several with errors.Join. It
	// calls nothing of the host.
	Configure(parameters *P, trigger *Trigger) (Plan, error)
	// Poll asks the source. Its error is a [Failure], [Pending], or anything else, which is then told as the scaler's own fault.
	Poll(query *Query[P]) (Reading, error)
}

// Info is what a scaler says of itself.
type Info struct {
	Name    string
	Version string
	// Triggers are the trigger types that it answers to; none: its name.
	Triggers []string
	// Needs beyond the usual: "learn" for endpoints that the source names, "owner" to know the object.
	Needs []string
	// OpenEnded: metadata that is not declared is handed over too, in [Trigger.Extras].
	OpenEnded bool
	// Parameters are filled in by [New].
	Parameters []Parameter
}

// Component is a scaler as the host calls it, and a test.
type Component struct {
	info      Info
	configure func(*Trigger) (Plan, error)
	poll      func(*task, *Trigger, []byte, time.Time) (Reading, error)
}

// New makes a component of a scaler. It panics when the struct of parameters cannot be declared: that is a mistake in the program,
// and `go test` shows it.
func New[P any](info Info, scaler Scaler[P]) *Component {
	fields, err := fieldsOf(reflect.TypeFor[P]())
	if err != nil {
		panic("windlass: " + err.Error())
	}
	if len(info.Triggers) == 0 {
		info.Triggers = []string{info.Name}
	}
	info.Parameters = nil
	for _, one := range fields {
		info.Parameters = append(info.Parameters, one.parameter)
	}
	return &Component{
		info: info,
		configure: func(trigger *Trigger) (Plan, error) {
			parameters := new(P)
			if problems := read(fields, trigger.Values, reflect.ValueOf(parameters).Elem()); len(problems) > 0 {
				return Plan{}, joined(problems)
			}
			return scaler.Configure(parameters, trigger)
		},
		poll: func(task *task, trigger *Trigger, state []byte, now time.Time) (Reading, error) {
			query := &Query[P]{Parameters: new(P), Trigger: trigger, State: state, Now: now, task: task}
			if problems := read(fields, trigger.Values, reflect.ValueOf(query.Parameters).Elem()); len(problems) > 0 {
				return Reading{}, Failf(Invalid, "%s", problemText(problems))
			}
			return scaler.Poll(query)
		},
	}
}

// joined is several problems as one error.
type joined []Problem

func (j joined) Error() string {
	return problemText(j)
}

func (j joined) Unwrap() []error {
	all := make([]error, len(j))
	for i := range j {
		all[i] = &j[i]
	}
	return all
}

// Describe tells what the scaler is.
func (c *Component) Describe() Info {
	return c.info
}

// Configure makes a plan of a trigger, or tells all that is wrong with it. A panic is the scaler's own fault.
func (c *Component) Configure(trigger *Trigger) (plan Plan, problems []Problem) {
	defer func() {
		if reason := recover(); reason != nil {
			plan, problems = Plan{}, []Problem{{Message: fmt.Sprintf("the scaler panicked: %v", reason)}}
		}
	}()
	plan, err := c.configure(trigger)
	if err != nil {
		return Plan{}, problemsOf(err)
	}
	if plan.Requests == 0 {
		plan.Requests = uint32(len(plan.Endpoints))
	}
	return plan, nil
}

// Batch is what the host asks in one call.
type Batch struct {
	// Now is the wall time.
	Now time.Time
	// Budget is how long the poll may take.
	Budget  time.Duration
	Queries []BatchQuery
}

// BatchQuery is one query of a batch.
type BatchQuery struct {
	Trigger Trigger
	// State that the query left last time.
	State []byte
}
