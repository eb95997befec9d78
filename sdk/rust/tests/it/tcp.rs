//! Batches over TCP: a toy line protocol.
use windlass_sdk::tcp::{Conversation, Progress, Wire};
use windlass_sdk::testing::{Reply, poll_tcp, trigger};
use windlass_sdk::{
    Context, Failure, FailureKind, Outcome, Parameters, Plan, Problem, Reading, Scaler, Tcp, TcpScaler, Trigger,
};

struct Lines;

#[derive(Parameters)]
struct Asked {
    /// What to ask.
    question: String,
}

impl Scaler for Lines {
    const NAME: &'static str = "lines";
    type Parameters = Asked;
    type Transport = Tcp;

    fn configure(_: &Asked, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        Ok(Plan::metric("lines", 1.0, 0.0))
    }
}

impl TcpScaler for Lines {
    type Conversation = Line;

    fn converse(asked: &Asked, _: &Context<'_>) -> Result<Line, Failure> {
        Ok(Line { question: asked.question.clone(), greeted: false })
    }
}

struct Line {
    question: String,
    greeted: bool,
}

impl Conversation for Line {
    fn connected(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        self.greeted = !wire.fresh();
        wire.write(if wire.fresh() { b"hello\n" } else { self.question.as_bytes() });
        Ok(Progress::Wait)
    }

    fn received(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        let Some(end) = wire.input().iter().position(|byte| *byte == b'\n') else { return Ok(Progress::Wait) };
        let line = String::from_utf8_lossy(&wire.input()[..end]).into_owned();
        wire.consume(end + 1);
        if !self.greeted {
            self.greeted = true;
            wire.write(self.question.as_bytes());
            return Ok(Progress::Wait);
        }
        match line.split_once(' ') {
            Some(("go", host)) => Ok(Progress::Learn { host: host.to_owned(), port: 7 }),
            Some(("no", why)) => Ok(Progress::Refused(Failure::not_found(why))),
            _ => Ok(Progress::Done(Reading::value(line.parse().map_err(|_| Failure::bad_response(line))?))),
        }
    }
}

fn asking(question: &str) -> Trigger {
    trigger::<Lines>(&[("question", question)], &[]).unwrap()
}

fn line(text: &str) -> Reply {
    Reply::Bytes(format!("{text}\n").into_bytes())
}

#[test]
fn a_batch_shares_a_few_connections_and_logs_in_once_on_each() {
    let triggers: Vec<Trigger> = (0..50).map(|number| asking(&number.to_string())).collect();
    let (mut greetings, mut connections) = (0, 0);
    let outcomes = poll_tcp::<Lines>(&triggers, 0, |_, connection, bytes| {
        connections = connections.max(connection + 1);
        if bytes == b"hello\n" {
            greetings += 1;
            return line("hi");
        }
        line(&String::from_utf8_lossy(bytes))
    });
    for (number, outcome) in outcomes.iter().enumerate() {
        assert!(
            matches!(outcome, Outcome::Ready(reading) if reading.values == [number as f64]),
            "{number}: {outcome:?}"
        );
    }
    assert_eq!((greetings, connections), (8, 8));
}

#[test]
fn a_refusal_keeps_the_connection_and_garbage_closes_it() {
    let answered = |first: &str| {
        let mut connections = 0;
        // More than conversations at a time, so that later ones can use what earlier ones kept.
        let triggers: Vec<Trigger> = (0..16).map(|_| asking("?")).collect();
        let outcomes = poll_tcp::<Lines>(&triggers, 0, |_, connection, bytes| {
            connections = connections.max(connection + 1);
            if bytes == b"hello\n" { line("hi") } else { line(first) }
        });
        (outcomes[0].clone(), connections)
    };
    let (outcome, connections) = answered("no such list");
    assert!(
        matches!(outcome, Outcome::Failed(failure) if failure.kind == FailureKind::NotFound && failure.message == "such list")
    );
    assert_eq!(connections, 8);
    let (outcome, connections) = answered("garbage");
    assert!(matches!(outcome, Outcome::Failed(failure) if failure.kind == FailureKind::BadResponse));
    assert_eq!(connections, 16);
}

#[test]
fn a_kept_connection_that_was_closed_is_replaced() {
    let mut asked = 0;
    let triggers: Vec<Trigger> = (0..9).map(|_| asking("4")).collect();
    let outcomes = poll_tcp::<Lines>(&triggers, 0, |_, connection, bytes| {
        if bytes == b"hello\n" {
            return line("hi");
        }
        asked += 1;
        // The ninth query comes by a connection of the first eight, which is closed by then.
        if asked > 8 && connection < 8 { Reply::Close } else { line("4") }
    });
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Ready(_))), "{outcomes:?}");
}

#[test]
fn a_new_connection_that_is_closed_fails_its_query() {
    let outcomes = poll_tcp::<Lines>(&[asking("4")], 0, |_, _, _| Reply::Close);
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::Unreachable));
}

#[test]
fn a_connection_that_the_host_gives_up_is_told_at_once() {
    let mut asked = 0;
    let outcomes = poll_tcp::<Lines>(&[asking("4")], 0, |_, _, _| {
        asked += 1;
        Reply::NotAccepted
    });
    let told = |failure: &Failure| failure.kind == FailureKind::Timeout && failure.message.contains("accept");
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if told(failure)), "{outcomes:?}");
    assert_eq!(asked, 1);
}

#[test]
fn silence_ends_with_the_budget_and_delays_nobody() {
    let outcomes = poll_tcp::<Lines>(&[asking("silent"), asking("4")], 0, |_, _, bytes| match bytes {
        b"hello\n" => line("hi"),
        b"silent" => Reply::Nothing,
        _ => line("4"),
    });
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::Timeout));
    assert!(matches!(&outcomes[1], Outcome::Ready(_)));
}

#[test]
fn a_conversation_goes_where_the_source_sends_it_but_not_for_ever() {
    let outcomes = poll_tcp::<Lines>(&[asking("where"), asking("endless")], 0, |endpoint, _, bytes| match bytes {
        b"hello\n" => line("hi"),
        b"where" if endpoint == 0 => line("go leader"),
        b"where" => line("6"),
        _ => line(&format!("go {endpoint}")),
    });
    assert!(matches!(&outcomes[0], Outcome::Ready(reading) if reading.values == [6.0]), "{:?}", outcomes[0]);
    assert!(matches!(&outcomes[1], Outcome::Failed(failure) if failure.kind == FailureKind::BadResponse));
}

/// Asks the endpoints of its plan one after the other.
struct Several;

impl Scaler for Several {
    const NAME: &'static str = "several";
    type Parameters = Asked;
    type Transport = Tcp;

    fn configure(_: &Asked, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        Ok(Plan::metric("several", 1.0, 0.0))
    }
}

impl TcpScaler for Several {
    type Conversation = OneOfThree;

    fn converse(asked: &Asked, _: &Context<'_>) -> Result<OneOfThree, Failure> {
        Ok(OneOfThree { question: asked.question.clone(), endpoint: 0 })
    }
}

struct OneOfThree {
    question: String,
    endpoint: u32,
}

impl Conversation for OneOfThree {
    fn connected(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        wire.write(self.question.as_bytes());
        Ok(Progress::Wait)
    }

    fn received(&mut self, wire: &mut Wire) -> Result<Progress, Failure> {
        wire.consume(wire.input().len());
        Ok(Progress::Done(Reading::value(f64::from(self.endpoint))))
    }

    fn lost(&mut self, failure: Failure) -> Result<Progress, Failure> {
        if self.alternatives() == 0 {
            return Err(failure);
        }
        self.endpoint += 1;
        Ok(Progress::Connect(self.endpoint))
    }

    fn alternatives(&self) -> u32 {
        2 - self.endpoint
    }
}

#[test]
fn where_one_address_is_lost_or_silent_the_next_is_asked() {
    let triggers: Vec<Trigger> = ["first", "second", "silent", "none"]
        .map(|question| trigger::<Several>(&[("question", question)], &[]).unwrap())
        .into();
    let mut asked = Vec::new();
    let outcomes = poll_tcp::<Several>(&triggers, 0, |endpoint, _, bytes| {
        asked.push((String::from_utf8_lossy(bytes).into_owned(), endpoint));
        match (bytes, endpoint) {
            (b"first", 0) | (b"second", 1) | (b"silent", 2) => line("here"),
            (b"silent", _) => Reply::Nothing,
            _ => Reply::Close,
        }
    });
    for (outcome, endpoint) in outcomes.iter().zip([0.0, 1.0, 2.0]) {
        assert!(matches!(outcome, Outcome::Ready(reading) if reading.values == [endpoint]), "{outcomes:?}");
    }
    assert!(matches!(&outcomes[3], Outcome::Failed(failure) if failure.kind == FailureKind::Unreachable));
    for (question, times) in [("first", 1), ("second", 2), ("silent", 3), ("none", 3)] {
        assert_eq!(asked.iter().filter(|(told, _)| told == question).count(), times, "{question}: {asked:?}");
    }
}
