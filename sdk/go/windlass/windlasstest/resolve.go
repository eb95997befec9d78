package windlasstest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass"
)

// Resolve makes a trigger of what a user writes, by the host's rules: what is required, shapes, choices, defaults, secrets. Values of
// the environment are given as metadata.
func Resolve(info windlass.Info, kind string, metadata, authentication map[string]string) (windlass.Trigger, []windlass.Problem) {
	if kind == "" {
		kind = info.Triggers[0]
	}
	trigger := windlass.Trigger{Type: kind}
	var problems []windlass.Problem
	known := map[string]bool{}
	for _, parameter := range info.Parameters {
		known[parameter.Name] = true
		for _, alias := range parameter.Aliases {
			known[alias] = true
		}
		found := find(parameter, metadata, authentication)
		for _, value := range found {
			if err := settle(parameter, &value); err != nil {
				problems = append(problems, windlass.Problem{Parameter: value.Name, Message: err.Error()})
			} else {
				trigger.Values = append(trigger.Values, value)
			}
		}
		if parameter.Required && len(found) == 0 {
			problems = append(problems, windlass.Problem{Parameter: parameter.Name, Message: "is required"})
		}
	}
	if info.OpenEnded {
		trigger.Extras = map[string]string{}
		for name, text := range metadata {
			if !known[name] {
				trigger.Extras[name] = text
			}
		}
	}
	return trigger, problems
}

// find is the values of a parameter, with the names under which the scaler gets them.
func find(parameter windlass.Parameter, metadata, authentication map[string]string) []windlass.ParameterValue {
	var places []map[string]string
	if parameter.Origin&(windlass.FromMetadata|windlass.FromEnvironment) != 0 {
		places = append(places, metadata)
	}
	if parameter.Origin&windlass.FromAuthentication != 0 {
		places = append(places, authentication)
	}
	var found []windlass.ParameterValue
	if prefix, ok := strings.CutSuffix(parameter.Name, "*"); ok {
		for _, place := range places {
			for name, text := range place {
				if strings.HasPrefix(name, prefix) {
					found = append(found, windlass.ParameterValue{Name: name, Text: strings.TrimSpace(text)})
				}
			}
		}
		slices.SortFunc(found, func(a, b windlass.ParameterValue) int { return strings.Compare(a.Name, b.Name) })
		return found
	}
	for _, place := range places {
		for _, name := range append([]string{parameter.Name}, parameter.Aliases...) {
			if text := strings.TrimSpace(place[name]); text != "" {
				return []windlass.ParameterValue{{Name: parameter.Name, Text: text}}
			}
		}
	}
	if parameter.Initial != nil {
		return []windlass.ParameterValue{{Name: parameter.Name, Text: *parameter.Initial}}
	}
	return nil
}

// settle brings a value into the form in which the scaler gets it.
func settle(parameter windlass.Parameter, value *windlass.ParameterValue) error {
	if parameter.Deprecated != "" {
		return fmt.Errorf("is no longer accepted: %s", parameter.Deprecated)
	}
	entries := []string{value.Text}
	isList := parameter.Shape == windlass.ShapeTexts || parameter.Shape == windlass.ShapeAddresses || parameter.Shape == windlass.ShapePairs
	if isList {
		entries = nil
		for _, entry := range strings.Split(value.Text, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				entries = append(entries, entry)
			}
		}
		value.Text = strings.Join(entries, ",")
	}
	for _, entry := range entries {
		if len(parameter.Choices) > 0 && !slices.Contains(parameter.Choices, entry) {
			return fmt.Errorf("is not one of %s", strings.Join(parameter.Choices, ", "))
		}
	}
	switch parameter.Shape {
	case windlass.ShapeInteger:
		number, err := strconv.ParseInt(value.Text, 10, 64)
		if err != nil {
			return fmt.Errorf("is not an integer")
		}
		value.Text = strconv.FormatInt(number, 10)
	case windlass.ShapeNumber:
		number, err := strconv.ParseFloat(value.Text, 64)
		if err != nil {
			return fmt.Errorf("is not a number")
		}
		value.Text = strconv.FormatFloat(number, 'f', -1, 64)
	case windlass.ShapeBoolean:
		truth, err := strconv.ParseBool(value.Text)
		if err != nil {
			return fmt.Errorf("is neither true nor false")
		}
		value.Text = strconv.FormatBool(truth)
	case windlass.ShapeDuration:
		if _, err := strconv.ParseUint(value.Text, 10, 64); err != nil {
			duration, err := time.ParseDuration(value.Text)
			if err != nil || duration < 0 {
				return fmt.Errorf("is not a duration")
			}
			value.Text = strconv.FormatInt(duration.Milliseconds(), 10)
		}
	}
	switch {
	case parameter.Secrecy == windlass.SecrecySealed && parameter.Shape == windlass.ShapeURL:
		value.Text = withoutUser(value.Text)
	case parameter.Secrecy == windlass.SecrecySealed:
		value.Text, value.Sealed = "", true
	}
	return nil
}

// withoutUser is a URL without its user part.
func withoutUser(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return url
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest[:end], '@')+1:]
}
