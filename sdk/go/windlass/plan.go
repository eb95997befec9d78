package windlass

import "strings"

// Plan is what a trigger comes to: its metrics, whom it asks, and how often.
type Plan struct {
	// Metrics; none together with Discovered.
	Metrics []Metric
	// Discovered: the first reading tells the metrics.
	Discovered bool
	// Endpoints; a request names one by its place, the first is 0.
	Endpoints []Endpoint
	// Group: queries of equal group and endpoints may share a request.
	Group string
	// Requests is the usual number of requests per poll; zero: one per endpoint.
	Requests uint32
}

// Metric is one of a plan's metrics.
type Metric struct {
	// Name, without the prefix that the host adds; see [Normalize].
	Name string
	// Target, per replica or in all, as the trigger's metricType says.
	Target float64
	// Activation: the workload is active above it.
	Activation float64
}

// Endpoint is a host that may be asked because the user wrote it.
type Endpoint struct {
	// Parameter in whose value the host stands; empty only by the operator's policy.
	Parameter string
	Host      string
	Port      uint16
	// TLS; nil: none.
	TLS *TLS
}

// TLS says how an endpoint is talked to. The fields that hold material name parameters; the host reads them.
type TLS struct {
	// Upgrade: not from the first byte, but at [Conn.StartTLS].
	Upgrade bool
	// ServerName, where it is not the endpoint's host.
	ServerName string
	// Insecure: the peer's certificate is not verified.
	Insecure bool
	// CA, Certificate, Key and KeyPassword are names of parameters.
	CA, Certificate, Key, KeyPassword string
}

// SingleMetric is a plan with one metric and its endpoints. The name is normalized.
func SingleMetric(name string, target, activation float64, endpoints ...Endpoint) Plan {
	metric := Metric{Name: Normalize(name), Target: target, Activation: activation}
	return Plan{Metrics: []Metric{metric}, Endpoints: endpoints}
}

var normal = strings.NewReplacer("/", "-", ".", "-", ":", "-", "%", "-", "(", "-", ")", "-")

// Normalize makes a metric's name as KEDA writes it: '/', '.', ':', '%' and parentheses become '-'.
func Normalize(name string) string {
	return normal.Replace(name)
}
