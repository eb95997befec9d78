//! The core's task, with a real core.
use crate::fake::{BROKE, FakePoller, FakeScalers, FakeWriter, Mood, intake};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_core::failure::FailureKind;
use windlass_core::message::{IntakeMsg, Msg, Seen};
use windlass_core::resolve::ProcessKey;
use windlass_core::settings::Settings;
use windlass_core::write::TargetSeen;
use windlass_core::{Board, Core, WorkloadKey, Write};
use windlass_pipeline::{Again, Clock, Drive, Metrics, Prepare, Watcher, inbox, prepare};

pub(crate) struct Running {
    poller: Arc<FakePoller>,
    writer: Arc<FakeWriter>,
    watcher: Watcher,
    pub(crate) inbox: tokio::sync::mpsc::Sender<Msg>,
    /// The stage ends with its input.
    _intake: tokio::sync::mpsc::Sender<IntakeMsg>,
}

/// A core that knows `names`, in local mode (an object without a uid writes nothing but its target's scale).
async fn running(names: &[&str], mood: Mood) -> Running {
    running_with(names, mood, Settings::default(), Metrics::new(&mut Default::default())).await
}

pub(crate) async fn running_with(names: &[&str], mood: Mood, settings: Settings, metrics: Metrics) -> Running {
    let clock = Clock::start();
    let poller = Arc::new(FakePoller { mood: Mutex::new(mood), batches: Mutex::default(), clock });
    let writer = Arc::new(FakeWriter::default());
    let (sender, messages) = inbox();
    let drive = Drive {
        core: Core::new(settings, Arc::new(Board::new())),
        clock,
        poller: poller.clone(),
        writer: writer.clone(),
        metrics: metrics.clone(),
    };
    let (driver, watcher) = drive.driver(messages);
    tokio::spawn(driver.run());
    let (intake_sender, receiver) = tokio::sync::mpsc::channel(64);
    let key = Arc::new(ProcessKey::new([7; 32]));
    let stage = Prepare { scalers: Arc::new(FakeScalers::default()), key, again: Again::default(), metrics };
    tokio::spawn(prepare(stage, receiver, sender.clone()));
    for name in names {
        let found = TargetSeen::Found { spec: 0, ready: 0, current: 0, version: "1".into() };
        sender.send(Msg::Seen(WorkloadKey::scaled_object("ns", *name), Seen::Target(found))).await.unwrap();
        intake_sender.send(IntakeMsg::Put(Box::new(intake(name, "quick", name)))).await.unwrap();
    }
    Running { poller, writer, watcher, inbox: sender, _intake: intake_sender }
}

/// Polls until something is true; real time, since polls run in tasks of their own.
pub(crate) async fn until(what: &str, mut check: impl FnMut() -> bool) {
    for _ in 0..500 {
        if check() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_poll_leads_to_a_scale_write() {
    let running = running(&["web"], Mood::Value(3)).await;
    until("a write", || !running.writer.0.lock().unwrap().is_empty()).await;
    let writes = running.writer.0.lock().unwrap().clone();
    assert!(writes.iter().any(|write| matches!(write, Write::Scale { to, .. } if *to >= 1)), "{writes:?}");
}

#[tokio::test]
async fn a_hanging_component_ends_and_its_answers_count() {
    let running = running(&["a", "b"], Mood::Hang(3)).await;
    until("one of two is scaled", || {
        running.writer.0.lock().unwrap().iter().any(|write| matches!(write, Write::Scale { .. }))
    })
    .await;
    assert_eq!(running.poller.batches.lock().unwrap().iter().sum::<usize>(), 2);
    // The core still answers while the batch hangs.
    assert!(running.watcher.view(WorkloadKey::scaled_object("ns", "a")).await.is_some());
    drop(running.inbox);
}

#[tokio::test]
async fn a_component_that_breaks_says_why_to_those_without_an_answer() {
    let running = running(&["a", "b"], Mood::Break(3)).await;
    until("one of two is scaled", || {
        running.writer.0.lock().unwrap().iter().any(|write| matches!(write, Write::Scale { .. }))
    })
    .await;
    let mut told = None;
    for round in 0..500 {
        for name in ["a", "b"] {
            let view = running.watcher.view(WorkloadKey::scaled_object("ns", name)).await.unwrap();
            told = told.or(view.triggers[0].failure.clone());
        }
        if told.is_some() {
            break;
        }
        assert!(round < 499, "never told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told.map(|failure| (failure.kind, failure.message)), Some((FailureKind::Internal, BROKE.into())));
}
