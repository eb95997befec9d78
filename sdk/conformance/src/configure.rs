//! What a component makes of triggers: good ones, lacking ones, and odd ones.
use crate::trial::{Planned, Trial, secrets};
use crate::{Example, Report};
use windlass_core::query::{Problem, QueryPlan};

/// Values that no user means, but some user writes.
const ODD: [&str; 12] = [
    "-1",
    "0",
    "NaN",
    "1e309",
    "99999999999999999999",
    "://",
    "http://",
    "http://[::1",
    "a b\tc",
    "%zz%",
    "\u{202e}\u{0}ü",
    ",,,=,",
];

/// Examines plans; gives those of the examples.
pub(crate) async fn examine(
    report: &mut Report,
    first: &Trial,
    second: &Trial,
    examples: &[Example],
) -> Vec<(Example, Planned)> {
    let mut planned = Vec::new();
    for example in examples {
        match first.plan(example).await {
            Ok(Ok(plan)) => planned.push((example.clone(), plan)),
            Ok(Err(problems)) => {
                report.complain(
                    "configure",
                    format!("{}: problems where none are expected: {}", example.name, told(&problems)),
                );
            }
            Err(fault) => report.complain("configure", format!("{}: {fault}", example.name)),
        }
    }
    repeated(report, second, &planned).await;
    for (example, (_, plan)) in &planned {
        names(report, example, plan);
        lacking(report, first, example).await;
        unknown(report, first, example, plan).await;
        rotated(report, first, example, plan).await;
        odd(report, first, example).await;
    }
    planned
}

fn told(problems: &[Problem]) -> String {
    let one = |problem: &Problem| format!("{}: {}", problem.parameter.as_deref().unwrap_or("-"), problem.message);
    problems.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Another instance, a list, another order: the same plans.
async fn repeated(report: &mut Report, second: &Trial, planned: &[(Example, Planned)]) {
    let backwards = planned.iter().rev().map(|(_, (trigger, _))| trigger.clone()).collect();
    match second.configure(backwards).await {
        Ok(answers) => {
            for ((example, (_, plan)), again) in planned.iter().zip(answers.into_iter().rev()) {
                if again.as_ref() != Ok(plan) {
                    let what = format!("{}: another instance made another plan of the same trigger", example.name);
                    report.complain("configure", what);
                }
            }
        }
        Err(fault) => report.complain("configure", format!("a list of all examples: {fault}")),
    }
}

fn names(report: &mut Report, example: &Example, plan: &QueryPlan) {
    for metric in plan.metrics.iter().flatten() {
        let prefix = metric.name.strip_prefix('s').and_then(|rest| rest.split_once('-')).map(|(index, _)| index);
        if prefix.is_some_and(|index| !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())) {
            let what =
                format!("{}: the metric {} has the prefix of an index, which is the host's", example.name, metric.name);
            report.complain("metrics", what);
        }
    }
    let shown = format!("{:?} {:?} {}", plan.metrics, plan.endpoints, plan.group);
    for (name, secret) in secrets(example) {
        if shown.contains(secret) {
            report.complain("secrets", format!("{}: the plan repeats the secret {name}", example.name));
        }
    }
}

/// Each required parameter left out, once by the user and once behind the back of the host.
async fn lacking(report: &mut Report, trial: &Trial, example: &Example) {
    let required =
        trial.scaler.parameters.iter().filter(|parameter| parameter.required && parameter.deprecated.is_none());
    for parameter in required {
        let mut less = example.clone();
        let is = |name: &str| *parameter.name == *name || parameter.aliases.iter().any(|alias| **alias == *name);
        less.metadata.retain(|name, _| !is(name) && !name.strip_suffix("FromEnv").is_some_and(is));
        less.authentication.retain(|name, _| !is(name));
        let names_it =
            |problems: &[Problem]| problems.iter().any(|problem| problem.parameter.as_ref() == Some(&parameter.name));
        match trial.resolve(&less) {
            Err(problems) if names_it(&problems) => {}
            Err(problems) => {
                let what = format!(
                    "{}: {} is missing, and the problems do not name it: {}",
                    example.name,
                    parameter.name,
                    told(&problems)
                );
                report.complain("parameters", what);
            }
            Ok(_) => report
                .complain("parameters", format!("{}: {} is required and was not missed", example.name, parameter.name)),
        }
        let Ok(mut trigger) = trial.resolve(example) else { continue };
        trigger.values.remove(&parameter.name);
        match trial.configure(vec![trigger]).await.map(|mut answers| answers.pop()) {
            Ok(Some(Err(problems))) if names_it(&problems) => {}
            Ok(Some(Err(problems))) => {
                let what = format!(
                    "{}: {} was not handed over, and the problems do not name it: {}",
                    example.name,
                    parameter.name,
                    told(&problems)
                );
                report.complain("parameters", what);
            }
            Ok(_) => {
                report.complain("parameters", format!("{}: it made a plan without {}", example.name, parameter.name))
            }
            Err(fault) => {
                report.complain("configure", format!("{}, without {}: {fault}", example.name, parameter.name))
            }
        }
    }
}

/// Metadata that nobody declared changes nothing, unless the component asks for it.
async fn unknown(report: &mut Report, trial: &Trial, example: &Example, plan: &QueryPlan) {
    if trial.scaler.open_ended {
        return;
    }
    let mut more = example.clone();
    more.metadata.insert("a-parameter-that-nobody-declares".to_owned(), "x".to_owned());
    match trial.plan(&more).await {
        Ok(Ok((_, same))) if same == *plan => {}
        Ok(_) => report.complain("parameters", format!("{}: undeclared metadata changes the plan", example.name)),
        Err(fault) => report.complain("configure", format!("{}, with undeclared metadata: {fault}", example.name)),
    }
}

/// A rotated secret does not rename a metric, and what is wrong with one is told without it.
async fn rotated(report: &mut Report, trial: &Trial, example: &Example, plan: &QueryPlan) {
    for (name, secret) in secrets(example) {
        let mut rotated = example.clone();
        rotated.authentication.insert(name.to_owned(), format!("{secret}-rotated"));
        match trial.plan(&rotated).await {
            Ok(Ok((_, next))) => {
                if next.metrics != plan.metrics {
                    report.complain("metrics", format!("{}: a new value of {name} changes the metrics", example.name));
                }
            }
            // A certificate or a choice cannot be rotated like this.
            Ok(Err(problems)) => {
                if told(&problems).contains(secret) {
                    report.complain("secrets", format!("{}: a problem repeats the secret {name}", example.name));
                }
            }
            Err(fault) => report.complain("configure", format!("{}, with another {name}: {fault}", example.name)),
        }
    }
}

/// Whatever a user writes is a plan or a problem, and never the end of the call.
async fn odd(report: &mut Report, trial: &Trial, example: &Example) {
    let long = "x".repeat(20_000);
    let mut triggers = Vec::new();
    for name in example.metadata.keys() {
        for value in ODD.into_iter().chain([&*long]) {
            let mut odd = example.clone();
            odd.metadata.insert(name.clone(), value.to_owned());
            // What the host refuses never reaches the component.
            if let Ok(trigger) = trial.resolve(&odd) {
                triggers.push((name, value, trigger));
            }
        }
    }
    let all = triggers.iter().map(|(_, _, trigger)| trigger.clone()).collect();
    let Err(fault) = trial.configure(all).await else { return };
    let told = report.complaints.len();
    for (name, value, trigger) in triggers {
        if let Err(fault) = trial.configure(vec![trigger]).await {
            let value: String = value.chars().take(20).flat_map(char::escape_debug).collect();
            report.complain("configure", format!("{}, with `{value}` as {name}: {fault}", example.name));
        }
    }
    if report.complaints.len() == told {
        report.complain("configure", format!("{}, a list of odd values: {fault}", example.name));
    }
}
