//! Hostile components, each with what must become of it. Whoever asks them (the host's tests, the benchmark) does so as an
//! operator does: load, configure, poll.
pub mod bombs;
mod guests;
mod source;

pub use source::HostileSource;

use std::fmt;

/// What an attack is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// CPU time and stack.
    Cpu,
    /// Memory, tables and the host's own memory.
    Memory,
    /// What the host is told: plans, outcomes, messages.
    Answers,
    /// Sources, and whoever else can be reached.
    Network,
    /// Log lines.
    Logs,
    /// Being loaded at all.
    Loading,
    /// The compiler.
    Compiler,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 7] =
        [Group::Cpu, Group::Memory, Group::Answers, Group::Network, Group::Logs, Group::Loading, Group::Compiler];

    /// The word in tables and figures.
    pub fn as_label(self) -> &'static str {
        match self {
            Group::Cpu => "cpu",
            Group::Memory => "memory",
            Group::Answers => "answers",
            Group::Network => "network",
            Group::Logs => "logs",
            Group::Loading => "loading",
            Group::Compiler => "compiler",
        }
    }
}

/// How an attack ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The component is not loaded; the error has these words.
    Refused(&'static str),
    /// The component fails when it is asked for a plan; the fault has these words.
    NoPlan(&'static str),
    /// Its plan is refused; the problem has these words.
    BadPlan(&'static str),
    /// Its call is ended; what failed its query has these words.
    Ended(&'static str),
    /// Its query fails: the kind of the failure, and words in its message.
    Fails(&'static str, &'static str),
    /// It gets less than it wants, or nothing, and answers this value.
    Answers(f64),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Refused(_) => write!(f, "not loaded"),
            End::NoPlan(_) => write!(f, "no plan: the component is unavailable"),
            End::BadPlan(_) => write!(f, "its plan is refused"),
            End::Ended(_) => write!(f, "its call is ended"),
            End::Fails(kind, _) => write!(f, "its query fails: {kind}"),
            End::Answers(_) => write!(f, "it is told no, and answers"),
        }
    }
}

/// A hostile component.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Its name, which is its trigger type too.
    pub name: &'static str,
    /// What it is aimed at.
    pub group: Group,
    /// What it does.
    pub does: &'static str,
    /// The component; its only endpoint is this port of 127.0.0.1, by the parameter [`SERVER`].
    pub made: fn(u16) -> Vec<u8>,
    /// How it ends.
    pub end: End,
    /// The limit that it hits, by its label.
    pub limit: Option<&'static str>,
    /// How often it is polled until it shows itself.
    pub polls: u32,
}

impl fmt::Debug for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attack").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The parameter in which a user names the source, as a URL.
pub const SERVER: &str = "server";
/// The parameter that the guest sees a secret in.
pub const TOKEN: &str = "token";
/// The secret: it stands in no outcome and no log line.
pub const SECRET: &str = "s3cret-of-somebody";

/// All attacks.
pub fn attacks() -> Vec<Attack> {
    guests::attacks()
}

/// The table of all attacks, as Markdown.
pub fn table() -> String {
    let mut text = String::from("| attack | aimed at | what it does | how it ends | limit |\n|---|---|---|---|---|\n");
    for Attack { name, group, does, end, limit, .. } in attacks() {
        let limit = limit.map_or(String::new(), |limit| format!("`{limit}`"));
        text.push_str(&format!("| `{name}` | {} | {does} | {end} | {limit} |\n", group.as_label()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_all_different_and_the_table_is_the_one_that_people_read() {
        let names: BTreeSet<_> = attacks().iter().map(|attack| attack.name).collect();
        assert_eq!(names.len(), attacks().len());
        let read = include_str!("../../../bench/README.md");
        assert!(read.contains(&table()), "put this into runtime/bench/README.md, section Contained:\n\n{}", table());
    }
}
