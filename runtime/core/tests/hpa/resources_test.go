// Puts random pods before the resource rules of the HorizontalPodAutoscaler controller of Kubernetes and prints how many
// replicas it proposes, one case a line. See README.md.
package podautoscaler

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// Times are milliseconds before the decision; null stands for what is unset or unknown.
type podContainer struct {
	Name    string `json:"name"`
	Request *int64 `json:"request"`
}
type podReady struct {
	Ready bool  `json:"ready"`
	Since int64 `json:"since"`
}
type podUse struct {
	At     int64 `json:"at"`
	Window int64 `json:"window"`
	Used   int64 `json:"used"`
}
type podCase struct {
	Deleted    bool           `json:"deleted"`
	Phase      string         `json:"phase"`
	Started    *int64         `json:"started"`
	Ready      *podReady      `json:"ready"`
	Containers []podContainer `json:"containers"`
	Use        *podUse        `json:"use"`
}
type resourceCase struct {
	Resource    string    `json:"resource"`
	Container   string    `json:"container"`
	Utilization *int32    `json:"utilization"`
	Average     *int64    `json:"average"`
	Current     int32     `json:"current"`
	Pods        []podCase `json:"pods"`
	Replicas    *int32    `json:"replicas"`
}

// What the metrics API would say.
type fixed struct {
	metricsclient.MetricsClient
	info metricsclient.PodMetricsInfo
}

func (f fixed) GetResourceMetric(context.Context, v1.ResourceName, string, labels.Selector, string) (metricsclient.PodMetricsInfo, time.Time, error) {
	return f.info, time.Now(), nil
}

func ago(ms int64) time.Time { return time.Now().Add(-time.Duration(ms) * time.Millisecond) }

func randomPod(r *rand.Rand, name string, target int64, level float64, plain bool) podCase {
	pod := podCase{Phase: "Running"}
	for i := range 1 + r.Intn(2) {
		container := podContainer{Name: fmt.Sprintf("c%d", i)}
		if plain || r.Intn(60) > 0 {
			request := int64(100 * (1 + r.Intn(5)))
			container.Request = &request
		}
		pod.Containers = append(pod.Containers, container)
	}
	started := int64(r.Intn(900_000))
	pod.Started = &started
	pod.Ready = &podReady{Ready: plain || r.Intn(8) > 0, Since: r.Int63n(started + 1)}
	if plain || r.Intn(7) > 0 {
		pod.Use = &podUse{At: r.Int63n(60_000), Window: 15_000, Used: int64(float64(target) * level * (0.8 + 0.4*r.Float64()))}
	}
	if plain {
		pod.Ready.Since = started
		pod.Use.At = 0
		return pod
	}
	switch r.Intn(20) {
	case 0:
		pod.Deleted = true
	case 1:
		pod.Phase = "Failed"
	case 2, 3:
		pod.Phase = "Pending"
	case 4:
		pod.Ready = nil
	case 5:
		pod.Started = nil
	}
	return pod
}

func randomCase(r *rand.Rand) resourceCase {
	c := resourceCase{Resource: []string{"cpu", "memory"}[r.Intn(2)], Current: int32(1 + r.Intn(12))}
	if r.Intn(4) == 0 {
		c.Container = "c0"
	}
	per := int64(300)
	if r.Intn(2) == 0 {
		target := int32(20 + r.Intn(130))
		c.Utilization = &target
		per = 300 * int64(target) / 100
	} else {
		target := int64(50 + r.Intn(1000))
		c.Average, per = &target, target
	}
	level := []float64{0.05, 0.5, 0.9, 1, 1.1, 2, 6}[r.Intn(7)]
	plain := r.Intn(3) == 0
	for i := range r.Intn(10) {
		c.Pods = append(c.Pods, randomPod(r, fmt.Sprintf("p%d", i), per, level, plain))
	}
	return c
}

func (c *resourceCase) decide() {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	info := metricsclient.PodMetricsInfo{}
	name := v1.ResourceName(c.Resource)
	for i, given := range c.Pods {
		pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("p%d", i)}}
		pod.Status.Phase = v1.PodPhase(given.Phase)
		if given.Deleted {
			now := metav1.Now()
			pod.DeletionTimestamp = &now
		}
		if given.Started != nil {
			started := metav1.NewTime(ago(*given.Started))
			pod.Status.StartTime = &started
		}
		if given.Ready != nil {
			status := v1.ConditionFalse
			if given.Ready.Ready {
				status = v1.ConditionTrue
			}
			pod.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(ago(given.Ready.Since))}}
		}
		for _, container := range given.Containers {
			built := v1.Container{Name: container.Name}
			if container.Request != nil {
				built.Resources.Requests = v1.ResourceList{name: *resource.NewMilliQuantity(*container.Request, resource.DecimalSI)}
			}
			pod.Spec.Containers = append(pod.Spec.Containers, built)
		}
		_ = indexer.Add(pod)
		if given.Use != nil {
			info[pod.Name] = metricsclient.PodMetric{
				Timestamp: ago(given.Use.At), Window: time.Duration(given.Use.Window) * time.Millisecond, Value: given.Use.Used,
			}
		}
	}
	calculator := NewReplicaCalculator(fixed{info: info}, corelisters.NewPodLister(indexer), 5*time.Minute, 30*time.Second)
	tolerances := Tolerances{scaleUp: 0.1, scaleDown: 0.1}
	var replicas int32
	var err error
	if c.Utilization != nil {
		replicas, _, _, _, err = calculator.GetResourceReplicas(context.Background(), c.Current, *c.Utilization, name, tolerances, "ns", labels.Everything(), c.Container)
	} else {
		replicas, _, _, err = calculator.GetRawResourceReplicas(context.Background(), c.Current, *c.Average, name, tolerances, "ns", labels.Everything(), c.Container)
	}
	if err == nil {
		c.Replicas = &replicas
	}
}

func TestResources(t *testing.T) {
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
	encoder, r := json.NewEncoder(out), rand.New(rand.NewSource(int64(number("SEED"))))
	for range number("CASES") {
		synctest.Test(t, func(*testing.T) {
			c := randomCase(r)
			c.decide()
			if err := encoder.Encode(c); err != nil {
				t.Fatal(err)
			}
		})
	}
}
