//! `windlass scaler test`: a project's cases, played against its component, and the contract.
use super::build;
use super::exit::{Ends, Exit, Stop};
use crate::args::{Output, Test};
use crate::style::{BAD, FAINT, GOOD, STRONG};
use anyhow::{Context, anyhow};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;
use windlass_conformance::{Case, CaseReport, Difference, Example, RULES, Report, examine, play};

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Told {
    ok: bool,
    passed: usize,
    failed: usize,
    cases: Vec<ToldCase>,
    rules: Vec<ToldRule>,
    milliseconds: u64,
}

#[derive(Debug, Serialize)]
struct ToldCase {
    name: String,
    about: String,
    passed: bool,
    differences: Vec<ToldDifference>,
}

#[derive(Debug, Serialize)]
struct ToldDifference {
    what: String,
    expected: String,
    got: String,
}

/// A rule of the contract.
#[derive(Debug, Serialize)]
struct ToldRule {
    name: &'static str,
    about: &'static str,
    passed: bool,
    complaints: Vec<String>,
}

/// What is tested.
struct Subject {
    component: PathBuf,
    cases: PathBuf,
}

/// Runs the command.
pub(super) async fn run(options: Test) -> Result<Exit, Stop> {
    let subject = subject(&options)?;
    let started = Instant::now();
    let shown = build::short(&subject.component).display();
    let wasm = std::fs::read(&subject.component).with_context(|| format!("cannot read {shown}")).ends(Exit::Usage)?;
    let cases = Case::read_all(&subject.cases)
        .with_context(|| format!("{}: no folder of cases; name it by --cases", subject.cases.display()))
        .ends(Exit::Usage)?;
    if cases.is_empty() {
        let folder = subject.cases.display();
        return Err(anyhow!("{folder} has no case: write one as {folder}/NAME/case.json")).ends(Exit::Usage);
    }
    if options.output == Output::Text {
        anstream::eprintln!("{FAINT}{shown}: {} cases, then the contract{FAINT:#}", cases.len());
    }
    let good = cases.iter().filter_map(|(name, case)| Some((&**name, case.as_ref().ok()?)));
    let examples = Example::among(good);
    let played = play(&wasm, &cases).await?;
    let report = examine(&wasm, &examples).await.ends(Exit::Outside)?;
    let told = told(played, &report, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    match options.output {
        Output::Json => println!("{}", serde_json::to_string(&told).context("JSON")?),
        Output::Text => print(&told),
    }
    Ok(if told.ok { Exit::Fine } else { Exit::Wrong })
}

/// A component's file with a folder of cases, or a project, which is built first.
fn subject(options: &Test) -> Result<Subject, Stop> {
    let path = &options.path;
    if path.is_file() {
        let cases = options.cases.clone();
        let cases = cases.with_context(|| format!("{} is a file: name its cases by --cases", path.display()));
        return Ok(Subject { component: path.clone(), cases: cases.ends(Exit::Usage)? });
    }
    let project = build::open(path)?;
    if !options.no_build {
        build::build(&project, options.output)?;
    }
    Ok(Subject { component: project.component, cases: options.cases.clone().unwrap_or(project.cases) })
}

fn told(played: Vec<CaseReport>, report: &Report, milliseconds: u64) -> Told {
    let difference = |Difference { what, expected, got }: Difference| ToldDifference { what, expected, got };
    let cases: Vec<_> = played
        .into_iter()
        .map(|case| ToldCase {
            passed: case.passed(),
            name: case.name,
            about: case.about,
            differences: case.differences.into_iter().map(difference).collect(),
        })
        .collect();
    let rules: Vec<_> = RULES
        .iter()
        .map(|&(name, about)| {
            let own = report.complaints.iter().filter(|complaint| complaint.rule == name);
            let complaints: Vec<_> = own.map(|complaint| complaint.what.clone()).collect();
            ToldRule { name, about, passed: complaints.is_empty(), complaints }
        })
        .collect();
    let all = cases.iter().map(|case| case.passed).chain(rules.iter().map(|rule| rule.passed));
    let (passed, failed) =
        all.fold((0, 0), |(passed, failed), well| (passed + usize::from(well), failed + usize::from(!well)));
    Told { ok: failed == 0, passed, failed, cases, rules, milliseconds }
}

fn print(told: &Told) {
    for case in &told.cases {
        mark(case.passed, &case.name, if case.passed { "" } else { &case.about });
        case.differences.iter().for_each(print_difference);
    }
    for rule in &told.rules {
        mark(rule.passed, &format!("contract: {}", rule.name), if rule.passed { "" } else { rule.about });
        rule.complaints.iter().for_each(|complaint| println!("      {complaint}"));
    }
    let style = if told.ok { GOOD } else { BAD };
    let seconds = std::time::Duration::from_millis(told.milliseconds).as_secs_f64();
    anstream::println!(
        "{style}{} passed, {} failed{style:#} {FAINT}in {seconds:.1} s{FAINT:#}",
        told.passed,
        told.failed
    );
}

fn mark(passed: bool, name: &str, about: &str) {
    let (style, mark) = if passed { (GOOD, "✓") } else { (BAD, "✗") };
    anstream::println!("  {style}{mark}{style:#} {STRONG}{name}{STRONG:#}  {FAINT}{about}{FAINT:#}");
}

/// What was expected and what came, line by line.
fn print_difference(difference: &ToldDifference) {
    println!("      {}", difference.what);
    let lines = |text: &str, sign: char, style: anstyle::Style| {
        for line in text.lines() {
            anstream::println!("        {style}{sign} {line}{style:#}");
        }
    };
    lines(&difference.expected, '-', GOOD);
    lines(&difference.got, '+', BAD);
}
