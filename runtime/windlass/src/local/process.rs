//! Targets of local mode: a set of copies of a command on this machine. Takes the core's scale writes as the cluster
//! crate does in a cluster, and tells what it sees the same way.
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use windlass_api::local::Process;
use windlass_core::Text;

/// A set and where its copies' output goes.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    /// What the user wrote.
    pub(crate) process: Process,
    /// A file; copies append to it.
    pub(crate) output: PathBuf,
}

/// Namespace and name of a set.
pub(crate) type SetKey = (Text, Text);

impl Set {
    fn key(&self) -> SetKey {
        (self.process.namespace.clone(), self.process.name.clone())
    }
}

/// How many copies run, and how many were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Asked for.
    pub(crate) wanted: u32,
    /// Running.
    pub(crate) running: u32,
}

/// A running set. Dropping it stops nothing by itself; see [`Processes::stop`].
#[derive(Debug)]
pub(crate) struct Processes {
    wanted: watch::Sender<u32>,
    task: tokio::task::JoinHandle<()>,
}

/// A copy that ended without being asked to is started again after this long, so a crashing command does not spin.
const RESTART: Duration = Duration::from_secs(1);

impl Processes {
    /// Starts a set with the copies that it wants to begin with; `counts` hears of every change.
    pub(crate) fn start(set: Set, counts: mpsc::UnboundedSender<(SetKey, Count)>) -> Processes {
        let (wanted, receiver) = watch::channel(set.process.replicas);
        let task = tokio::spawn(run(set, receiver, counts));
        Processes { wanted, task }
    }

    /// Asks for this many copies.
    pub(crate) fn scale(&self, to: u32) {
        self.wanted.send_replace(to);
    }

    /// Stops all copies and waits for their end.
    pub(crate) async fn stop(self) {
        drop(self.wanted);
        let _ = self.task.await;
    }
}

async fn run(set: Set, mut wanted: watch::Receiver<u32>, counts: mpsc::UnboundedSender<(SetKey, Count)>) {
    let set = Arc::new(set);
    let number = Arc::new(AtomicU32::new(0));
    let mut stops: Vec<watch::Sender<bool>> = Vec::new();
    let mut copies: JoinSet<()> = JoinSet::new();
    let mut told = None;
    loop {
        let want = *wanted.borrow_and_update();
        stops.retain(|stop| !stop.is_closed());
        while stops.len() > want as usize {
            // The youngest leaves first, as a Deployment would.
            if let Some(stop) = stops.pop() {
                stop.send_replace(true);
            }
        }
        while stops.len() < want as usize {
            let (stop, stopped) = watch::channel(false);
            stops.push(stop);
            copies.spawn(keep(set.clone(), number.fetch_add(1, Ordering::Relaxed), stopped));
        }
        let count = Count { wanted: want, running: u32::try_from(copies.len()).unwrap_or(u32::MAX) };
        if told != Some(count) {
            told = Some(count);
            let _ = counts.send((set.key(), count));
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            Some(_) = copies.join_next() => {}
        }
    }
    for stop in stops {
        stop.send_replace(true);
    }
    while copies.join_next().await.is_some() {}
    let _ = counts.send((set.key(), Count::default()));
}

/// Keeps one copy running until it is asked to stop.
async fn keep(set: Arc<Set>, number: u32, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let mut child = match spawn(&set, number) {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(process_set = %set.process.name, %error, "cannot start a copy; trying again");
                tokio::select! {
                    () = tokio::time::sleep(RESTART) => continue,
                    _ = stopped.changed() => return,
                }
            }
        };
        tokio::select! {
            ended = child.wait() => {
                tracing::warn!(process_set = %set.process.name, copy = number, ?ended, "a copy ended by itself; starting it again");
                tokio::select! {
                    () = tokio::time::sleep(RESTART) => {}
                    _ = stopped.changed() => {}
                }
            }
            _ = stopped.changed() => {
                stop(&mut child, set.process.stop_grace).await;
            }
        }
    }
}

fn spawn(set: &Set, number: u32) -> std::io::Result<Child> {
    let (program, arguments) = set
        .process
        .command
        .split_first()
        .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidInput, "spec.command is empty"))?;
    let output = std::fs::OpenOptions::new().create(true).append(true).open(&set.output)?;
    Command::new(program)
        .args(arguments)
        .envs(&set.process.env)
        .env("WINDLASS_COPY", number.to_string())
        .current_dir(&set.process.directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // A group of its own: Ctrl-C reaches us, and we stop the copies in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// SIGTERM, then SIGKILL after the grace period.
async fn stop(child: &mut Child, grace: Duration) {
    if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        let _ = child.start_kill();
        let _ = child.wait().await;
    }
}
