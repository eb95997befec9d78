//! Prepare: an object as the cluster tells it becomes a workload that the core can work on. Parameters are resolved by
//! `core::resolve`; what a scaler makes of them is asked in lists, component by component, and a component that takes its
//! time delays only the objects that use it.
use crate::again::Again;
use crate::metrics::Metrics;
use futures::stream::{FuturesUnordered, StreamExt};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use windlass_core::message::{IntakeMsg, Msg};
use windlass_core::port::{Scalers, Serving};
use windlass_core::query::{Problem, QueryPlan, Question, ResolvedTrigger};
use windlass_core::resolve::{self, ProcessKey};
use windlass_core::scaler::Scaler;
use windlass_core::workload::{Ask, DeclaredTrigger, Intake, Workload};
use windlass_core::{Digest, Fault, Reason, Text, WorkloadKey, settings};

/// How many changes are taken at once: one guest call serves all their triggers of a component.
const CHUNK: usize = 256;
/// How many chunks may wait for components at the same time.
const CHUNKS: usize = 8;

/// What the stage needs.
pub struct Prepare {
    /// Knows the components.
    pub scalers: Arc<dyn Scalers>,
    /// Makes fingerprints.
    pub key: Arc<ProcessKey>,
    /// Objects that are to be prepared again: another component serves them.
    pub again: Again,
    /// Metrics.
    pub metrics: Metrics,
}

/// An object and the number of its newest change: what is prepared for an older one is dropped.
struct Latest {
    sequence: u64,
    intake: Option<Arc<Intake>>,
    /// Its newest change has not been handed on yet.
    pending: bool,
    /// How often in a row its components could not be asked.
    tries: u32,
    /// The object is being deleted, which the core is told after what it was before: it may have to be restored.
    deleting: bool,
}

/// Runs the stage until its input ends.
pub async fn prepare(stage: Prepare, mut intake: mpsc::Receiver<IntakeMsg>, inbox: mpsc::Sender<Msg>) {
    let Prepare { scalers, key, again, metrics } = stage;
    let mut latest: HashMap<WorkloadKey, Latest> = HashMap::new();
    let mut sequence = 0_u64;
    let (done_tx, mut done) = mpsc::channel::<Done>(CHUNK);
    let mut chunks: JoinSet<()> = JoinSet::new();
    let mut taken = Vec::with_capacity(CHUNK);
    loop {
        while chunks.try_join_next().is_some() {}
        metrics.intake.set(i64::try_from(intake.len()).unwrap_or(i64::MAX));
        tokio::select! {
            biased;
            Some(Done { number, workload, unasked }) = done.recv() => {
                let key = workload.declared.key.clone();
                let Some(entry) = latest.get_mut(&key).filter(|entry| entry.sequence == number) else { continue };
                entry.pending = false;
                entry.tries = if unasked { entry.tries.saturating_add(1) } else { 0 };
                if unasked {
                    ask_later(&again, &key, entry.tries, number);
                }
                let deleting = entry.deleting;
                metrics.prepared.inc();
                if inbox.send(Msg::Upsert(workload)).await.is_err() {
                    return;
                }
                if deleting {
                    latest.remove(&key);
                    if inbox.send(Msg::Deleting(key)).await.is_err() {
                        return;
                    }
                }
            }
            count = intake.recv_many(&mut taken, CHUNK), if chunks.len() < CHUNKS => {
                if count == 0 {
                    return;
                }
                let mut work = Vec::new();
                for message in taken.drain(..) {
                    sequence += 1;
                    let pass = match message {
                        IntakeMsg::Put(intake) => {
                            let intake = Arc::<Intake>::from(intake);
                            let key = intake.declared.key.clone();
                            latest.insert(
                                key,
                                Latest { sequence, intake: Some(intake.clone()), pending: true, tries: 0, deleting: false },
                            );
                            work.push((sequence, intake));
                            continue;
                        }
                        IntakeMsg::Refused { key, uid, generation, fault } => {
                            latest.insert(key.clone(), Latest { sequence, intake: None, pending: false, tries: 0, deleting: false });
                            Msg::Refused { key, uid, generation, fault }
                        }
                        IntakeMsg::Deleting(key) => {
                            if let Some(entry) = latest.get_mut(&key).filter(|entry| entry.pending) {
                                entry.deleting = true;
                                continue;
                            }
                            latest.remove(&key);
                            Msg::Deleting(key)
                        }
                        IntakeMsg::Gone(key) => {
                            latest.remove(&key);
                            Msg::Gone(key)
                        }
                    };
                    if inbox.send(pass).await.is_err() {
                        return;
                    }
                }
                if !work.is_empty() {
                    chunks.spawn(chunk(scalers.clone(), key.clone(), metrics.clone(), work, done_tx.clone()));
                }
            }
            which = again.next(), if chunks.len() < CHUNKS => {
                let mut work = Vec::new();
                let mut anew = |entry: &mut Latest| {
                    let Some(intake) = entry.intake.clone() else { return };
                    sequence += 1;
                    entry.sequence = sequence;
                    entry.pending = true;
                    work.push((sequence, intake));
                };
                match which.named() {
                    Some(named) => named.iter().for_each(|key| _ = latest.get_mut(key).map(&mut anew)),
                    None => latest.iter_mut().filter(|(key, _)| which.holds(key)).for_each(|(_, entry)| anew(entry)),
                }
                if !work.is_empty() {
                    chunks.spawn(chunk(scalers.clone(), key.clone(), metrics.clone(), work, done_tx.clone()));
                }
            }
        }
    }
}

/// A prepared object.
struct Done {
    number: u64,
    workload: Box<Workload>,
    /// A component of it could not be asked: that is no word about the object, and may be otherwise in a moment.
    unasked: bool,
}

/// First and longest pause before the components of an object are asked again that could not be.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

fn ask_later(again: &Again, key: &WorkloadKey, tries: u32, number: u64) {
    let (again, key) = (again.clone(), key.clone());
    let pause = settings::backoff(BACKOFF.0, BACKOFF.1, tries, number);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        again.objects([key]);
    });
}

type Answer = Result<Arc<Question>, Fault>;

/// One object of a chunk: its answers as they come in.
struct Open {
    sequence: u64,
    intake: Arc<Intake>,
    answers: Vec<Option<Answer>>,
    held_back: Vec<(u16, Text)>,
    unasked: bool,
}

/// Where an answer belongs: which object of the chunk, which of its external triggers.
type Place = (usize, usize);

/// Prepares a chunk of objects: each leaves as soon as its last trigger is answered.
async fn chunk(
    scalers: Arc<dyn Scalers>,
    key: Arc<ProcessKey>,
    metrics: Metrics,
    work: Vec<(u64, Arc<Intake>)>,
    done: mpsc::Sender<Done>,
) {
    let mut open = Vec::with_capacity(work.len());
    let mut asks: BTreeMap<Digest, (Arc<Scaler>, Vec<(Place, ResolvedTrigger)>)> = BTreeMap::new();
    'objects: for (sequence, intake) in work {
        let mut answers = Vec::new();
        let mut held_back = Vec::new();
        let mut own: Vec<(Arc<Scaler>, Place, ResolvedTrigger)> = Vec::new();
        for (trigger, material) in intake.declared.triggers.iter().zip(&intake.materials) {
            if !matches!(trigger.ask, Ask::External { .. }) {
                continue;
            }
            let place = (open.len(), answers.len());
            answers.push(None);
            let resolved = match &material.fault {
                Some(fault) => Err(fault.clone()),
                None => resolve_one(scalers.as_ref(), &intake, trigger, material),
            };
            match resolved {
                Ok(Some((Serving { scaler, held_back: why, .. }, resolved))) => {
                    held_back.extend(why.map(|why| (trigger.index, why)));
                    own.push((scaler, place, resolved));
                }
                // What serves it will be known soon: until then nothing is said about the object.
                Ok(None) => continue 'objects,
                Err(fault) => {
                    if let Some(answer) = answers.last_mut() {
                        *answer = Some(Err(fault));
                    }
                }
            }
        }
        for (scaler, place, resolved) in own {
            let digest = scaler.digest;
            metrics.component(digest, &scaler.name);
            asks.entry(digest).or_insert_with(|| (scaler, Vec::new())).1.push((place, resolved));
        }
        open.push(Some(Open { sequence, intake, answers, held_back, unasked: false }));
    }
    for index in 0..open.len() {
        send_if_whole(&mut open, index, &done).await;
    }
    let mut calls: FuturesUnordered<_> = asks
        .into_iter()
        .map(|(digest, (scaler, asked))| {
            let (places, triggers): (Vec<Place>, Vec<ResolvedTrigger>) = asked.into_iter().unzip();
            let call = scalers.configure(digest, triggers.clone());
            async move { (scaler, places, triggers, call.await) }
        })
        .collect();
    while let Some((scaler, places, triggers, plans)) = calls.next().await {
        let plans = match plans {
            Ok(plans) if plans.len() == places.len() => plans.into_iter().map(Ok).collect(),
            Ok(_) => vec![
                Err(Fault::new(
                    Reason::ComponentUnavailable,
                    format!("component {} answered another number of triggers than it was asked", scaler.name),
                ));
                places.len()
            ],
            Err(fault) => vec![Err(fault); places.len()],
        };
        for ((place, resolved), plan) in places.iter().zip(triggers).zip(plans) {
            let unasked = plan.is_err();
            let answer = answer(&key, &scaler, resolved, plan, index_of(&open, *place));
            let Some(object) = open.get_mut(place.0).and_then(Option::as_mut) else { continue };
            object.unasked |= unasked;
            if let Some(slot) = object.answers.get_mut(place.1) {
                *slot = Some(answer);
            }
        }
        for (index, _) in places {
            send_if_whole(&mut open, index, &done).await;
        }
    }
}

/// The index in the object of an external trigger.
fn index_of(open: &[Option<Open>], (object, external): Place) -> u16 {
    open.get(object)
        .and_then(Option::as_ref)
        .and_then(|o| o.intake.declared.triggers.iter().filter(|t| matches!(t.ask, Ask::External { .. })).nth(external))
        .map_or(0, |trigger| trigger.index)
}

/// Finds the component and resolves the parameters. `None`: the component is not known yet.
fn resolve_one(
    scalers: &dyn Scalers,
    intake: &Arc<Intake>,
    trigger: &DeclaredTrigger,
    material: &windlass_core::Material,
) -> Result<Option<(Serving, ResolvedTrigger)>, Fault> {
    let located = |fault: Fault| {
        let message = format!("spec.triggers[{}].type: {}", trigger.index, fault.message);
        Fault::new(fault.reason, message)
    };
    let Some(serving) = scalers.serve(intake, trigger).map_err(located)? else { return Ok(None) };
    let key = &intake.declared.key;
    let resolved = resolve::resolve(&serving.scaler, trigger, &key.namespace, material, key)
        .map_err(|problems| invalid(trigger.index, &trigger.kind, &problems))?;
    let resolved = ResolvedTrigger { granted: serving.granted.clone(), ..resolved };
    Ok(Some((serving, resolved)))
}

/// What a component answered, as a question or as the fault that its trigger has.
fn answer(
    key: &ProcessKey,
    scaler: &Scaler,
    resolved: ResolvedTrigger,
    plan: Result<Result<QueryPlan, Vec<Problem>>, Fault>,
    index: u16,
) -> Answer {
    match plan? {
        Ok(plan) => Ok(Arc::new(resolve::question(key, scaler, resolved, plan))),
        Err(problems) => Err(invalid(index, &resolved.kind, &problems)),
    }
}

/// The fault of a trigger whose parameters cannot work: every problem, with the field's path.
fn invalid(index: u16, kind: &str, problems: &[Problem]) -> Fault {
    let told: Vec<String> = problems
        .iter()
        .map(|problem| match &problem.parameter {
            Some(parameter) => format!("spec.triggers[{index}].metadata.{parameter}: {}", problem.message),
            None => format!("spec.triggers[{index}] ({kind}): {}", problem.message),
        })
        .collect();
    Fault::new(Reason::InvalidTrigger, told.join("; "))
}

/// Sends an object on its way once all its triggers are answered.
async fn send_if_whole(open: &mut [Option<Open>], index: usize, done: &mpsc::Sender<Done>) {
    let Some(entry) = open.get_mut(index) else { return };
    if !entry.as_ref().is_some_and(|o| o.answers.iter().all(Option::is_some)) {
        return;
    }
    let Some(Open { sequence, intake, answers, held_back, unasked }) = entry.take() else { return };
    let mut workload = resolve::workload(&intake, answers.into_iter().flatten().collect());
    workload.held_back = held_back;
    // The receiver only goes away with the whole stage.
    let _ = done.send(Done { number: sequence, workload: Box::new(workload), unasked }).await;
}
