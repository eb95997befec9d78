// Runs random histories through the HorizontalPodAutoscaler controller of Kubernetes and prints what it decided, one
// history a line. See README.md.
package podautoscaler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	defaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
)

// The words of the vectors; null stands for what is unset or unknown.
type policy struct {
	Percent bool  `json:"percent"`
	Value   int32 `json:"value"`
	Period  int32 `json:"period"`
}
type rules struct {
	Window    *int32   `json:"window"`
	Select    *string  `json:"select"`
	Policies  []policy `json:"policies"`
	Tolerance *int64   `json:"tolerance"`
}
type behavior struct {
	Up   *rules `json:"up"`
	Down *rules `json:"down"`
}
type metric struct {
	Average bool  `json:"average"`
	Target  int64 `json:"target"`
}
type step struct {
	Gap     int64    `json:"gap"`
	Spec    int32    `json:"spec"`
	Current int32    `json:"current"`
	Ready   int32    `json:"ready"`
	Values  []*int64 `json:"values"`
	Desired int32    `json:"desired"`
}
type history struct {
	Min      int32     `json:"min"`
	Max      int32     `json:"max"`
	Behavior *behavior `json:"behavior"`
	Metrics  []metric  `json:"metrics"`
	Steps    []step    `json:"steps"`
}

// source answers with the values of the step.
type source struct {
	metricsclient.MetricsClient
	values []*int64
}

func (s *source) GetExternalMetric(name, _ string, _ labels.Selector) ([]int64, time.Time, error) {
	place, err := strconv.Atoi(name)
	if err != nil || s.values[place] == nil {
		return nil, time.Time{}, errors.New("unknown")
	}
	return []int64{*s.values[place]}, time.Now(), nil
}

func (r *rules) spec() *autoscalingv2.HPAScalingRules {
	if r == nil {
		return nil
	}
	spec := &autoscalingv2.HPAScalingRules{StabilizationWindowSeconds: r.Window}
	if r.Select != nil {
		chosen := autoscalingv2.ScalingPolicySelect(*r.Select)
		spec.SelectPolicy = &chosen
	}
	if r.Tolerance != nil {
		spec.Tolerance = resource.NewMilliQuantity(*r.Tolerance, resource.DecimalSI)
	}
	for _, p := range r.Policies {
		kind := autoscalingv2.PodsScalingPolicy
		if p.Percent {
			kind = autoscalingv2.PercentScalingPolicy
		}
		spec.Policies = append(spec.Policies, autoscalingv2.HPAScalingPolicy{Type: kind, Value: p.Value, PeriodSeconds: p.Period})
	}
	return spec
}

func maybe[T any](random *rand.Rand, share float64, make func() T) *T {
	if random.Float64() >= share {
		return nil
	}
	value := make()
	return &value
}

func anyRules(random *rand.Rand) rules {
	made := rules{
		Window:    maybe(random, 0.6, func() int32 { return []int32{0, 0, 30, 60, 120, 300, 600}[random.Intn(7)] }),
		Select:    maybe(random, 0.6, func() string { return []string{"Max", "Min", "Max", "Min", "Disabled"}[random.Intn(5)] }),
		Tolerance: maybe(random, 0.3, func() int64 { return int64(random.Intn(600)) }),
	}
	for range random.Intn(4) {
		p := policy{Percent: random.Intn(2) == 0, Period: []int32{15, 30, 60, 90, 300}[random.Intn(5)]}
		if p.Percent {
			p.Value = int32(1 + random.Intn(200))
		} else {
			p.Value = int32(1 + random.Intn(12))
		}
		made.Policies = append(made.Policies, p)
	}
	return made
}

func anyHistory(random *rand.Rand, steps int) history {
	made := history{Min: int32(1 + random.Intn(4))}
	made.Max = made.Min + int32(random.Intn(60))
	made.Behavior = maybe(random, 0.75, func() behavior {
		rules := func() rules { return anyRules(random) }
		return behavior{Up: maybe(random, 0.7, rules), Down: maybe(random, 0.7, rules)}
	})
	for range 1 + random.Intn(3) {
		made.Metrics = append(made.Metrics, metric{Average: random.Intn(3) > 0, Target: int64(1 + random.Intn(20000))})
	}
	made.Steps = make([]step, steps)
	return made
}

// run plays a history: what is to be scaled follows the controller's decisions, but for an occasional other hand.
func run(random *rand.Rand, made *history) {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	lister := corelisters.NewPodLister(indexer)
	source := &source{}
	controller := &HorizontalController{
		tolerance:                    0.1,
		downscaleStabilisationWindow: 5 * time.Minute,
		replicaCalc:                  NewReplicaCalculator(source, lister, 0, 0),
		eventRecorder:                &record.FakeRecorder{},
		monitor:                      monitor.New(),
		podLister:                    lister,
		recommendations:              map[string][]timestampedRecommendation{},
		scaleUpEvents:                map[string][]timestampedScaleEvent{},
		scaleDownEvents:              map[string][]timestampedScaleEvent{},
		hpaSelectors:                 selectors.NewBiMultimap(),
	}
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "h"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &made.Min, MaxReplicas: made.Max},
	}
	if made.Behavior != nil {
		hpa.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
			ScaleUp: made.Behavior.Up.spec(), ScaleDown: made.Behavior.Down.spec(),
		}
		defaults.SetDefaults_HorizontalPodAutoscalerBehavior(hpa)
	}
	for place, m := range made.Metrics {
		target := autoscalingv2.MetricTarget{Type: autoscalingv2.ValueMetricType, Value: resource.NewMilliQuantity(m.Target, resource.DecimalSI)}
		if m.Average {
			target = autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(m.Target, resource.DecimalSI)}
		}
		hpa.Spec.Metrics = append(hpa.Spec.Metrics, autoscalingv2.MetricSpec{
			Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: strconv.Itoa(place)}, Target: target,
			},
		})
	}
	replicas := made.Min + int32(random.Intn(int(made.Max-made.Min)+1))
	load := 1 + random.Intn(20)
	for place := range made.Steps {
		now := &made.Steps[place]
		now.Gap = int64(15000)
		if random.Intn(4) == 0 {
			now.Gap = int64(1000 + random.Intn(400000))
		}
		time.Sleep(time.Duration(now.Gap) * time.Millisecond)
		if random.Intn(25) == 0 {
			replicas = int32(random.Intn(int(made.Max) + 5))
		}
		now.Spec, now.Current, now.Ready = replicas, replicas, replicas
		if random.Intn(3) == 0 {
			now.Current = int32(random.Intn(int(replicas) + 3))
			now.Ready = int32(random.Intn(int(now.Current) + 1))
		}
		if random.Intn(4) == 0 {
			load = random.Intn(80)
		}
		for _, m := range made.Metrics {
			value := int64(float64(m.Target) * (0.6 + random.Float64()))
			if m.Average {
				value = int64(float64(value) * float64(load))
			} else {
				value = value * int64(load) / 20
			}
			now.Values = append(now.Values, maybe(random, 0.93, func() int64 { return value }))
		}
		pods(indexer, now.Current, now.Ready)
		source.values = now.Values
		now.Desired = decide(controller, hpa, *now)
		replicas = now.Desired
	}
}

func pods(indexer cache.Indexer, count, ready int32) {
	var all []any
	for place := range count {
		pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: fmt.Sprint(place), Labels: map[string]string{"app": "a"}}}
		pod.Status.Phase = v1.PodRunning
		if place < ready {
			pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}
		}
		all = append(all, pod)
	}
	if err := indexer.Replace(all, ""); err != nil {
		panic(err)
	}
}

// decide does what the controller does between reading the scale and writing it.
func decide(a *HorizontalController, shared *autoscalingv2.HorizontalPodAutoscaler, now step) int32 {
	const key = "n/h"
	hpa := shared.DeepCopy()
	scale := &autoscalingv1.Scale{
		Spec:   autoscalingv1.ScaleSpec{Replicas: now.Spec},
		Status: autoscalingv1.ScaleStatus{Replicas: now.Current, Selector: "app=a"},
	}
	a.recordInitialRecommendation(now.Spec, key)
	desired := now.Spec
	switch {
	case now.Spec == 0:
	case now.Spec > hpa.Spec.MaxReplicas:
		desired = hpa.Spec.MaxReplicas
	case now.Spec < *hpa.Spec.MinReplicas:
		desired = *hpa.Spec.MinReplicas
	default:
		wanted, _, _, _, err := a.computeReplicasForMetrics(context.Background(), hpa, scale, hpa.Spec.Metrics)
		switch {
		case err != nil && wanted == -1:
		case hpa.Spec.Behavior == nil:
			desired = a.normalizeDesiredReplicas(hpa, key, now.Spec, max(wanted, 0), *hpa.Spec.MinReplicas)
		default:
			desired = a.normalizeDesiredReplicasWithBehaviors(hpa, key, now.Spec, max(wanted, 0), *hpa.Spec.MinReplicas)
		}
	}
	if desired != now.Spec {
		a.storeScaleEvent(hpa.Spec.Behavior, key, now.Spec, desired)
	}
	return desired
}

func TestVectors(t *testing.T) {
	number := func(name string) int {
		value, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			t.Fatalf("set %s: %v", name, err)
		}
		return value
	}
	out, err := os.Create(os.Getenv("OUT"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	random := rand.New(rand.NewSource(int64(number("SEED"))))
	for range number("HISTORIES") {
		made := anyHistory(random, number("STEPS"))
		synctest.Test(t, func(*testing.T) { run(random, &made) })
		line, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
	}
}
