//! What is put aside because components break down of it: a query, or a component for one namespace or for all. What
//! decides it is in `schedule`; this is what people are told.
use std::fmt;
use std::time::Duration;

/// What a quarantine holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One query, which brought down several batches of its own.
    Query,
    /// A component in one namespace, in which every query brought down a batch of its own.
    Namespace,
    /// A component in all namespaces: the same holds in each of them, and there are several.
    Component,
}

impl Scope {
    /// All of them, from narrow to wide.
    pub const ALL: [Scope; 3] = [Scope::Query, Scope::Namespace, Scope::Component];

    /// The word used in metrics and JSON output.
    pub fn as_label(self) -> &'static str {
        match self {
            Scope::Query => "query",
            Scope::Namespace => "namespace",
            Scope::Component => "component",
        }
    }
}

/// A query in quarantine, as it was when it got there: nothing in it moves while it stays, so that what is told of it is
/// written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The widest that has held it back since.
    pub scope: Scope,
    /// Batches of its own that it had brought down.
    pub failures: u32,
    /// Within this it, or another query of what is held back, is asked again; rounded up to a round figure.
    pub pause: Duration,
    /// What the pauses grow to.
    pub longest: Duration,
}

impl Quarantine {
    pub(crate) fn new(scope: Scope, failures: u32, pause: Duration, longest: Duration) -> Quarantine {
        Quarantine { scope, failures, pause: rounded_up(pause), longest }
    }
}

/// `quarantined after 3 failures alone, asked again within 1m and then ever more rarely, up to every 5m`
impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quarantine { scope, failures, pause, longest } = self;
        let plural = if *failures == 1 { "" } else { "s" };
        let (pause, longest) = (figure(*pause), figure(*longest));
        match scope {
            Scope::Query => write!(f, "quarantined after {failures} failure{plural} alone, asked again")?,
            Scope::Namespace => write!(
                f,
                "its component is quarantined in this namespace, where every query of it fails; one is asked again"
            )?,
            Scope::Component => {
                write!(
                    f,
                    "its component is quarantined in all namespaces, where every query of it fails; one is asked again"
                )?;
            }
        }
        write!(f, " within {pause} and then ever more rarely, up to every {longest}")
    }
}

/// Figures that people think in, in seconds.
const FIGURES: [u64; 10] = [5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600];

fn rounded_up(pause: Duration) -> Duration {
    let figure = FIGURES.into_iter().map(Duration::from_secs).find(|figure| pause <= *figure);
    figure.unwrap_or(pause)
}

/// `90s`, `5m`, `6h`.
fn figure(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds >= 3_600 && seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Quarantines of one scope, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many there are now.
    pub held: u64,
    /// How many have begun.
    pub entered: u64,
    /// How many have ended: by an answer, or since what was asked is asked no more.
    pub left: u64,
    /// How often something was asked that a quarantine holds back, to see whether it works again.
    pub probes: u64,
}

/// All quarantines, counted by scope. Of queries those count that are held back by whatever scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census([Count; 3]);

impl Census {
    /// Those of one scope.
    pub fn of(&self, scope: Scope) -> Count {
        let [query, namespace, component] = self.0;
        match scope {
            Scope::Query => query,
            Scope::Namespace => namespace,
            Scope::Component => component,
        }
    }

    fn at(&mut self, scope: Scope) -> &mut Count {
        let [query, namespace, component] = &mut self.0;
        match scope {
            Scope::Query => query,
            Scope::Namespace => namespace,
            Scope::Component => component,
        }
    }

    pub(crate) fn entered(&mut self, scope: Scope) {
        let count = self.at(scope);
        count.held += 1;
        count.entered += 1;
    }

    pub(crate) fn left(&mut self, scope: Scope) {
        let count = self.at(scope);
        count.held = count.held.saturating_sub(1);
        count.left += 1;
    }

    pub(crate) fn probed(&mut self, scope: Scope) {
        self.at(scope).probes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_are_told_is_in_round_figures() {
        let seconds = Duration::from_secs;
        let told = Quarantine::new(Scope::Query, 3, Duration::from_millis(45_210), seconds(300)).to_string();
        let expected =
            "quarantined after 3 failures alone, asked again within 1m and then ever more rarely, up to every 5m";
        assert_eq!(told, expected);
        let told = Quarantine::new(Scope::Component, 1, seconds(5), seconds(21_600)).to_string();
        assert!(told.ends_with("all namespaces, where every query of it fails; one is asked again within 5s and then ever more rarely, up to every 6h"), "{told}");
        assert_eq!(figure(seconds(90)), "90s");
    }
}
