//! Histories that the HPA controller of Kubernetes 1.36 itself decided on (`tests/hpa/README.md`): ours are the same.
use super::*;
use crate::workload::{ScalingPolicy, SelectPolicy};
use serde_json::Value;

const HISTORIES: &str = include_str!("../../tests/hpa/kubernetes-1.36.jsonl");

fn number<T: TryFrom<i64>>(value: &Value) -> T {
    value.as_i64().and_then(|number| T::try_from(number).ok()).unwrap_or_else(|| panic!("a number: {value}"))
}

fn scaling_rules(value: &Value) -> Option<ScalingRules> {
    let policy = |policy: &Value| ScalingPolicy {
        percent: policy["percent"] == true,
        value: number(&policy["value"]),
        period_s: number(&policy["period"]),
    };
    value.is_object().then(|| ScalingRules {
        stabilization_s: value["window"].as_i64().map(|_| number(&value["window"])),
        select: value["select"].as_str().map(|select| match select {
            "Max" => SelectPolicy::Max,
            "Min" => SelectPolicy::Min,
            "Disabled" => SelectPolicy::Disabled,
            other => panic!("{other}"),
        }),
        policies: value["policies"].as_array().map(|policies| policies.iter().map(policy).collect()),
        tolerance: value["tolerance"].as_i64().map(Milli),
    })
}

#[test]
fn decisions_are_those_of_the_controller() {
    let (mut decisions, mut scalings) = (0, 0);
    for (line, history) in HISTORIES.lines().enumerate() {
        let history: Value = serde_json::from_str(history).unwrap();
        let behavior = history["behavior"].is_object().then(|| Behavior {
            scale_up: scaling_rules(&history["behavior"]["up"]),
            scale_down: scaling_rules(&history["behavior"]["down"]),
        });
        let rules = Rules {
            min: number(&history["min"]),
            max: number(&history["max"]),
            behavior: behavior.as_ref(),
            flags: Flags::default(),
        };
        let (mut memory, mut now) = (Memory::default(), Mono(10_000_000));
        for (place, step) in history["steps"].as_array().unwrap().iter().enumerate() {
            now.0 += number::<u64>(&step["gap"]);
            let metrics = history["metrics"].as_array().unwrap().iter();
            let readings: Vec<Input> = metrics
                .zip(step["values"].as_array().unwrap())
                .map(|(metric, value)| {
                    Input::External(Reading {
                        target: Milli(number(&metric["target"])),
                        aim: if metric["average"] == true { Aim::Average } else { Aim::Value },
                        value: value.as_i64().map(Milli),
                    })
                })
                .collect();
            let replicas = Replicas {
                spec: number(&step["spec"]),
                current: number(&step["current"]),
                ready: number(&step["ready"]),
            };
            let verdict = decide(&rules, &readings, replicas, &mut memory, now);
            assert_eq!(
                verdict.desired,
                number::<u32>(&step["desired"]),
                "line {}, step {place}: {verdict:?}",
                line + 1
            );
            memory.scaled(rules.behavior, replicas.spec, verdict.desired, now);
            decisions += 1;
            scalings += u32::from(verdict.desired != replicas.spec);
        }
    }
    assert!(decisions >= 1000 && scalings >= decisions / 10, "{scalings} of {decisions}");
}
