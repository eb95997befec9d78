// {{pascal}} is a scaler for Windlass: the number at a place in a JSON document.
package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"windlass"
)

// Parameters is what users write.
type Parameters struct {
	URL                   windlass.URL    `windlass:",required" from:"metadata,environment" doc:"Address that answers with JSON, for instance http://queues.shop:8080/depth."`
	ValueLocation         string          `default:"value" doc:"Where the number is: a dotted path, a number is an index into an array, for instance queues.0.length."`
	TargetValue           float64         `default:"5" doc:"Value per replica."`
	ActivationTargetValue float64         `default:"0" doc:"The workload is active above this value."`
	Token                 windlass.Sealed `from:"authentication" doc:"Sent as bearer token."`
}

// {{pascal}} is the scaler.
type {{pascal}} struct{}

var component = windlass.New[Parameters](windlass.Info{Name: "{{name}}", Version: "0.1.0"}, {{pascal}}{})

func init() {
	windlass.Export(component)
}

// main is never called: the host calls what init exported.
func main() {}

// Configure makes a plan of what a user wrote.
func ({{pascal}}) Configure(parameters *Parameters, _ *windlass.Trigger) (windlass.Plan, error) {
	if !(parameters.TargetValue > 0) {
		return windlass.Plan{}, windlass.Problemf("targetValue", "must be greater than zero")
	}
	endpoint, err := parameters.URL.Endpoint()
	if err != nil {
		return windlass.Plan{}, err
	}
	name := "{{name}}-" + parameters.ValueLocation
	return windlass.SingleMetric(name, parameters.TargetValue, parameters.ActivationTargetValue, endpoint), nil
}

// Poll asks the source. It may block as it likes: the other queries of the batch go on, and what all of them ask leaves together.
func ({{pascal}}) Poll(query *windlass.Query[Parameters]) (windlass.Reading, error) {
	parameters := query.Parameters
	request := windlass.Get(parameters.URL.Target()).WithHeader("accept", "application/json")
	if parameters.Token.IsSet() {
		request = request.WithCredential(windlass.Bearer(parameters.Token))
	}
	response, err := query.Do(request)
	if err != nil {
		return windlass.Reading{}, err
	}
	value, err := number(response.Body, parameters.ValueLocation)
	if err != nil {
		return windlass.Reading{}, err
	}
	return windlass.Value(value), nil
}

// number is the number at a dotted path of a JSON document; a text that is a number counts.
func number(document []byte, path string) (float64, error) {
	var at any
	if err := json.Unmarshal(document, &at); err != nil || !utf8.Valid(document) {
		return 0, windlass.Failf(windlass.BadResponse, "the answer is not JSON")
	}
	for _, step := range strings.Split(path, ".") {
		found := false
		switch container := at.(type) {
		case map[string]any:
			at, found = container[step]
		case []any:
			if index, err := strconv.ParseUint(step, 10, 31); err == nil && index < uint64(len(container)) {
				at, found = container[index], true
			}
		}
		if !found {
			return 0, windlass.Failf(windlass.BadResponse, "valueLocation: \"%s\" is not in the answer", path)
		}
	}
	switch value := at.(type) {
	case float64:
		return value, nil
	case string:
		// Nothing of what ParseFloat takes beyond decimals: inf, nan, 0x1p3.
		text := strings.TrimSpace(value)
		if number, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789+-.eE") == "" {
			return number, nil
		}
	}
	return 0, windlass.Failf(windlass.BadResponse, "valueLocation: \"%s\" is not a number", path)
}
