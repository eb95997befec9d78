//! Batches, played against a model of a server that knows, per connection, who logged in and which database is chosen.
use std::collections::BTreeMap;
use windlass_scaler_redis::Redis;
use windlass_sdk::testing::{Reply, poll_tcp, trigger, trigger_of};
use windlass_sdk::{FailureKind, Outcome, Trigger};

/// Servers with a password, where a list's length is a hundred times its database, and its name in bytes.
#[derive(Default)]
struct Servers {
    databases: BTreeMap<usize, u64>,
    logins: usize,
    writes: usize,
}

impl Servers {
    fn answer(&mut self, connection: usize, bytes: &[u8]) -> Reply {
        self.writes += 1;
        let text = String::from_utf8_lossy(bytes);
        let answers: Vec<String> = text.split('*').skip(1).map(|command| self.one(connection, command)).collect();
        Reply::Bytes(answers.concat().into_bytes())
    }

    fn one(&mut self, connection: usize, command: &str) -> String {
        let words: Vec<&str> = command.split("\r\n").skip(2).step_by(2).collect();
        let database = self.databases.get(&connection).copied();
        match (words.as_slice(), database) {
            (["AUTH", "s3cret"], _) => {
                self.logins += 1;
                self.databases.insert(connection, 0);
                "+OK\r\n".to_owned()
            }
            (_, None) => "-NOAUTH Authentication required.\r\n".to_owned(),
            (["SELECT", number], Some(_)) => {
                self.databases.insert(connection, number.parse().unwrap());
                "+OK\r\n".to_owned()
            }
            (["EVAL", _, "1", list], Some(database)) => format!(":{}\r\n", database * 100 + list.len() as u64),
            (other, _) => panic!("{other:?}"),
        }
    }
}

fn asking(database: usize, list: &str) -> Trigger {
    let database = database.to_string();
    let metadata = [("address", "redis:6379"), ("listName", list), ("databaseIndex", &*database)];
    trigger::<Redis>(&metadata, &[("password", "s3cret")]).unwrap()
}

#[test]
fn a_kept_connection_is_logged_in_and_asked_for_the_right_database() {
    let triggers: Vec<Trigger> = (0..100).map(|number| asking(number % 7, "orders")).collect();
    let mut servers = Servers::default();
    let outcomes = poll_tcp::<Redis>(&triggers, 0, |_, connection, bytes| servers.answer(connection, bytes));
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = (number % 7 * 100 + 6) as f64;
        assert!(matches!(outcome, Outcome::Ready(reading) if reading.values == [expected]), "{number}: {outcome:?}");
    }
    // As many connections as conversations at a time, one log-in for each; one write per query.
    assert_eq!((servers.databases.len(), servers.logins, servers.writes), (8, 8, 100));
}

#[test]
fn a_query_that_cannot_work_fails_alone() {
    let mut bad = asking(0, "orders");
    bad.values.retain(|value| value.name != "address");
    let mut servers = Servers::default();
    let outcomes = poll_tcp::<Redis>(&[asking(0, "a"), bad, asking(0, "b")], 0, |_, connection, bytes| {
        servers.answer(connection, bytes)
    });
    assert!(matches!(&outcomes[1], Outcome::Failed(failure) if failure.kind == FailureKind::Invalid), "{outcomes:?}");
    for outcome in [&outcomes[0], &outcomes[2]] {
        assert!(matches!(outcome, Outcome::Ready(reading) if reading.values == [1.0]), "{outcomes:?}");
    }
}

fn sentinels() -> Trigger {
    let metadata = [("addresses", "a:1,b:1,c:1"), ("sentinelMaster", "mymaster"), ("listName", "orders")];
    trigger_of::<Redis>("redis-sentinel", &metadata, &[]).unwrap()
}

const MASTER: &str = "*2\r\n$1\r\nm\r\n$4\r\n6379\r\n";

fn bytes(text: &str) -> Reply {
    Reply::Bytes(text.as_bytes().to_vec())
}

#[test]
fn the_next_sentinel_is_asked_where_one_is_down_or_silent() {
    for first in [Reply::Close, Reply::Nothing] {
        let mut asked = Vec::new();
        let outcomes = poll_tcp::<Redis>(&[sentinels()], 0, |endpoint, _, _| {
            asked.push(endpoint);
            match endpoint {
                0 | 1 => first.clone(),
                2 => bytes(MASTER),
                _ => bytes("*1\r\n$6\r\nmaster\r\n:4\r\n"),
            }
        });
        assert!(
            matches!(&outcomes[0], Outcome::Ready(reading) if reading.values == [4.0] && reading.state == Some(vec![2])),
            "{outcomes:?}"
        );
        assert_eq!(asked[..3], [0, 1, 2]);
    }
}

#[test]
fn a_master_that_is_down_is_told_after_all_sentinels_named_it() {
    let mut sentinels_asked = 0;
    let outcomes = poll_tcp::<Redis>(&[sentinels()], 0, |endpoint, _, _| {
        if endpoint > 2 {
            return Reply::Close;
        }
        sentinels_asked += 1;
        bytes(MASTER)
    });
    assert!(
        matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::Unreachable),
        "{outcomes:?}"
    );
    assert_eq!(sentinels_asked, 3);
}

#[test]
fn a_silent_server_takes_no_neighbour_with_it() {
    let silent = trigger::<Redis>(&[("address", "redis:6379"), ("listName", "silent")], &[]).unwrap();
    let open = trigger::<Redis>(&[("address", "redis:6379"), ("listName", "open")], &[]).unwrap();
    let outcomes = poll_tcp::<Redis>(&[silent, open], 0, |_, _, sent| {
        if sent.ends_with(b"silent\r\n") { Reply::Nothing } else { bytes(":2\r\n") }
    });
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::Timeout), "{outcomes:?}");
    assert!(matches!(&outcomes[1], Outcome::Ready(reading) if reading.values == [2.0]), "{outcomes:?}");
}

#[test]
fn a_server_that_was_named_has_all_the_time() {
    let metadata = [("addresses", "a:1,b:1,c:1"), ("listName", "orders")];
    let trigger = trigger_of::<Redis>("redis-cluster", &metadata, &[]).unwrap();
    let mut asked = 0;
    let outcomes = poll_tcp::<Redis>(&[trigger], 0, |endpoint, _, _| {
        asked += 1;
        if endpoint == 0 { bytes("-MOVED 1 10.0.0.7:6379\r\n") } else { Reply::Nothing }
    });
    assert!(matches!(&outcomes[0], Outcome::Failed(failure) if failure.kind == FailureKind::Timeout), "{outcomes:?}");
    assert_eq!(asked, 2);
}
