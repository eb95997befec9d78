//! What a running pipeline tells of itself.
use crate::drive::{running_with, until};
use crate::fake::Mood;
use prometheus_client::registry::Registry;
use windlass_core::settings::Settings;
use windlass_core::{Msg, WorkloadKey};
use windlass_pipeline::{Keda, Metrics};

fn scraped(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

/// Waits for a line, since gauges are set at the end of a round.
async fn has(registry: &Registry, line: &str) {
    until(line, || scraped(registry).lines().any(|have| have == line)).await;
}

#[tokio::test]
async fn polls_decisions_and_objects_are_counted() {
    let mut registry = Registry::default();
    let keda = Keda::new(None);
    registry.register_collector(Box::new(keda.clone()));
    let metrics = Metrics::new(&mut registry).with_keda(keda);
    let settings = Settings { tell_objects: true, ..Settings::default() };
    let running = running_with(&["web"], Mood::Value(3), settings, metrics).await;

    has(&registry, r#"windlass_query_outcomes_total{component="quick",outcome="ready"} 1"#).await;
    has(&registry, r#"windlass_query_duration_seconds_count{component="quick"} 1"#).await;
    has(&registry, r#"windlass_writes_decided_total{kind="scale",reason="activated"} 1"#).await;
    has(&registry, r#"windlass_objects{state="active"} 1"#).await;
    has(&registry, r#"windlass_objects{state="unknown"} 0"#).await;
    has(&registry, "windlass_queries 1").await;
    has(&registry, "windlass_inbox_messages 0").await;
    has(&registry, "windlass_decision_latency_seconds_count 1").await;
    let labels =
        r#"namespace="ns",metric="s0-web",scaledObject="web",scaler="quick",triggerIndex="0",type="scaledobject""#;
    has(&registry, &format!("keda_scaler_metrics_value{{{labels}}} 3.0")).await;
    has(&registry, &format!("keda_scaler_active{{{labels}}} 1")).await;

    running.inbox.send(Msg::Gone(WorkloadKey::scaled_object("ns", "web"))).await.unwrap();
    has(&registry, r#"windlass_objects{state="active"} 0"#).await;
    until("its series are gone", || !scraped(&registry).contains(r#"scaledObject="web""#)).await;
}
