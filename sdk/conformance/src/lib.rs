//! Examines a scaler component, in whatever language it was written, by what the contract asks of it.
//!
//! The component runs in the real host. What users write comes from examples: the cases beside a scaler's sources that have no
//! problems. Sources are servers on loopback that behave badly in each of the ways that a scaler has to expect; the addresses
//! of an example are rewritten to theirs.
//!
//! | rule | what is asked |
//! |---|---|
//! | `load` | the host takes it; two instances describe themselves alike |
//! | `describe` | every parameter has a name and words for people |
//! | `configure` | never fails as a call, however odd a value; equal triggers have equal plans, alone, in a list and in any order |
//! | `parameters` | what is required and missing is a problem that names it; what is unknown changes nothing |
//! | `metrics` | names are stable, differ from one another, carry no `s0-`, and do not change with a secret |
//! | `secrets` | no plan, problem or failure repeats one |
//! | `batch` | an empty one is no trouble, nor one of a thousand queries; each query has exactly its own outcome |
//! | `source` | a source that misbehaves is a failure of an expected kind, and never a value |
mod case;
mod configure;
mod describe;
mod example;
mod poll;
mod redirect;
mod source;
mod trial;

pub use case::{CaseReport, play};
pub use example::Example;
pub use windlass_sdk::testing::{Case, Difference};

/// The rules, by name, and what each asks; the table above in short.
pub const RULES: [(&str, &str); 8] = [
    ("load", "the host takes the component"),
    ("describe", "every parameter has a name and words for people"),
    ("configure", "equal triggers have equal plans, and odd values are problems"),
    ("parameters", "what is missing is named, what is unknown changes nothing"),
    ("metrics", "names are stable and do not change with a secret"),
    ("secrets", "no plan, problem or failure repeats one"),
    ("batch", "each query has exactly its own outcome"),
    ("source", "a source that misbehaves is a failure, and never a value"),
];

use std::fmt;
use trial::Laboratory;

/// A rule that a component broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The rule, by its name in the table above.
    pub rule: &'static str,
    /// What happened, and with which example.
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// What an examination came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Rules that were broken; none: it conforms.
    pub complaints: Vec<Complaint>,
    /// Examples that the component planned.
    pub examples: usize,
    /// Polls that were made.
    pub polls: usize,
}

impl Report {
    fn complain(&mut self, rule: &'static str, what: impl Into<String>) {
        let complaint = Complaint { rule, what: what.into() };
        if !self.complaints.contains(&complaint) {
            self.complaints.push(complaint);
        }
    }

    /// Whether no rule was broken.
    pub fn conforms(&self) -> bool {
        self.complaints.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} examples, {} polls, {} complaints", self.examples, self.polls, self.complaints.len())?;
        self.complaints.iter().try_for_each(|complaint| writeln!(f, "  {complaint}"))
    }
}

/// Examines a component with examples of what users write. Must be called on a tokio runtime of several threads.
///
/// # Errors
/// When this machine cannot run the examination: no loopback, no place for temporary files. What is wrong with the component
/// stands in the report.
pub async fn examine(wasm: &[u8], examples: &[Example]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let laboratory = Laboratory::new(wasm)?;
    let (first, second) = match (laboratory.trial().await?, laboratory.trial().await?) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(error), _) | (_, Err(error)) => {
            report.complain("load", error.to_string());
            return Ok(report);
        }
    };
    describe::examine(&mut report, &first, &second);
    let planned = configure::examine(&mut report, &first, &second, examples).await;
    report.examples = planned.len();
    if planned.is_empty() {
        report.complain("configure", "no example gave a plan: a component without an example is not examined");
        return Ok(report);
    }
    poll::examine(&mut report, &laboratory, &planned).await?;
    Ok(report)
}
