package windlass

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// field is a field of a parameters struct.
type field struct {
	index     []int
	parameter Parameter
	kind      kind
}

// kind is how a field's type is declared and read.
type kind struct {
	shape   Shape
	secrecy Secrecy
	read    func(field reflect.Value, name, text string) error
}

// fieldsOf reads the tags of a struct of parameters.
func fieldsOf(structure reflect.Type) ([]field, error) {
	if structure.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%v is no struct", structure)
	}
	var fields []field
	for i := range structure.NumField() {
		member := structure.Field(i)
		if member.Anonymous && member.Type.Kind() == reflect.Struct {
			inner, err := fieldsOf(member.Type)
			if err != nil {
				return nil, err
			}
			for _, one := range inner {
				one.index = append([]int{i}, one.index...)
				fields = append(fields, one)
			}
			continue
		}
		if !member.IsExported() {
			return nil, fmt.Errorf("%v.%s: a parameter is an exported field", structure, member.Name)
		}
		one, err := fieldOf(member)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", structure, member.Name, err)
		}
		one.index = []int{i}
		fields = append(fields, one)
	}
	seen := map[string]bool{}
	for _, one := range fields {
		for _, name := range append([]string{one.parameter.Name}, one.parameter.Aliases...) {
			if seen[name] {
				return nil, fmt.Errorf("%v: two parameters are called %s", structure, name)
			}
			seen[name] = true
		}
	}
	return fields, nil
}

func fieldOf(member reflect.StructField) (field, error) {
	name, options, _ := strings.Cut(member.Tag.Get("windlass"), ",")
	if name == "" {
		name = lowerCamel(member.Name)
	}
	kind, err := kindOf(member.Type, name)
	if err != nil {
		return field{}, err
	}
	parameter := Parameter{
		Name: name, Shape: kind.shape, Secrecy: kind.secrecy, Origin: FromMetadata,
		Aliases: list(member.Tag.Get("aliases")), Choices: list(member.Tag.Get("choices")),
		Deprecated: member.Tag.Get("deprecated"), Doc: member.Tag.Get("doc"),
	}
	for _, option := range list(options) {
		switch option {
		case "required":
			parameter.Required = true
		case "sealed":
			if parameter.Shape != ShapeURL {
				return field{}, fmt.Errorf("sealed is for a URL; for any other secret there is the type Sealed")
			}
			parameter.Secrecy = SecrecySealed
		default:
			return field{}, fmt.Errorf("the option %q is unknown: there are required and sealed", option)
		}
	}
	if initial, ok := member.Tag.Lookup("default"); ok {
		parameter.Initial = &initial
	}
	if origins := list(member.Tag.Get("from")); len(origins) > 0 {
		parameter.Origin = 0
		for _, origin := range origins {
			switch origin {
			case "metadata":
				parameter.Origin |= FromMetadata
			case "environment":
				parameter.Origin |= FromEnvironment
			case "authentication":
				parameter.Origin |= FromAuthentication
			default:
				return field{}, fmt.Errorf("from: %q is unknown: there are metadata, environment and authentication", origin)
			}
		}
	}
	return field{parameter: parameter, kind: kind}, nil
}

// lowerCamel is a field's name as a parameter's: QueueLength is queueLength, URL is url, URLPath is urlPath.
func lowerCamel(name string) string {
	capitals := 0
	for capitals < len(name) && 'A' <= name[capitals] && name[capitals] <= 'Z' {
		capitals++
	}
	if 1 < capitals && capitals < len(name) && 'a' <= name[capitals] && name[capitals] <= 'z' {
		capitals--
	}
	return strings.ToLower(name[:capitals]) + name[capitals:]
}

// list takes a comma-separated text apart.
func list(text string) []string {
	var entries []string
	for _, entry := range strings.Split(text, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			entries = append(entries, entry)
		}
	}
	return entries
}

// read fills a struct of parameters from a trigger's values.
func read(fields []field, values []ParameterValue, into reflect.Value) []Problem {
	var problems []Problem
	for _, one := range fields {
		target := into.FieldByIndex(one.index)
		name := one.parameter.Name
		found := false
		for _, value := range values {
			if prefix, ok := strings.CutSuffix(name, "*"); value.Name != name && !(ok && strings.HasPrefix(value.Name, prefix)) {
				continue
			}
			found = true
			if err := one.fill(target, value); err != nil {
				problems = append(problems, Problem{Parameter: value.Name, Message: err.Error()})
			}
		}
		if !found && one.parameter.Required {
			problems = append(problems, Problem{Parameter: name, Message: "is required"})
		}
	}
	return problems
}

func (f field) fill(target reflect.Value, value ParameterValue) error {
	if f.kind.secrecy == SecrecySealed {
		target.Set(reflect.ValueOf(Sealed{parameter: f.parameter.Name}))
		return nil
	}
	if value.Sealed {
		return fmt.Errorf("is sealed, but its text is needed")
	}
	if target.Kind() == reflect.Pointer {
		target.Set(reflect.New(target.Type().Elem()))
		target = target.Elem()
	}
	return f.kind.read(target, value.Name, value.Text)
}

var (
	durationType  = reflect.TypeFor[time.Duration]()
	urlType       = reflect.TypeFor[URL]()
	addressType   = reflect.TypeFor[Address]()
	addressesType = reflect.TypeFor[[]Address]()
	textsType     = reflect.TypeFor[[]string]()
	pairsType     = reflect.TypeFor[map[string]string]()
	sealedType    = reflect.TypeFor[Sealed]()
	revealedType  = reflect.TypeFor[Revealed]()
)
