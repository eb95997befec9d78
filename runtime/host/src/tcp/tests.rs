//! Against a server on loopback that echoes.
use super::connection::Connection;
use super::link::Command;
use super::pool::Tcp;
use crate::budget::tests::{budgets, endpoint, question};
use crate::budget::{Budget, Budgets, Source};
use crate::http::tests::dialer;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_core::failure::{Failure, FailureKind};
use windlass_core::query::{Endpoint, Question};

struct World {
    budgets: Budgets,
    tcp: Tcp,
    endpoint: Endpoint,
    accepted: Arc<AtomicUsize>,
}

async fn world(budget: Budget) -> World {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let endpoint = endpoint("127.0.0.1", listener.local_addr().expect("an address").port());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut piece = [0; 64];
                while let Ok(length @ 1..) = stream.read(&mut piece).await {
                    if stream.write_all(&piece[..length]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    World { budgets: budgets(budget), tcp: Tcp::new(dialer()), endpoint, accepted }
}

impl World {
    fn source(&self, question: &Question) -> Arc<Source> {
        self.budgets.source(question, &self.endpoint).expect("a source")
    }

    fn open(&self, domain: &str) -> Result<(Connection, bool), Failure> {
        let question = question(domain, 0);
        let source = self.source(&question);
        let ticket = source.enter(&question.trigger.domain)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        self.tcp.open(&question, &self.endpoint, &source, ticket, deadline, &tokio::runtime::Handle::current())
    }

    /// (in flight, connections, used)
    fn figures(&self) -> (i64, i64, u64) {
        let source = self.source(&question("a", 0));
        (source.in_flight(), source.connections(), source.used_tokens())
    }
}

async fn echo(connection: &Connection) -> Result<(), Failure> {
    let sent = connection.commands.send(Command::Write("ping".into())).await;
    assert!(sent.is_ok());
    let read = connection.read(64, connection.deadline).await?;
    assert_eq!(&*read, b"ping");
    Ok(())
}

async fn until(world: &World, in_flight: i64, connections: i64) {
    let mut figures = world.figures();
    for _ in 0..1_000 {
        if (figures.0, figures.1) == (in_flight, connections) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        figures = world.figures();
    }
    panic!("{figures:?}");
}

#[tokio::test]
async fn a_connection_is_a_request_while_a_guest_has_it() {
    let world = world(Budget::default()).await;
    let (connection, new) = world.open("a").expect("opened");
    assert!(new);
    echo(&connection).await.expect("an echo");
    assert_eq!(world.figures(), (1, 1, 1));
    world.tcp.keep(connection);
    assert_eq!(world.figures(), (0, 1, 1), "it rests");
    let (connection, new) = world.open("a").expect("opened");
    assert!(!new);
    echo(&connection).await.expect("an echo");
    assert_eq!(world.figures(), (1, 1, 2));
    drop(connection);
    until(&world, 0, 0).await;
    let (other, new) = world.open("b").expect("opened");
    assert!(new, "namespaces share a source, never a connection");
    echo(&other).await.expect("an echo");
    assert_eq!(world.accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn connections_wait_for_the_budget_like_requests() {
    let budget = Budget { rate: 0.001, burst: 1, queue: 2, queue_per_namespace: 1, ..Budget::default() };
    let world = world(budget).await;
    let (first, _) = world.open("a").expect("opened");
    echo(&first).await.expect("an echo");
    let (second, _) = world.open("a").expect("it waits for its turn");
    let full = world.open("a").err().expect("the namespace's part of the queue is full");
    assert_eq!(full.kind, FailureKind::Throttled);
    let soon = Instant::now() + Duration::from_millis(30);
    assert_eq!(second.read(1, soon).await.expect_err("not yet").kind, FailureKind::Timeout);
    assert_eq!(world.accepted.load(Ordering::SeqCst), 1, "nothing was dialled");
    drop(second);
    // Its task is told to stop, and does so at its next turn.
    crate::budget::tests::settle().await;
    drop(world.open("a").expect("its place is free again"));
    crate::budget::tests::settle().await;
    // One whose turn never came does not rest.
    world.tcp.keep(first);
    let (kept, new) = world.open("a").expect("opened");
    assert!(!new);
    world.tcp.keep(kept);
    until(&world, 0, 0).await;
}

#[tokio::test]
async fn resting_connections_make_room() {
    let world = world(Budget { in_flight: 1, connections: 2, ..Budget::default() }).await;
    for i in 0..6 {
        let (connection, new) = world.open(&format!("namespace-{i}")).expect("opened");
        assert!(new);
        echo(&connection).await.expect("an echo");
        assert!(world.figures().1 <= 2);
        world.tcp.keep(connection);
    }
    assert_eq!(world.accepted.load(Ordering::SeqCst), 6);
}
