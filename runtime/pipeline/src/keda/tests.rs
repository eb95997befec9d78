use super::*;
use prometheus_client::registry::Registry;
use std::time::Duration;
use windlass_core::fact::MetricFacts;
use windlass_core::{MetricName, Reason};

fn trigger(index: u16, kind: &str, failures: u64, reading: Option<(f64, bool)>) -> TriggerFacts {
    let metrics = vec![MetricFacts { name: MetricName::new(index, kind), reading }];
    let took = Some(Duration::from_millis(250));
    TriggerFacts { index, kind: kind.into(), name: None, failures, took, metrics }
}

fn facts(name: &str, triggers: Vec<TriggerFacts>) -> ObjectFacts {
    let key = WorkloadKey::scaled_object("shop", name);
    ObjectFacts { key, paused: false, fault: None, late: Duration::from_millis(5), triggers }
}

fn scraped(keda: &Keda) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(keda.clone()));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|have| have == line), "no {line} in\n{text}");
}

#[test]
fn names_labels_and_values_are_keda_s() {
    let keda = Keda::new(None);
    let mut named = trigger(1, "prometheus", 0, Some((0.0, false)));
    named.name = Some("errors".into());
    keda.take(facts("web", vec![trigger(0, "redis", 2, Some((12.5, true))), named]));
    let text = scraped(&keda);
    let redis =
        r#"namespace="shop",metric="s0-redis",scaledObject="web",scaler="redis",triggerIndex="0",type="scaledobject""#;
    let errors = r#"namespace="shop",metric="s1-prometheus",scaledObject="web",scaler="errors",triggerIndex="1",type="scaledobject""#;
    has(&text, &format!("keda_scaler_metrics_value{{{redis}}} 12.5"));
    has(&text, &format!("keda_scaler_active{{{redis}}} 1"));
    has(&text, &format!("keda_scaler_active{{{errors}}} 0"));
    has(&text, &format!("keda_scaler_metrics_latency_seconds{{{redis}}} 0.25"));
    has(&text, &format!("keda_scaler_detail_errors_total{{{redis}}} 2"));
    has(&text, &format!("keda_scaler_detail_errors_total{{{errors}}} 0"));
    has(&text, r#"keda_scaled_object_errors_total{namespace="shop",scaledObject="web"} 2"#);
    has(&text, r#"keda_scaled_object_paused{namespace="shop",scaledObject="web"} 0"#);
    let late = r#"keda_internal_scale_loop_latency_seconds{namespace="shop",type="scaledobject",resource="web"} 0.005"#;
    has(&text, late);
    has(&text, r#"keda_trigger_registered_total{type="redis"} 1"#);
    has(&text, r#"keda_resource_registered_total{type="scaled_object",namespace="shop"} 1"#);
    assert!(text.contains("keda_build_info{version=\""));
    has(&text, "# TYPE keda_scaler_detail_errors counter");
    has(&text, "# TYPE keda_trigger_registered_total gauge");
}

#[test]
fn counters_never_go_back_while_the_object_lives() {
    let keda = Keda::new(None);
    let total = |keda: &Keda| {
        let text = scraped(keda);
        let line = text.lines().find(|line| line.starts_with("keda_scaler_detail_errors_total{")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    for (failures, expected) in [(0, 0), (3, 3), (3, 3), (5, 5), (1, 6), (2, 7)] {
        keda.take(facts("web", vec![trigger(0, "redis", failures, None)]));
        assert_eq!(total(&keda), expected, "another query begins at zero, the trigger does not");
    }
    keda.forget(&WorkloadKey::scaled_object("shop", "web"));
    keda.take(facts("web", vec![trigger(0, "redis", 1, None)]));
    assert_eq!(total(&keda), 1, "an object of the same name is another one");
}

#[test]
fn becoming_unready_is_one_error() {
    let keda = Keda::new(None);
    let faulty = |fault| ObjectFacts { fault, ..facts("web", Vec::new()) };
    let invalid = Some(Reason::InvalidTrigger);
    for fault in [None, invalid, invalid, None, invalid, Some(Reason::UnsupportedField)] {
        keda.take(faulty(fault));
    }
    has(&scraped(&keda), r#"keda_scaled_object_errors_total{namespace="shop",scaledObject="web"} 3"#);
}

#[test]
fn what_is_not_known_has_no_value_and_what_is_gone_has_no_series() {
    let keda = Keda::new(Some(Box::new(|| [(("trigger_authentication", "shop".to_owned()), 4)].into())));
    keda.take(facts("web", vec![trigger(0, "redis", 1, None)]));
    let text = scraped(&keda);
    assert!(!text.contains("keda_scaler_active{") && !text.contains("keda_scaler_metrics_value{"), "{text}");
    assert!(text.contains("keda_scaler_detail_errors_total{"), "it fails, and that is known");
    keda.forget(&WorkloadKey::scaled_object("shop", "web"));
    let text = scraped(&keda);
    assert!(!text.contains("web"), "{text}");
    has(&text, r#"keda_resource_registered_total{type="trigger_authentication",namespace="shop"} 4"#);
}
