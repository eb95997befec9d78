use super::*;
use std::collections::BTreeMap;
use windlass_core::query::{Tls, Value};
use windlass_core::scaler::{Origin, Parameter, Secrecy, Shape};
use windlass_core::{Digest, Secret};

fn parameter(name: &str, shape: Shape, initial: Option<&str>) -> Parameter {
    Parameter {
        name: name.into(),
        aliases: Vec::new(),
        shape,
        required: false,
        initial: initial.map(Into::into),
        choices: Vec::new(),
        secrecy: Secrecy::Open,
        origin: Origin::default(),
        deprecated: None,
        doc: "".into(),
    }
}

fn scaler(parameters: Vec<Parameter>) -> Scaler {
    Scaler {
        digest: Digest([0; 32]),
        name: "plans".into(),
        version: "1".into(),
        triggers: vec!["plans".into()],
        parameters,
        open_ended: false,
        needs: Vec::new(),
    }
}

fn trigger(values: &[(&str, &str)]) -> ResolvedTrigger {
    let values = values.iter().map(|(name, text)| {
        let value = Value { text: Secret::new(*text), secrecy: Secrecy::Open, from_authentication: false };
        ((*name).into(), value)
    });
    let values: BTreeMap<_, _> = values.collect();
    ResolvedTrigger { values, ..crate::budget::tests::question("a", 0).trigger }
}

fn tls(verify: bool) -> Option<Tls> {
    let none = || None;
    let (server_name, ca, certificate, key, key_password) = (none(), none(), none(), none(), none());
    Some(Tls { upgrade: false, server_name, verify, ca, certificate, key, key_password })
}

/// What is wrong with a plan of one endpoint, which names the parameter `server`.
fn wrong(port: u16, tls: Option<Tls>, trigger: &ResolvedTrigger, scaler: &Scaler) -> Option<String> {
    let endpoint = Endpoint { parameter: Some("server".into()), host: "h.example".into(), port, tls };
    let plan = QueryPlan { metrics: None, endpoints: vec![endpoint], group: "".into(), requests: 1 };
    let hits = Hits::new(crate::Metrics::new(&mut prometheus_client::registry::Registry::default()));
    check(plan, trigger, scaler, &Limits::default(), &hits).err().map(|problems| problems[0].message.to_string())
}

#[test]
fn a_host_that_no_parameter_names_is_the_operators_to_grant() {
    let check = |granted: Option<&str>, host: &str, port: u16| {
        let granted = granted.map(|list| std::sync::Arc::new(windlass_core::hosts::Hosts::parse(list).unwrap()));
        let trigger = ResolvedTrigger { granted, ..trigger(&[("server", "https://h.example")]) };
        let endpoint = Endpoint { parameter: None, host: host.into(), port, tls: None };
        let plan = QueryPlan { metrics: None, endpoints: vec![endpoint], group: "".into(), requests: 1 };
        let hits = Hits::new(crate::Metrics::new(&mut prometheus_client::registry::Registry::default()));
        let scaler = scaler(vec![parameter("server", Shape::Url, None)]);
        check(plan, &trigger, &scaler, &Limits::default(), &hits).map_err(|problems| problems[0].message.to_string())
    };
    assert!(check(Some("api.example:443, *.eu.queues.example"), "API.example.", 443).is_ok());
    assert!(check(Some("api.example:443, *.eu.queues.example"), "a.eu.queues.example", 80).is_ok());
    for (granted, host, port) in [
        (None, "api.example", 443),
        (None, "h.example", 443),
        (Some("api.example:443"), "api.example", 80),
        (Some("api.example:443"), "api.example.evil", 443),
    ] {
        let why = check(granted, host, port).unwrap_err();
        assert!(why.contains("`grants` of the component policy"), "{why}");
    }
}

#[test]
fn a_port_beside_a_bare_host_is_one_that_a_parameter_for_ports_says() {
    let ports = Parameter { aliases: vec!["ports".into()], ..parameter("at", Shape::Text, None) };
    for (values, port, right) in [
        (&[("port", "6379")][..], 6379, true),
        (&[("port", "6379")], 6380, false),
        (&[("ports", "1, 22,3")], 22, true),
        (&[("sentinelPort", "26379")], 26379, true),
        (&[("transport", "22")], 22, false),
        (&[("listLength", "22")], 22, false),
        (&[("at", "22")], 22, true),
        (&[], 6379, true),
        (&[], 22, false),
        (&[], 1023, false),
    ] {
        let scaler = scaler(vec![parameter("server", Shape::Text, None), ports.clone()]);
        let trigger = trigger(&[values, &[("server", "h.example")]].concat());
        assert_eq!(wrong(port, None, &trigger, &scaler).is_none(), right, "{values:?} {port}");
    }
}

#[test]
fn https_is_spoken_over_tls() {
    let scaler = scaler(vec![parameter("server", Shape::Url, None)]);
    let of = |url: &str, port, tls| wrong(port, tls, &trigger(&[("server", url)]), &scaler);
    assert!(of("https://h.example", 443, None).unwrap().contains("without TLS"));
    assert_eq!(of("https://h.example", 443, tls(true)), None);
    assert_eq!(of("http://h.example", 80, None), None);
}

#[test]
fn only_the_user_gives_up_certificates() {
    let declared = vec![
        parameter("server", Shape::Url, None),
        parameter("unsafeSsl", Shape::Boolean, Some("false")),
        parameter("insecureByDefault", Shape::Boolean, Some("true")),
        parameter("ignoreNullValues", Shape::Boolean, Some("true")),
        parameter("tls", Shape::Text, Some("disable")),
        parameter("sslmode", Shape::Text, Some("prefer")),
        parameter("verifyTls", Shape::Boolean, Some("true")),
    ];
    let scaler = scaler(declared);
    for (values, right) in [
        (&[][..], false),
        (&[("unsafeSsl", "true")], true),
        (&[("unsafeSsl", "false")], false),
        // Its own default is not the user's word.
        (&[("insecureByDefault", "true")], false),
        (&[("ignoreNullValues", "true")], false),
        (&[("tls", "enable")], false),
        (&[("tls.insecure_skip_verify", "true")], true),
        (&[("trustServerCertificate", "true")], true),
        (&[("sslmode", "require")], true),
        (&[("sslmode", "prefer")], false),
        (&[("sslmode", "verify-full")], false),
        (&[("verifyTls", "false")], true),
        (&[("verifyTls", "true")], false),
    ] {
        let trigger = trigger(&[values, &[("server", "https://h.example")]].concat());
        let told = wrong(443, tls(false), &trigger, &scaler);
        assert_eq!(told.is_none(), right, "{values:?}");
        assert!(told.is_none_or(|told| told.contains("unsafeSsl")));
        assert_eq!(wrong(443, tls(true), &trigger, &scaler), None, "{values:?}");
    }
}
