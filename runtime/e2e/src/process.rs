//! Processes that never outlive their purpose.
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal};
use std::collections::HashSet;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a process may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Until its value is dropped, or until the process that started it ends in whatever way.
    WithParent,
    /// Until it is stopped by its id.
    Detached,
}

/// A running program with its output in a file.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    life: Life,
    id: u32,
    child: Mutex<Child>,
}

impl Process {
    /// Starts a program; what it prints is appended to `log`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(name: &str, mut command: Command, log: &Path, life: Life) -> Result<Process> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        if life == Life::WithParent {
            command = dying_with_parent(command);
        }
        // Its own group: a Ctrl-C at the terminal is for us, and we decide what follows.
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let program = command.get_program().to_owned();
        let child = spawn(command).with_context(|| format!("cannot start {name} ({})", program.display()))?;
        Ok(Process { name: name.to_owned(), log: log.to_owned(), life, id: child.id(), child: Mutex::new(child) })
    }

    /// The name under which it was started.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The file with its output.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails with the last lines of its output when it has ended.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn ensure_running(&self) -> Result<()> {
        match self.child().try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended with {status}; {} ends with:\n{}", self.name, self.log.display(), tail(&self.log))
            }
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let mut child = self.child();
        if child.try_wait()?.is_some() {
            bail!("{} has ended already", self.name);
        }
        rustix::process::kill_process(pid(self.id)?, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Ends it at once (SIGKILL) and waits for its end.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn kill(&self) -> Result<ExitStatus> {
        let mut child = self.child();
        child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        Ok(child.wait()?)
    }

    /// Asks it to end (SIGTERM), and kills it when it has not after `grace`.
    ///
    /// # Errors
    /// When it had to be killed, or was gone before.
    pub async fn stop(&self, grace: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let end = Instant::now() + grace;
        while Instant::now() < end {
            if let Some(status) = self.child().try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.kill()?;
        bail!(
            "{} did not end within {grace:?} of SIGTERM and was killed; {} ends with:\n{}",
            self.name,
            self.log.display(),
            tail(&self.log)
        )
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.life == Life::WithParent {
            let mut child = self.child();
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether a process of this id runs. One that has ended and waits for its parent to notice does not.
pub(crate) fn is_running(id: u32) -> bool {
    let known = pid(id).is_ok_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    known && stat(id).is_none_or(|fields| fields.first().is_none_or(|state| state != "Z"))
}

/// When a process was started, as the kernel tells it (in ticks since boot): with the id it names one process for ever.
/// None where `/proc` is missing.
pub(crate) fn born(id: u32) -> Option<String> {
    stat(id)?.get(19).cloned()
}

/// What `/proc` tells of a process, from the third field on: before it stands the name, which may hold anything.
fn stat(id: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Ends a detached process: SIGTERM, then SIGKILL after `grace`.
pub(crate) fn end(id: u32, grace: Duration) -> Result<()> {
    let pid = pid(id)?;
    let end = Instant::now() + grace;
    let mut signal = Signal::TERM;
    while is_running(id) {
        rustix::process::kill_process(pid, signal)
            .or_else(|error| if error == rustix::io::Errno::SRCH { Ok(()) } else { Err(error) })?;
        std::thread::sleep(Duration::from_millis(100));
        if Instant::now() > end {
            signal = Signal::KILL;
        }
        if Instant::now() > end + grace {
            bail!("process {id} does not end");
        }
    }
    Ok(())
}

/// `COUNT` different ports on 127.0.0.1 that nobody listens on now.
///
/// # Errors
/// When no port can be bound.
pub fn free_ports<const COUNT: usize>() -> Result<[u16; COUNT]> {
    // The kernel may hand out a port again as soon as it is free; processes of one run must not get each other's.
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    let mut ports = [0; COUNT];
    for port in &mut ports {
        for _attempt in 0..100 {
            let candidate = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if given.insert(candidate) {
                *port = candidate;
                break;
            }
        }
        if *port == 0 {
            bail!("no free port on 127.0.0.1");
        }
    }
    Ok(ports)
}

/// The path of a program that must be installed, or a sentence that says how.
pub(crate) fn installed(program: &str, package: &str) -> Result<PathBuf> {
    find(program).ok_or_else(|| {
        anyhow!("{program} is not installed: `cargo xtask test` installs it where it may; else install the package {package} (Debian and Ubuntu: sudo apt-get install {package})")
    })
}

/// The path of a program on the PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// The last lines of a file.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn pid(id: u32) -> Result<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw).with_context(|| format!("{id} is no process id"))
}

/// The same command under `setpriv`, which makes the kernel kill it when the thread that started it is gone. Where that
/// program is missing (it is part of util-linux), a killed test run leaves its processes behind.
pub(crate) fn dying_with_parent(command: Command) -> Command {
    let Some(setpriv) = find("setpriv") else { return command };
    let mut wrapped = Command::new(setpriv);
    wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        wrapped.current_dir(dir);
    }
    wrapped
}

type Order = (Command, Sender<std::io::Result<Child>>);

/// Starts a command from a thread that lives as long as this process: the kernel ties a child to the thread that started
/// it, and a test's thread ends with the test.
fn spawn(command: Command) -> Result<Child> {
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, answer) = channel();
    spawner.send((command, reply)).map_err(|_| anyhow!("the thread that starts processes is gone"))?;
    Ok(answer.recv()??)
}
