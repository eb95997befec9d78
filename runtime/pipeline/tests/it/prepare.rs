//! Objects on their way to the core.
use crate::fake::{FakeScalers, intake};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use windlass_core::message::{IntakeMsg, Msg};
use windlass_core::resolve::ProcessKey;
use windlass_core::workload::Trigger;
use windlass_core::{Reason, WorkloadKey};
use windlass_pipeline::{Again, Metrics, Prepare, prepare};

struct Stage {
    intake: mpsc::Sender<IntakeMsg>,
    inbox: mpsc::Receiver<Msg>,
    scalers: Arc<FakeScalers>,
    again: Again,
}

fn stage() -> Stage {
    let scalers = Arc::new(FakeScalers::default());
    let again = Again::default();
    let metrics = Metrics::new(&mut Default::default());
    let key = Arc::new(ProcessKey::new([7; 32]));
    let (sender, receiver) = mpsc::channel(64);
    let (inbox_sender, inbox) = mpsc::channel(64);
    let stage = Prepare { scalers: scalers.clone(), key, again: again.clone(), metrics };
    tokio::spawn(prepare(stage, receiver, inbox_sender));
    Stage { intake: sender, inbox, scalers, again }
}

impl Stage {
    async fn put(&self, name: &str, kind: &str, n: &str) {
        self.intake.send(IntakeMsg::Put(Box::new(intake(name, kind, n)))).await.unwrap();
    }

    /// The next message within a second: its kind, the object's name, and the trigger.
    async fn next(&mut self) -> Option<(&'static str, String, Option<Trigger>)> {
        let message = tokio::time::timeout(Duration::from_secs(1), self.inbox.recv()).await.ok()??;
        Some(match message {
            Msg::Upsert(workload) => {
                let trigger = workload.triggers.first().cloned();
                ("upsert", workload.declared.key.name.to_string(), trigger)
            }
            Msg::Refused { key, .. } => ("refused", key.name.to_string(), None),
            Msg::Deleting(key) => ("deleting", key.name.to_string(), None),
            Msg::Gone(key) => ("gone", key.name.to_string(), None),
            other => panic!("{other:?}"),
        })
    }
}

fn key(name: &str) -> WorkloadKey {
    WorkloadKey::scaled_object("ns", name)
}

#[tokio::test(start_paused = true)]
async fn objects_that_come_together_share_a_call() {
    let mut stage = stage();
    for name in ["a", "b", "c"] {
        stage.put(name, "quick", name).await;
    }
    for name in ["a", "b", "c"] {
        let (kind, told, trigger) = stage.next().await.unwrap();
        assert_eq!((kind, told.as_str()), ("upsert", name));
        let Some(Trigger::External { metrics, .. }) = trigger else { panic!("{trigger:?}") };
        assert_eq!(metrics[0].name.to_string(), format!("s0-{name}"));
    }
    assert_eq!(*stage.scalers.calls.lock().unwrap(), [("quick".into(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_component_delays_nobody_else() {
    let mut stage = stage();
    stage.put("waits", "slow", "1").await;
    stage.put("goes", "quick", "1").await;
    assert_eq!(stage.next().await.unwrap().1, "goes");
    assert!(stage.next().await.is_none(), "nothing is sent before its component answered");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.next().await.unwrap().1, "waits");
}

#[tokio::test(start_paused = true)]
async fn bad_triggers_name_field_and_remedy() {
    let mut stage = stage();
    for (kind, n, reason, text) in [
        ("quick", "bad", Reason::InvalidTrigger, "spec.triggers[0].metadata.n: has to be good"),
        ("quick", "", Reason::InvalidTrigger, "spec.triggers[0].metadata.n: "),
        ("none", "1", Reason::UnknownTriggerType, "spec.triggers[0].type: no scaler serves it"),
    ] {
        stage.put("web", kind, n).await;
        let (_, _, trigger) = stage.next().await.unwrap();
        let Some(Trigger::Unusable { fault, .. }) = trigger else { panic!("{trigger:?}") };
        assert_eq!(fault.reason, reason);
        assert!(fault.message.starts_with(text), "{}", fault.message);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_newest_change_arrives() {
    let mut stage = stage();
    stage.put("web", "slow", "old").await;
    stage.put("web", "quick", "new").await;
    let (_, _, trigger) = stage.next().await.unwrap();
    let Some(Trigger::External { metrics, .. }) = trigger else { panic!("{trigger:?}") };
    assert_eq!(&*metrics[0].name.name, "new");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(stage.next().await.is_none(), "what was prepared for the older change is dropped");
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_does_not_come_back() {
    let mut stage = stage();
    stage.put("web", "slow", "1").await;
    stage.intake.send(IntakeMsg::Gone(key("web"))).await.unwrap();
    assert_eq!(stage.next().await.unwrap().0, "gone");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(stage.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_core_knows_an_object_before_its_deletion() {
    let mut stage = stage();
    stage.put("web", "slow", "1").await;
    stage.intake.send(IntakeMsg::Deleting(key("web"))).await.unwrap();
    assert!(stage.next().await.is_none());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stage.next().await.unwrap().0, "upsert");
    assert_eq!(stage.next().await.unwrap().0, "deleting");
}

#[tokio::test(start_paused = true)]
async fn objects_are_prepared_again_one_by_one_by_namespace_or_all() {
    let mut stage = stage();
    for name in ["web", "api"] {
        stage.put(name, "none", "1").await;
        assert_eq!(stage.next().await.unwrap().0, "upsert");
    }
    stage.again.objects([key("api"), key("gone")]);
    assert_eq!(stage.next().await.unwrap().1, "api");
    assert!(stage.next().await.is_none());
    stage.again.namespace("elsewhere".into());
    assert!(stage.next().await.is_none());
    stage.again.namespace("ns".into());
    let both = [stage.next().await.unwrap().1, stage.next().await.unwrap().1];
    assert!(both.contains(&"web".to_owned()) && both.contains(&"api".to_owned()), "{both:?}");
    stage.again.objects([key("api")]);
    stage.again.all();
    let both = [stage.next().await.unwrap().1, stage.next().await.unwrap().1];
    assert!(both.contains(&"web".to_owned()) && both.contains(&"api".to_owned()), "{both:?}");
    assert!(stage.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_an_object_until_its_component_is_known() {
    let mut stage = stage();
    stage.put("web", "later", "1").await;
    stage.put("api", "quick", "1").await;
    assert_eq!(stage.next().await.unwrap().1, "api");
    stage.intake.send(IntakeMsg::Deleting(key("web"))).await.unwrap();
    assert!(stage.next().await.is_none());
    stage.scalers.known.store(true, std::sync::atomic::Ordering::Relaxed);
    stage.again.objects([key("web")]);
    let (kind, name, trigger) = stage.next().await.unwrap();
    assert_eq!((kind, &*name), ("upsert", "web"));
    assert!(matches!(trigger, Some(Trigger::External { .. })), "{trigger:?}");
    assert_eq!(stage.next().await.unwrap().0, "deleting");
}

/// A component that could not be asked said nothing about the object: it is asked again, less and less often.
#[tokio::test(start_paused = true)]
async fn a_component_that_could_not_be_asked_is_asked_again() {
    let mut stage = stage();
    stage.scalers.failing.store(3, Ordering::SeqCst);
    stage.put("web", "quick", "1").await;
    let started = tokio::time::Instant::now();
    let mut told = Vec::new();
    while told.last() != Some(&true) {
        let message = tokio::time::timeout(Duration::from_secs(60), stage.inbox.recv()).await.unwrap().unwrap();
        let Msg::Upsert(workload) = message else { panic!("{message:?}") };
        told.push(match &workload.triggers[0] {
            Trigger::External { .. } => true,
            Trigger::Unusable { fault, .. } if fault.reason == Reason::ComponentUnavailable => false,
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, [false, false, false, true]);
    let took = started.elapsed();
    assert!((Duration::from_secs(8)..Duration::from_secs(15)).contains(&took), "after 2, 4 and 8 s at most: {took:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(stage.scalers.calls.lock().unwrap().len(), 4, "and then no more");
    // What a component says no to is not asked again.
    stage.put("web", "quick", "bad").await;
    stage.next().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(stage.scalers.calls.lock().unwrap().len(), 5);
}
