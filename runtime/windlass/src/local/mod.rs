//! `windlass local`: ScaledObjects from files, targets that are processes of this machine, and the same core, components
//! and decisions as in a cluster.
mod display;
mod process;
mod target;

use crate::args::Local as Arguments;
use crate::components::{self, Reach};
use anyhow::{Context, bail};
use display::{Display, Row};
use process::{Count, Processes, Set, SetKey};
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, HashMap};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use target::Targets;
use tokio::sync::{mpsc, watch};
use windlass_core::message::{IntakeMsg, Msg};
use windlass_core::settings::Settings;
use windlass_core::write::StatusView;
use windlass_core::{Board, Core, WorkloadKey};
use windlass_pipeline::{Again, Clock, Drive, Metrics, Prepare, Watcher};

/// How often the display looks at the core.
const LOOK: Duration = Duration::from_millis(250);

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(local(arguments))
}

async fn local(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let files = windlass_api::local::read_directory(&arguments.path)?;
    if files.objects.is_empty() {
        bail!("no ScaledObject in {}", arguments.path.display());
    }
    let clock = Clock::start();
    let host = components::host(&arguments.components, Reach::local(), clock, &mut Registry::default())?;
    components::load(&host, &arguments.components).await?;

    // Copies write to files, so that their lines do not tear the table.
    let logs = crate::args::temporary_folder(&format!("windlass-local-{}", std::process::id()));
    std::fs::create_dir_all(&logs).with_context(|| logs.display().to_string())?;
    let (counts_tx, counts) = mpsc::unbounded_channel();
    let (back_tx, back) = mpsc::unbounded_channel();
    let (happened_tx, happened) = mpsc::unbounded_channel();
    let mut sets = HashMap::new();
    for process in files.process_sets {
        let output = logs.join(format!("{}.{}.log", process.namespace, process.name));
        let key = (process.namespace.clone(), process.name.clone());
        sets.insert(key, Processes::start(Set { process, output }, counts_tx.clone()));
    }
    drop(counts_tx);
    let targets = Arc::new(Targets::new(sets, back_tx, happened_tx));

    let metrics = Metrics::new(&mut Registry::default());
    let drive = Drive {
        core: Core::new(Settings::default(), Arc::new(Board::new())),
        clock,
        poller: host.clone(),
        writer: targets.clone(),
        metrics: metrics.clone(),
    };
    let (inbox, messages) = windlass_pipeline::inbox();
    let (driver, watcher) = drive.driver(messages);
    let (intake_tx, intake) = mpsc::channel(windlass_pipeline::INTAKE);
    let key = Arc::new(components::process_key()?);
    let stage = Prepare { scalers: host.clone(), key, again: Again::default(), metrics: metrics.clone() };
    tokio::spawn(driver.run());
    tokio::spawn(windlass_pipeline::prepare(stage, intake, inbox.clone()));

    let mut shown: Vec<(WorkloadKey, SetKey)> = Vec::new();
    for object in files.objects {
        let key = object.declared.key.clone();
        shown.push((key.clone(), (key.namespace.clone(), object.declared.target.name.clone())));
        inbox.send(Msg::Seen(key, target::record(StatusView::default()))).await?;
        intake_tx.send(IntakeMsg::Put(Box::new(object))).await?;
    }
    let running = watch_counts(counts, &shown, inbox.clone());
    tokio::spawn(forward(back, inbox));

    let display = Display::new(arguments.output, happened);
    let looked = look(&arguments, &watcher, &shown, &running, display, &metrics).await;
    targets.stop().await;
    looked?.finish(&logs);
    Ok(ExitCode::SUCCESS)
}

/// Hands on what the writer tells, in order. The channel needs no bound: one write per object and kind is under way.
async fn forward(mut from: mpsc::UnboundedReceiver<Msg>, to: mpsc::Sender<Msg>) {
    while let Some(message) = from.recv().await {
        if to.send(message).await.is_err() {
            return;
        }
    }
}

/// Tells the core of its targets' replicas, and the display of running copies.
fn watch_counts(
    mut counts: mpsc::UnboundedReceiver<(SetKey, Count)>,
    shown: &[(WorkloadKey, SetKey)],
    inbox: mpsc::Sender<Msg>,
) -> watch::Receiver<BTreeMap<SetKey, Count>> {
    let mut users: HashMap<SetKey, Vec<WorkloadKey>> = HashMap::new();
    for (key, set) in shown {
        users.entry(set.clone()).or_default().push(key.clone());
    }
    let (tell, told) = watch::channel(BTreeMap::new());
    tokio::spawn(async move {
        while let Some((set, count)) = counts.recv().await {
            tell.send_modify(|all| {
                all.insert(set.clone(), count);
            });
            for key in users.get(&set).into_iter().flatten() {
                if inbox.send(Msg::Seen(key.clone(), target::replicas(count))).await.is_err() {
                    return;
                }
            }
        }
    });
    told
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    replicas: u32,
    /// Whether every workload has been up, and is down again.
    up: bool,
    down: bool,
}

/// A finished look: what remains is to tell people.
struct Looked {
    display: Display,
    peak: Peak,
    last: u32,
    polls: u64,
    seconds: f64,
}

impl Looked {
    fn finish(mut self, logs: &std::path::Path) {
        self.display.summary(self.peak.replicas, self.last, self.polls, self.seconds, logs);
    }
}

/// Shows what happens until it is over: Ctrl-C, the time limit, or all workloads idle again.
async fn look(
    arguments: &Arguments,
    watcher: &Watcher,
    shown: &[(WorkloadKey, SetKey)],
    running: &watch::Receiver<BTreeMap<SetKey, Count>>,
    mut display: Display,
    metrics: &Metrics,
) -> anyhow::Result<Looked> {
    let started = Instant::now();
    let limit = arguments.for_s.map(Duration::from_secs);
    let mut peaks = vec![Peak::default(); shown.len()];
    let mut peak = Peak::default();
    let mut interrupted = std::pin::pin!(crate::signals::interrupted()?);
    let mut ticks = tokio::time::interval(LOOK);
    let mut last = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = &mut interrupted => break,
        }
        let mut rows = Vec::with_capacity(shown.len());
        for ((key, set), own) in shown.iter().zip(&mut peaks) {
            let count = running.borrow().get(set).copied().unwrap_or_default();
            let view = watcher.view(key.clone()).await;
            let floor = view.as_ref().map_or(0, |view| view.bounds.idle.unwrap_or(view.bounds.min));
            own.replicas = own.replicas.max(count.running);
            own.up |= count.running > floor;
            own.down = own.up && count.running <= floor && count.wanted <= floor;
            rows.push(Row { key: key.clone(), view, count });
        }
        last = rows.iter().map(|row| row.count.running).sum();
        peak.replicas = peak.replicas.max(last);
        display.show(started.elapsed(), &rows);
        let idle = arguments.until_idle && peaks.iter().all(|own| own.down);
        if idle || limit.is_some_and(|limit| started.elapsed() >= limit) {
            break;
        }
    }
    Ok(Looked { display, peak, last, polls: metrics.answers.get(), seconds: started.elapsed().as_secs_f64() })
}
