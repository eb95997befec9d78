//! Cases as data: `cases/<case>/case.json` beside a scaler's sources, and what differs from one.
//!
//! The same file is played natively by [`super::run_cases`] and, against the component, by `windlass scaler test`.
use super::parse_ms;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// A case: what a user writes, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub about: String,
    /// The trigger type; without it the scaler's first.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// The trigger's metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Parameters from a TriggerAuthentication.
    #[serde(default)]
    pub authentication: BTreeMap<String, String>,
    /// What is wrong with it: parts of messages by parameter, `""` for those of none. Then nothing else is expected.
    #[serde(default)]
    pub problems: BTreeMap<String, String>,
    /// Name, target and activation of its metrics.
    #[serde(default)]
    pub metrics: Vec<(String, f64, f64)>,
    /// `host:port`, or `host:port tls`, of its endpoints.
    #[serde(default)]
    pub endpoints: Vec<String>,
    /// Polls, one after the other; state is carried along.
    #[serde(default)]
    pub polls: Vec<Poll>,
}

/// A poll of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// For instance `2026-03-29T00:30:00Z`; without it 1970.
    #[serde(default)]
    pub now: Option<String>,
    /// What the source is asked and answers.
    #[serde(default)]
    pub exchange: Vec<Exchange>,
    /// What comes of it.
    pub expect: Expected,
}

/// A request and its answer, or bytes and their answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// HTTP: method and target, for instance `GET /api?x=1`.
    pub request: Option<String>,
    /// HTTP: headers that the request must carry.
    pub headers: BTreeMap<String, String>,
    /// HTTP: the credentials that the request must carry, `scheme role=name …`.
    pub credentials: Vec<String>,
    /// HTTP: the request's body.
    pub content: String,
    /// HTTP: status of the answer; 0 is 200.
    pub status: u16,
    /// HTTP: headers of the answer.
    pub answer_headers: BTreeMap<String, String>,
    /// HTTP: body of the answer.
    pub body: String,
    /// TCP: what is written to the source.
    pub sent: Option<String>,
    /// TCP: what is answered; without it the source says nothing.
    pub reply: Option<String>,
}

/// What comes of a poll.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The values.
    pub values: Option<Vec<f64>>,
    /// Activity, where the scaler tells it.
    pub active: Option<bool>,
    /// When it wants to be asked again, where it says so.
    pub next: Option<String>,
    /// The kind of failure, in the contract's words, for instance `bad-response`.
    pub failed: Option<String>,
    /// A part of the failure's message.
    pub message: Option<String>,
}

/// What came of a poll, in the words of a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The values, where there are any.
    pub values: Option<Vec<f64>>,
    /// Activity, where the scaler tells it.
    pub active: Option<bool>,
    /// When it wants to be asked again.
    pub next: Option<String>,
    /// Kind and message of a failure.
    pub failed: Option<(String, String)>,
}

/// Something that is not as a case says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: String,
    /// As the case says.
    pub expected: String,
    /// As it is.
    pub got: String,
}

impl Difference {
    fn of<T: PartialEq + fmt::Debug>(what: &str, expected: &T, got: &T) -> Option<Difference> {
        let told = |value: &T| format!("{value:?}");
        (expected != got).then(|| Difference { what: what.to_owned(), expected: told(expected), got: told(got) })
    }

    fn of_optional<T: PartialEq + fmt::Debug>(what: &str, expected: &Option<T>, got: &Option<T>) -> Option<Difference> {
        let told = |value: &Option<T>| value.as_ref().map_or("nothing".to_owned(), |value| format!("{value:?}"));
        (expected != got).then(|| Difference { what: what.to_owned(), expected: told(expected), got: told(got) })
    }

    /// The same, of a poll.
    #[must_use]
    pub fn within(mut self, poll: &str) -> Difference {
        self.what = format!("{poll}, {}", self.what);
        self
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} instead of {}", self.what, self.got, self.expected)
    }
}

impl Case {
    /// The cases of a folder by name, each read or with what is wrong with its file.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn read_all(folder: &Path) -> std::io::Result<Vec<(String, Result<Case, String>)>> {
        let mut cases = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let read = std::fs::read(entry.path().join("case.json")).map_err(|error| format!("case.json: {error}"));
            let case =
                read.and_then(|text| serde_json::from_slice(&text).map_err(|error| format!("case.json: {error}")));
            cases.push((entry.file_name().to_string_lossy().into_owned(), case));
        }
        cases.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(cases)
    }

    /// Whether problems, as parameter (or `""`) and message, are those of the case.
    pub fn same_problems(&self, found: &[(String, String)]) -> Option<Difference> {
        let told = |(parameter, message): (&String, &String)| format!("{parameter}: {message}");
        let fits = found.len() == self.problems.len()
            && found.iter().all(|(name, message)| self.problems.get(name).is_some_and(|part| message.contains(part)));
        (!fits).then(|| Difference {
            what: "problems".to_owned(),
            expected: lines(self.problems.iter().map(told)),
            got: lines(found.iter().map(|(parameter, message)| told((parameter, message)))),
        })
    }

    /// How a plan differs from the case: metrics as name, target and activation, endpoints as `host:port` or `host:port tls`.
    pub fn same_plan(&self, metrics: &[(String, f64, f64)], endpoints: &[String]) -> Vec<Difference> {
        let metrics = Difference::of("metrics", &self.metrics, &metrics.to_vec());
        metrics.into_iter().chain(Difference::of("endpoints", &self.endpoints, &endpoints.to_vec())).collect()
    }
}

fn lines(told: impl Iterator<Item = String>) -> String {
    let told: Vec<_> = told.collect();
    if told.is_empty() { "none".to_owned() } else { told.join("\n") }
}

impl Poll {
    /// What it is called where it is spoken of: by its time, else by its number.
    pub fn title(&self, number: usize) -> String {
        self.now.clone().unwrap_or_else(|| format!("poll {number}"))
    }

    /// Its wall time, in milliseconds since 1970.
    ///
    /// # Errors
    /// When what the case says is no time.
    pub fn now_ms(&self) -> Result<u64, String> {
        match &self.now {
            Some(now) => parse_ms(now).ok_or_else(|| format!("`{now}` is no time; write it as 2026-03-29T00:30:00Z")),
            None => Ok(0),
        }
    }
}

impl Expected {
    /// How what came of a poll differs.
    pub fn differences(&self, told: &Told) -> Vec<Difference> {
        if let Some((kind, message)) = &told.failed {
            let part = self.message.as_deref().unwrap_or_default();
            let fits = self.failed.as_ref() == Some(kind) && message.contains(part);
            let difference = || Difference {
                what: "failure".to_owned(),
                expected: self.in_words(),
                got: format!("{kind}: {message}"),
            };
            return if fits { Vec::new() } else { vec![difference()] };
        }
        if self.failed.is_some() {
            let got = format!("values {:?}", told.values.as_deref().unwrap_or_default());
            return vec![Difference { what: "failure".to_owned(), expected: self.in_words(), got }];
        }
        let values = Difference::of_optional("values", &self.values, &told.values);
        let active = Difference::of_optional("active", &self.active, &told.active);
        let next = Difference::of_optional("next", &self.next, &told.next);
        values.into_iter().chain(active).chain(next).collect()
    }

    fn in_words(&self) -> String {
        match (&self.failed, &self.message, &self.values) {
            (Some(kind), Some(message), _) => format!("{kind}: {message}"),
            (Some(kind), None, _) => kind.clone(),
            (None, _, Some(values)) => format!("values {values:?}"),
            (None, _, None) => "nothing".to_owned(),
        }
    }
}
