//! Objects as text. Names, labels and their order are KEDA's (`pkg/metricscollector/prommetrics.go`).
use super::{Keda, Series};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;
use windlass_core::WorkloadKind;
use windlass_core::fact::{MetricFacts, TriggerFacts};

/// One metric of one trigger of one object.
struct Place<'a> {
    series: &'a Series,
    trigger: &'a TriggerFacts,
    errors: u64,
    metric: &'a MetricFacts,
}

impl Place<'_> {
    /// Writes one series under the labels that all of KEDA's metrics of scalers have.
    fn under(
        &self,
        encoder: &mut MetricEncoder<'_>,
        write: impl FnOnce(MetricEncoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let key = &self.series.facts.key;
        let (metric, index) = (self.metric.name.to_string(), self.trigger.index.to_string());
        let labels = [
            ("namespace", &*key.namespace),
            ("metric", &metric),
            ("scaledObject", &key.name),
            // The trigger's name; without one KEDA has a name of its source code here, and we have the trigger's type.
            ("scaler", self.trigger.name.as_deref().unwrap_or(&self.trigger.kind)),
            ("triggerIndex", &index),
            ("type", kind(key.kind)),
        ];
        write(encoder.encode_family(&labels)?)
    }
}

fn kind(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::ScaledObject => "scaledobject",
        WorkloadKind::ScaledJob => "scaledjob",
    }
}

fn resource(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::ScaledObject => "scaled_object",
        WorkloadKind::ScaledJob => "scaled_job",
    }
}

fn places(all: &[Arc<Series>]) -> impl Iterator<Item = Place<'_>> {
    all.iter().flat_map(|series| {
        let triggers = series.facts.triggers.iter().zip(&series.trigger_errors);
        triggers.flat_map(move |(trigger, errors)| {
            trigger.metrics.iter().map(move |metric| Place { series, trigger, errors: *errors, metric })
        })
    })
}

impl Collector for Keda {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let all = self.snapshot();
        scalers(&all, &mut encoder)?;
        objects(&all, &mut encoder)?;
        self.counts(&all, &mut encoder)?;
        build(&mut encoder)
    }
}

fn scalers(all: &[Arc<Series>], encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let help = "As KEDA's: the value of each metric of each trigger. Gone while it is not known.";
    let mut gauge = encoder.encode_descriptor("keda_scaler_metrics_value", help, None, MetricType::Gauge)?;
    for place in places(all) {
        if let Some((value, _)) = place.metric.reading {
            place.under(&mut gauge, |mut gauge| gauge.encode_gauge(&value))?;
        }
    }
    let help = "As KEDA's: whether each trigger is active (1) or not (0). Gone while that is not known.";
    let mut gauge = encoder.encode_descriptor("keda_scaler_active", help, None, MetricType::Gauge)?;
    for place in places(all) {
        if let Some((_, active)) = place.metric.reading {
            place.under(&mut gauge, |mut gauge| gauge.encode_gauge(&u32::from(active)))?;
        }
    }
    let help = "As KEDA's: how long the last poll of each trigger took.";
    let mut gauge = encoder.encode_descriptor("keda_scaler_metrics_latency_seconds", help, None, MetricType::Gauge)?;
    for place in places(all) {
        if let Some(took) = place.trigger.took {
            place.under(&mut gauge, |mut gauge| gauge.encode_gauge(&took.as_secs_f64()))?;
        }
    }
    let help = "As KEDA's: failed polls of each trigger. Growing: the object's Ready condition says how it fails.";
    let mut counter = encoder.encode_descriptor("keda_scaler_detail_errors", help, None, MetricType::Counter)?;
    for place in places(all) {
        place.under(&mut counter, |mut counter| counter.encode_counter::<NoLabelSet, u64, u64>(&place.errors, None))?;
    }
    Ok(())
}

fn objects(all: &[Arc<Series>], encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let of = |kind| all.iter().filter(move |series| series.facts.key.kind == kind);
    let help = "As KEDA's: failures of each ScaledObject: of its triggers' polls, and of itself.";
    let mut counter = encoder.encode_descriptor("keda_scaled_object_errors", help, None, MetricType::Counter)?;
    for series in of(WorkloadKind::ScaledObject) {
        let key = &series.facts.key;
        let labels = [("namespace", &*key.namespace), ("scaledObject", &*key.name)];
        counter.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&series.errors, None)?;
    }
    let help = "As KEDA's: whether each ScaledObject is paused (1) or not (0).";
    let mut gauge = encoder.encode_descriptor("keda_scaled_object_paused", help, None, MetricType::Gauge)?;
    for series in of(WorkloadKind::ScaledObject) {
        let key = &series.facts.key;
        let labels = [("namespace", &*key.namespace), ("scaledObject", &*key.name)];
        gauge.encode_family(&labels)?.encode_gauge(&u32::from(series.facts.paused))?;
    }
    let help = "As KEDA's: how late the last polls of each object were sent. Above a second: the process lacks CPU.";
    let name = "keda_internal_scale_loop_latency_seconds";
    let mut gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for series in all {
        let key = &series.facts.key;
        let labels = [("namespace", &*key.namespace), ("type", kind(key.kind)), ("resource", &*key.name)];
        gauge.encode_family(&labels)?.encode_gauge(&series.facts.late.as_secs_f64())?;
    }
    Ok(())
}

impl Keda {
    fn counts(&self, all: &[Arc<Series>], encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut triggers: BTreeMap<&str, u64> = BTreeMap::new();
        let mut registered = self.registered.as_ref().map(|registered| registered()).unwrap_or_default();
        for series in all {
            let key = &series.facts.key;
            *registered.entry((resource(key.kind), key.namespace.to_string())).or_default() += 1;
            for trigger in &series.facts.triggers {
                *triggers.entry(&trigger.kind).or_default() += 1;
            }
        }
        let help = "As KEDA's: triggers by type.";
        let mut gauge = encoder.encode_descriptor("keda_trigger_registered_total", help, None, MetricType::Gauge)?;
        for (kind, count) in triggers {
            gauge.encode_family(&[("type", kind)])?.encode_gauge(&count)?;
        }
        let help = "As KEDA's: objects by kind and namespace.";
        let mut gauge = encoder.encode_descriptor("keda_resource_registered_total", help, None, MetricType::Gauge)?;
        for ((kind, namespace), count) in registered {
            gauge.encode_family(&[("type", kind), ("namespace", &*namespace)])?.encode_gauge(&count)?;
        }
        Ok(())
    }
}

/// KEDA's labels; there is no Go here.
fn build(encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let help = "As KEDA's, but the version is Windlass'.";
    let mut gauge = encoder.encode_descriptor("keda_build_info", help, None, MetricType::Gauge)?;
    let (version, system) = (env!("CARGO_PKG_VERSION"), if cfg!(target_os = "linux") { "linux" } else { "other" });
    let machine = match (cfg!(target_arch = "x86_64"), cfg!(target_arch = "aarch64")) {
        (true, _) => "amd64",
        (_, true) => "arm64",
        _ => "other",
    };
    let labels =
        [("version", version), ("git_commit", "unknown"), ("goversion", "none"), ("goos", system), ("goarch", machine)];
    gauge.encode_family(&labels)?.encode_gauge(&1u32)
}
