package windlass_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass"
	"windlass/windlasstest"
)

// everything has a field of each type.
type everything struct {
	Text     string           `windlass:",required" aliases:"txt" doc:"A text."`
	Flag     bool             `default:"true"`
	Number   float64          `windlass:"aNumber"`
	Small    int8             `default:"-3"`
	Count    uint16           `windlass:"count"`
	Maybe    *int             `windlass:"maybe"`
	Wait     time.Duration    `default:"1m30s"`
	Address  windlass.Address `from:"metadata,environment"`
	Source   windlass.URL     `windlass:",sealed"`
	Brokers  []windlass.Address
	Names    []string `choices:"a,b,c"`
	Pairs    map[string]string
	Query    map[string]string `windlass:"query.*"`
	Token    windlass.Sealed   `from:"authentication"`
	Password windlass.Revealed `from:"authentication"`
	Old      string            `deprecated:"use text"`
}

type keeper struct {
	read *everything
}

func (k keeper) Configure(parameters *everything, _ *windlass.Trigger) (windlass.Plan, error) {
	*k.read = *parameters
	return windlass.SingleMetric("m.a/b", 1, 0), nil
}

func (keeper) Poll(*windlass.Query[everything]) (windlass.Reading, error) {
	return windlass.Value(1), nil
}

func configured(metadata, authentication map[string]string) (everything, []windlass.Problem) {
	var found everything
	component := windlass.New[everything](windlass.Info{Name: "k"}, keeper{&found})
	trigger, problems := windlasstest.Resolve(component.Describe(), "", metadata, authentication)
	if len(problems) == 0 {
		_, problems = component.Configure(&trigger)
	}
	return found, problems
}

func TestEveryTypeIsRead(t *testing.T) {
	found, problems := configured(map[string]string{
		"txt": " hello ", "aNumber": "2.5", "count": "65535", "maybe": "7", "address": "[::1]:6379",
		"source": "HTTPS://user:pass@queues.shop/a?b=c#d", "brokers": "a:1, b:2,", "names": "a, c", "pairs": "x=1, y = 2=3",
		"query.from": "now", "query.to": "then",
	}, map[string]string{"token": "secret", "password": "hush"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	seven := 7
	expected := everything{
		Text: "hello", Flag: true, Number: 2.5, Small: -3, Count: 65535, Maybe: &seven, Wait: 90 * time.Second,
		Address: windlass.Address{Parameter: "address", Host: "::1", Port: 6379},
		Source:  windlass.URL{Parameter: "source", Scheme: "https", Host: "queues.shop", Path: "/a", RawQuery: "b=c"},
		Brokers: []windlass.Address{{Parameter: "brokers", Host: "a", Port: 1}, {Parameter: "brokers", Host: "b", Port: 2}},
		Names:   []string{"a", "c"}, Pairs: map[string]string{"x": "1", "y": "2=3"},
		Query: map[string]string{"from": "now", "to": "then"}, Token: found.Token, Password: found.Password,
	}
	if !reflect.DeepEqual(found, expected) {
		t.Errorf("%+v", found)
	}
	if found.Token.Parameter() != "token" || found.Password.Reveal() != "hush" {
		t.Error("secrets")
	}
	if text := fmt.Sprintf("%v %+v %#v", found, found, found); strings.Contains(text, "hush") || strings.Contains(text, "pass@") {
		t.Errorf("a secret is printed: %s", text)
	}
}

func TestMistakesNameTheParameter(t *testing.T) {
	for _, one := range []struct{ name, text, part string }{
		{"text", "", "is required"},
		{"flag", "maybe", "true nor false"},
		{"small", "128", "from -128 to 127"},
		{"count", "-1", "from 0 to 65535"},
		{"aNumber", "many", "is not a number"},
		{"address", "host", "names no port"},
		{"address", "host:0", "between 1 and 65535"},
		{"brokers", "a:1,:2", "names no host"},
		{"source", "queues.shop", "with its scheme"},
		{"names", "a,d", "is not one of a, b, c"},
		{"pairs", "x", "without `=`"},
		{"old", "x", "use text"},
	} {
		metadata := map[string]string{"text": "x"}
		metadata[one.name] = one.text
		_, problems := configured(metadata, nil)
		if len(problems) != 1 || problems[0].Parameter != one.name || !strings.Contains(problems[0].Message, one.part) {
			t.Errorf("%s=%s: %v", one.name, one.text, problems)
		}
	}
}

func TestNamesOfFields(t *testing.T) {
	type named struct {
		URL         string
		URLPath     string
		QueueLength string
		ID2         string
		A           string
	}
	var names []string
	for _, parameter := range windlass.New[named](windlass.Info{}, nobody[named]{}).Describe().Parameters {
		names = append(names, parameter.Name)
	}
	if !slices.Equal(names, []string{"url", "urlPath", "queueLength", "id2", "a"}) {
		t.Error(names)
	}
}

type joiner struct{}

func (joiner) Configure(*struct{}, *windlass.Trigger) (windlass.Plan, error) {
	first, second := windlass.Problemf("a", "is wrong"), windlass.Problemf("b", "is odd")
	return windlass.Plan{}, errors.Join(first, fmt.Errorf("with more: %w", second), errors.New("as a whole"))
}

func (joiner) Poll(*windlass.Query[struct{}]) (windlass.Reading, error) {
	return windlass.Reading{}, nil
}

func TestProblemsAreTakenApart(t *testing.T) {
	_, problems := windlass.New[struct{}](windlass.Info{Name: "j"}, joiner{}).Configure(&windlass.Trigger{})
	expected := []windlass.Problem{{Parameter: "a", Message: "is wrong"}, {Parameter: "b", Message: "is odd"}, {Message: "as a whole"}}
	if !reflect.DeepEqual(problems, expected) {
		t.Errorf("%v", problems)
	}
}

func panics(declare func()) (reason string) {
	defer func() { reason = fmt.Sprint(recover()) }()
	declare()
	return ""
}

type untyped struct{ A complex64 }
type twice struct {
	A string
	B string `aliases:"a"`
}
type optioned struct {
	A string `windlass:"a,needed"`
}

func TestAStructThatCannotBeDeclared(t *testing.T) {
	for part, declare := range map[string]func(){
		"none that a parameter can have": func() { windlass.New[untyped](windlass.Info{}, nobody[untyped]{}) },
		"two parameters are called a":    func() { windlass.New[twice](windlass.Info{}, nobody[twice]{}) },
		`"needed" is unknown`:            func() { windlass.New[optioned](windlass.Info{}, nobody[optioned]{}) },
	} {
		if reason := panics(declare); !strings.Contains(reason, part) {
			t.Errorf("%s: %s", part, reason)
		}
	}
}

type nobody[P any] struct{}

func (nobody[P]) Configure(*P, *windlass.Trigger) (windlass.Plan, error) { return windlass.Plan{}, nil }
func (nobody[P]) Poll(*windlass.Query[P]) (windlass.Reading, error)      { return windlass.Reading{}, nil }
