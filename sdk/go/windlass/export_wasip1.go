package windlass

import (
	"time"

	_ "windlass/internal/bindings/exports/wit_exports"
	bindings "windlass/internal/bindings/imports/windlass_scaler_types"
	"windlass/internal/exports"
	"windlass/internal/wit"
)

// Export makes the scaler the component's: to be called in an init function of the main package. Natively it does nothing.
func Export(component *Component) {
	exports.Exported = exported{component}
}

// exported is a component in the words of the bindings.
type exported struct {
	component *Component
}

func (e exported) Describe() bindings.Info {
	info := e.component.Describe()
	described := bindings.Info{
		Name: info.Name, Version: info.Version, Triggers: info.Triggers, OpenEnded: info.OpenEnded, Needs: info.Needs,
	}
	for _, p := range info.Parameters {
		parameter := bindings.Parameter{
			Name: p.Name, Aliases: p.Aliases, Shape: uint8(p.Shape), Required: p.Required, Choices: p.Choices,
			Secrecy: uint8(p.Secrecy), Origin: uint8(p.Origin), Deprecated: text(p.Deprecated), Doc: p.Doc,
		}
		if p.Initial != nil {
			parameter.Initial = wit.Some(*p.Initial)
		}
		described.Parameters = append(described.Parameters, parameter)
	}
	return described
}

func (e exported) Configure(triggers []bindings.Trigger) []exports.Answer {
	answers := make([]exports.Answer, len(triggers))
	for i := range triggers {
		trigger := triggerOf(&triggers[i])
		plan, problems := e.component.Configure(&trigger)
		if len(problems) == 0 {
			answers[i] = wit.Ok[bindings.Plan, []bindings.Problem](planTo(plan))
			continue
		}
		told := make([]bindings.Problem, len(problems))
		for j, problem := range problems {
			told[j] = bindings.Problem{Parameter: text(problem.Parameter), Message: problem.Message}
		}
		answers[i] = wit.Err[bindings.Plan](told)
	}
	return answers
}

func (e exported) Poll(batch bindings.Batch) {
	asked := Batch{Now: time.UnixMilli(int64(batch.NowMs)).UTC(), Budget: milliseconds(batch.BudgetMs)}
	for i := range batch.Queries {
		query := &batch.Queries[i]
		asked.Queries = append(asked.Queries, BatchQuery{Trigger: triggerOf(&query.Trigger), State: query.State})
	}
	e.component.Poll(host{}, asked)
}

func triggerOf(t *bindings.Trigger) Trigger {
	trigger := Trigger{Type: t.Kind, Identity: t.Identity.SomeOr("")}
	for _, value := range t.Values {
		sealed := value.Text.Tag() == wit.OptionNone
		trigger.Values = append(trigger.Values, ParameterValue{Name: value.Name, Text: value.Text.SomeOr(""), Sealed: sealed})
	}
	if len(t.Extras) > 0 {
		trigger.Extras = map[string]string{}
		for _, extra := range t.Extras {
			trigger.Extras[extra.F0] = extra.F1
		}
	}
	if t.Owner.Tag() == wit.OptionSome {
		owner := t.Owner.Some()
		trigger.Owner = &Owner{owner.Kind == bindings.OwnerKind_ScaledJob, owner.Namespace, owner.Name}
	}
	return trigger
}

func planTo(plan Plan) bindings.Plan {
	told := bindings.Plan{Metrics: bindings.MakeMetricsDiscovered(), Group: plan.Group, Requests: plan.Requests}
	if !plan.Discovered {
		told.Metrics = bindings.MakeMetricsFixed(metricsTo(plan.Metrics))
	}
	for _, e := range plan.Endpoints {
		endpoint := bindings.Endpoint{Parameter: text(e.Parameter), Host: e.Host, Port: e.Port}
		if e.TLS != nil {
			endpoint.Tls = wit.Some(bindings.Tls{
				Upgrade: e.TLS.Upgrade, ServerName: text(e.TLS.ServerName), Verify: !e.TLS.Insecure, Ca: text(e.TLS.CA),
				Certificate: text(e.TLS.Certificate), Key: text(e.TLS.Key), KeyPassword: text(e.TLS.KeyPassword),
			})
		}
		told.Endpoints = append(told.Endpoints, endpoint)
	}
	return told
}

func metricsTo(metrics []Metric) []bindings.Metric {
	told := make([]bindings.Metric, len(metrics))
	for i, metric := range metrics {
		told[i] = bindings.Metric{Name: metric.Name, Target: metric.Target, Activation: metric.Activation}
	}
	return told
}

// text is a text that is left out where it is empty.
func text(text string) wit.Option[string] {
	if text == "" {
		return wit.None[string]()
	}
	return wit.Some(text)
}

func milliseconds[N uint32 | uint64](count N) time.Duration {
	return time.Duration(count) * time.Millisecond
}

// wholeMilliseconds is a duration as the contract counts it.
func wholeMilliseconds(duration time.Duration) uint32 {
	return uint32(min(max(duration.Milliseconds(), 0), 1<<32-1))
}
