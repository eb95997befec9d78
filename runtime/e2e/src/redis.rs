//! Redis servers: one, a cluster of three, or one behind a sentinel. All are spoken to by `redis-cli`.
use crate::certificate::Authority;
use crate::folder::Folder;
use crate::process::{Life, Process, free_ports, installed};
use crate::wait::until;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const PACKAGE: &str = "redis-server";
const LIMIT: Duration = Duration::from_secs(60);

/// How a server is protected.
#[derive(Debug, Clone, Default)]
pub struct RedisOptions {
    /// The default user's password (`requirepass`); with a `user`, that user's.
    pub password: Option<String>,
    /// An ACL user; the default user is then switched off.
    pub user: Option<String>,
    /// Whether it serves TLS.
    pub transport: RedisTransport,
}

/// How bytes reach a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RedisTransport {
    /// In the open.
    #[default]
    Plain,
    /// TLS alone, with a certificate for localhost and 127.0.0.1 of an authority of its own.
    Tls,
}

/// One server.
pub struct Redis {
    folder: Folder,
    options: RedisOptions,
    port: u16,
    mode: Mode,
    /// PEM, when it serves TLS.
    authority: Option<String>,
    process: Option<Process>,
}

/// What a server is to the others.
#[derive(Debug, Clone)]
enum Mode {
    Single,
    ClusterNode { bus_port: u16 },
    ReplicaOf { port: u16 },
    Sentinel { master: u16, password: Option<String> },
}

/// The name by which sentinels know the master.
const MASTER: &str = "mymaster";

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When Redis is not installed, or does not come up; the text has the end of its log.
    pub async fn start(options: RedisOptions) -> Result<Redis> {
        Redis::start_as(options, Mode::Single).await
    }

    async fn start_as(options: RedisOptions, mode: Mode) -> Result<Redis> {
        let folder = Folder::for_run("redis")?;
        let [port] = free_ports()?;
        let mut redis = Redis { folder, options, port, mode, authority: None, process: None };
        redis.write_configuration()?;
        redis.resume().await?;
        Ok(redis)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The authority of its certificate, PEM.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Ends the server at once (SIGKILL). What was not saved is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.kill().map(drop))
    }

    /// Starts a killed server again, on the same port.
    ///
    /// # Errors
    /// As for [`Redis::start`].
    pub async fn resume(&mut self) -> Result<()> {
        let mut command = Command::new(installed("redis-server", PACKAGE)?);
        command.arg(self.folder.file("redis.conf")).current_dir(self.folder.path());
        if matches!(self.mode, Mode::Sentinel { .. }) {
            command.arg("--sentinel");
        }
        let process = Process::start("redis-server", command, &self.folder.file("redis.log"), Life::WithParent)?;
        until("redis-server answers", LIMIT, || async {
            process.ensure_running()?;
            Ok((self.command(&["PING"])?.trim() == "PONG").then_some(()))
        })
        .await
        .with_context(|| format!("see {}", self.folder.path().display()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Runs one command and gives what it answers, as `redis-cli` prints it.
    ///
    /// # Errors
    /// When the server cannot be reached, or answers with an error.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        self.run(&[], arguments)
    }

    /// Puts `count` items into a list.
    ///
    /// # Errors
    /// As for [`Redis::command`].
    pub fn push(&self, list: &str, count: usize) -> Result<()> {
        push(count, |arguments| self.command(arguments), list)
    }

    fn run(&self, options: &[&str], arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(installed("redis-cli", "redis-tools")?);
        // -e: an error of the server is an error of the program.
        command.args(["-e", "-h", "127.0.0.1", "-p", &self.port.to_string()]).args(options);
        if let Some(password) = &self.options.password {
            command.env("REDISCLI_AUTH", password);
        }
        if let Some(user) = &self.options.user {
            command.args(["--user", user]);
        }
        if self.authority.is_some() {
            command.args(["--tls", "--cacert"]).arg(self.folder.file("ca.crt"));
        }
        output(command.args(arguments))
    }

    fn write_configuration(&mut self) -> Result<()> {
        let dir = self.folder.path().display();
        let mut lines = vec![format!("dir {dir}"), "bind 127.0.0.1".to_owned(), "protected-mode no".to_owned()];
        let mut port = format!("port {}", self.port);
        if self.options.transport == RedisTransport::Tls {
            lines.extend(self.write_certificates()?);
            port = format!("port 0\ntls-port {}", self.port);
        }
        lines.push(port);
        match &self.mode {
            Mode::Single => {}
            Mode::ClusterNode { bus_port } => {
                lines.extend(["cluster-enabled yes".to_owned(), format!("cluster-port {bus_port}")]);
                lines.push("cluster-node-timeout 2000".to_owned());
            }
            Mode::ReplicaOf { port } => lines.push(format!("replicaof 127.0.0.1 {port}")),
            Mode::Sentinel { master, password } => {
                lines.push(format!("sentinel monitor {MASTER} 127.0.0.1 {master} 1"));
                lines.extend(password.iter().map(|password| format!("sentinel auth-pass {MASTER} {password}")));
                lines.push(format!("sentinel down-after-milliseconds {MASTER} 1000"));
                lines.push(format!("sentinel failover-timeout {MASTER} 5000"));
            }
        }
        if !matches!(self.mode, Mode::Sentinel { .. }) {
            lines.extend(["save \"\"".to_owned(), "appendonly no".to_owned()]);
        }
        match (&self.options.user, &self.options.password) {
            (Some(user), Some(password)) => {
                lines.extend(["user default off".to_owned(), format!("user {user} on >{password} ~* &* +@all")]);
            }
            (Some(_), None) => bail!("an ACL user needs a password"),
            (None, Some(password)) => {
                lines.push(format!("requirepass {password}"));
                if !matches!(self.mode, Mode::Sentinel { .. }) {
                    lines.push(format!("masterauth {password}"));
                }
            }
            (None, None) => {}
        }
        self.folder.write("redis.conf", lines.join("\n") + "\n")?;
        Ok(())
    }

    fn write_certificates(&mut self) -> Result<Vec<String>> {
        let authority = Authority::new("redis-ca")?;
        let server = authority.server("redis", &["localhost", "127.0.0.1"])?;
        let file = |name: &str, content: String| -> Result<PathBuf> { self.folder.write(name, content) };
        let lines = vec![
            format!("tls-ca-cert-file {}", file("ca.crt", authority.certificate())?.display()),
            format!("tls-cert-file {}", file("redis.crt", server.certificate)?.display()),
            format!("tls-key-file {}", file("redis.key", server.key)?.display()),
            "tls-auth-clients no".to_owned(),
        ];
        self.authority = Some(authority.certificate());
        Ok(lines)
    }
}

/// Three masters that share the slots.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three servers, makes them a cluster, and waits until each knows all slots.
    ///
    /// # Errors
    /// As for [`Redis::start`].
    pub async fn start(password: Option<&str>) -> Result<RedisCluster> {
        let mut nodes = Vec::new();
        for bus_port in free_ports::<3>()? {
            let options = RedisOptions { password: password.map(str::to_owned), ..RedisOptions::default() };
            nodes.push(Redis::start_as(options, Mode::ClusterNode { bus_port }).await?);
        }
        let addresses: Vec<String> = nodes.iter().map(Redis::address).collect();
        let mut arguments = vec!["--cluster", "create"];
        arguments.extend(addresses.iter().map(String::as_str));
        arguments.push("--cluster-yes");
        nodes[0].run(&arguments, &[])?;
        until("all nodes know the cluster", LIMIT, || async {
            for node in &nodes {
                if !node.command(&["CLUSTER", "INFO"])?.contains("cluster_state:ok") {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await?;
        Ok(RedisCluster { nodes })
    }

    /// `127.0.0.1:PORT` of each node.
    pub fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// Runs a command on the node that has the key.
    ///
    /// # Errors
    /// As for [`Redis::command`].
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        self.nodes[0].run(&["-c"], arguments)
    }

    /// Puts `count` items into a list, wherever it lives.
    ///
    /// # Errors
    /// As for [`Redis::command`].
    pub fn push(&self, list: &str, count: usize) -> Result<()> {
        push(count, |arguments| self.command(arguments), list)
    }
}

/// A master, its replica, and a sentinel that watches them.
pub struct RedisSentinel {
    servers: [Redis; 2],
    sentinel: Redis,
}

impl RedisSentinel {
    /// Starts the three, and waits until the sentinel knows the replica.
    ///
    /// # Errors
    /// As for [`Redis::start`].
    pub async fn start(password: Option<&str>, sentinel_password: Option<&str>) -> Result<RedisSentinel> {
        let options = RedisOptions { password: password.map(str::to_owned), ..RedisOptions::default() };
        let master = Redis::start_as(options.clone(), Mode::Single).await?;
        let replica = Redis::start_as(options, Mode::ReplicaOf { port: master.port }).await?;
        let mode = Mode::Sentinel { master: master.port, password: password.map(str::to_owned) };
        let options = RedisOptions { password: sentinel_password.map(str::to_owned), ..RedisOptions::default() };
        let sentinel = Redis::start_as(options, mode).await?;
        until("the sentinel knows the replica", LIMIT, || async {
            let replicas = sentinel.command(&["SENTINEL", "REPLICAS", MASTER])?;
            Ok(replicas.contains(&replica.port.to_string()).then_some(()))
        })
        .await?;
        Ok(RedisSentinel { servers: [master, replica], sentinel })
    }

    /// The sentinel's `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.sentinel.address()
    }

    /// The name of the master, as the sentinel knows it.
    pub fn master_name(&self) -> &'static str {
        MASTER
    }

    /// Puts `count` items into a list on the master of the moment.
    ///
    /// # Errors
    /// As for [`Redis::command`].
    pub fn push(&self, list: &str, count: usize) -> Result<()> {
        let master = self.master()?;
        push(count, |arguments| master.command(arguments), list)
    }

    /// Kills the master and waits until the replica has taken its place.
    ///
    /// # Errors
    /// When the sentinel does not fail over in time.
    pub async fn fail_over(&mut self) -> Result<()> {
        let old = self.master()?.port;
        for server in self.servers.iter_mut().filter(|server| server.port == old) {
            server.kill()?;
        }
        until("the replica became the master", LIMIT, || async {
            let master = self.master()?;
            Ok((master.port != old && master.command(&["ROLE"])?.starts_with("master")).then_some(()))
        })
        .await
    }

    fn master(&self) -> Result<&Redis> {
        let reply = self.sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER])?;
        let port = reply.lines().nth(1).and_then(|port| port.trim().parse::<u16>().ok());
        self.servers
            .iter()
            .find(|server| Some(server.port) == port)
            .with_context(|| format!("no server is the master: {reply}"))
    }
}

fn push(count: usize, command: impl Fn(&[&str]) -> Result<String>, list: &str) -> Result<()> {
    let items: Vec<String> = (0..count).map(|number| format!("item-{number}")).collect();
    for items in items.chunks(1000) {
        let mut arguments = vec!["RPUSH", list];
        arguments.extend(items.iter().map(String::as_str));
        command(&arguments)?;
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().context("cannot start redis-cli")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("redis-cli: {} {}", text.trim(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(text)
}
