//! The main job on every kind of source: 0 → 1 by Windlass, 1 → N and back by the real HPA controller through the aggregated
//! API, to 0 after the cooldown.
use crate::shared::LIMIT;
use crate::windlass::{Windlass, holds, metrics_api, quick_down};
use anyhow::{Context, Result, bail};
use k8s_openapi::jiff::{RoundMode, Timestamp, ToSpan, Unit, ZonedRound, tz::TimeZone};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use windlass_e2e::{Prometheus, PrometheusOptions, Redis, RedisOptions, target, until};
use windlass_testkit::ScriptedHttp;

#[tokio::test]
async fn redis_list() -> Result<()> {
    let windlass = Windlass::beside("redis").await?;
    let redis =
        Redis::start(RedisOptions { password: Some("first-password".into()), ..RedisOptions::default() }).await?;
    windlass.secret("redis", json!({ "password": "first-password" })).await?;
    windlass.authentication("redis", "redis", &["password"]).await?;
    windlass.deployment("orders", 0).await?;
    windlass
        .scale(
            "orders",
            json!({
                "pollingInterval": 1, "cooldownPeriod": 4, "maxReplicaCount": 30, "advanced": quick_down(),
                "triggers": [{
                    "type": "redis", "authenticationRef": { "name": "redis" },
                    "metadata": { "address": redis.address(), "listName": "orders", "listLength": "5" },
                }],
            }),
        )
        .await?;
    windlass.wait_ready("orders").await?;
    holds(3, 0, || windlass.replicas("orders")).await?;
    assert_eq!(windlass.metric("s0-redis-orders", "orders").await?, (200, Some("0".into())));

    redis.push("orders", 100)?;
    windlass.wait_event("orders", "KEDAScaleTargetActivated").await?;
    // 100 items, 5 for each replica.
    windlass.wait_replicas("orders", 20).await?;
    assert_eq!(windlass.metric("s0-redis-orders", "orders").await?, (200, Some("100".into())));
    windlass.wait_condition("orders", "Active", "True", "ScalerActive").await?;

    redis.command(&["DEL", "orders"])?;
    windlass.wait_event("orders", "KEDAScaleTargetDeactivated").await?;
    windlass.wait_replicas("orders", 0).await?;
    windlass.wait_condition("orders", "Active", "False", "ScalerNotActive").await?;

    // Rotation: the server takes a new password, then the Secret gets it.
    // What is connected stays logged in, so that the operator only learns of it when its connection is closed.
    redis.command(&["CONFIG", "SET", "requirepass", "second-password"])?;
    let port = redis.address().rsplit(':').next().unwrap_or_default().to_owned();
    let mut kill = Command::new("redis-cli");
    kill.args(["-p", &port, "CLIENT", "KILL", "TYPE", "normal"]).env("REDISCLI_AUTH", "second-password");
    let killed = kill.output()?;
    assert!(killed.status.success(), "{killed:?}");
    windlass.wait_condition("orders", "Ready", "False", "TriggerError").await?;
    windlass.secret("redis", json!({ "password": "second-password" })).await?;
    windlass.wait_ready("orders").await
}

#[tokio::test]
async fn prometheus_query() -> Result<()> {
    let windlass = Windlass::beside("prometheus").await?;
    let exporter = ScriptedHttp::start().await?;
    exporter.set_body("jobs_waiting 0\n");
    let targets = vec![exporter.address().to_string()];
    let prometheus = Prometheus::start(PrometheusOptions { targets, ..PrometheusOptions::default() }).await?;
    windlass.deployment("jobs", 0).await?;
    windlass
        .scale(
            "jobs",
            json!({
                "pollingInterval": 1, "cooldownPeriod": 4, "maxReplicaCount": 10, "advanced": quick_down(),
                "triggers": [{ "type": "prometheus", "metadata": {
                    "serverAddress": prometheus.url(), "query": "sum(jobs_waiting)", "threshold": "2.5" } }],
            }),
        )
        .await?;
    windlass.wait_ready("jobs").await?;
    exporter.set_body("jobs_waiting 11\n");
    windlass.wait_replicas("jobs", 5).await?;
    exporter.set_body("jobs_waiting 0\n");
    windlass.wait_replicas("jobs", 0).await
}

/// The example's queue, as the demo runs it.
struct WorkQueue {
    process: Child,
    url: String,
}

impl WorkQueue {
    fn start() -> Result<WorkQueue> {
        let mut command = Command::new(target().join("debug/work-queue"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot start work-queue: run `cargo build -p work-queue`")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let address = told["listening"].as_str().context("no address")?;
        Ok(WorkQueue { process, url: format!("http://{address}") })
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let status = Command::new(target().join("debug/work-queue"))
            .args(arguments)
            .args(["--url", &self.url])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() { bail!("work-queue {arguments:?}: {status}") } else { Ok(()) }
    }
}

impl Drop for WorkQueue {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn metrics_api_on_the_example_queue() -> Result<()> {
    let windlass = Windlass::beside("queue").await?;
    let queue = WorkQueue::start()?;
    windlass.deployment("worker", 0).await?;
    let url = format!("{}/stats", queue.url);
    let trigger =
        json!({ "type": "metrics-api", "metadata": { "url": url, "valueLocation": "backlog", "targetValue": "5" } });
    windlass
        .scale(
            "worker",
            json!({ "pollingInterval": 1, "cooldownPeriod": 4, "maxReplicaCount": 8, "triggers": [trigger] }),
        )
        .await?;
    windlass.wait_ready("worker").await?;
    queue.run(&["produce", "--jobs", "33", "--rate", "1000", "--work-ms", "1"])?;
    windlass.wait_replicas("worker", 7).await
}

#[tokio::test]
async fn cron_on_the_clock() -> Result<()> {
    let windlass = Windlass::beside("cron").await?;
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    // The next whole minute that is not too close.
    let edge = now.checked_add(if now.second() > 40 { 2.minutes() } else { 1.minutes() })?;
    let edge = edge.round(ZonedRound::new().smallest(Unit::Minute).mode(RoundMode::Trunc))?;
    let at = |time: &k8s_openapi::jiff::Zoned| format!("{} {} * * *", time.minute(), time.hour());
    let (hour_ago, in_an_hour) = (edge.checked_sub(1.hours())?, edge.checked_add(1.hours())?);
    for (name, start, end) in [("opens", at(&edge), at(&in_an_hour)), ("closes", at(&hour_ago), at(&edge))] {
        windlass.deployment(name, 0).await?;
        let trigger = json!({ "type": "cron", "metadata": {
            "timezone": "Etc/UTC", "start": start, "end": end, "desiredReplicas": "3" } });
        windlass.scale(name, json!({ "cooldownPeriod": 1, "advanced": quick_down(), "triggers": [trigger] })).await?;
    }
    windlass.wait_replicas("closes", 3).await?;
    assert_eq!(windlass.replicas("opens").await?, 0);
    // The interval is 30 s: only the exact next poll that the scaler asks for makes both edges prompt.
    until("the window opens", LIMIT, || async {
        let seconds = Timestamp::now().as_second() - edge.timestamp().as_second();
        Ok((windlass.replicas("opens").await? > 0).then_some(seconds))
    })
    .await
    .and_then(|late| if late < 0 { bail!("opened {late} s before its time") } else { Ok(()) })?;
    windlass.wait_replicas("opens", 3).await?;
    windlass.wait_replicas("closes", 0).await
}

#[tokio::test]
async fn several_triggers_the_greatest_wins() -> Result<()> {
    let windlass = Windlass::beside("several").await?;
    let (first, second) = (ScriptedHttp::start().await?, ScriptedHttp::start().await?);
    first.set_value(0.0);
    second.set_value(0.0);
    windlass.deployment("web", 0).await?;
    let triggers = json!([metrics_api(&first.url(), "10"), metrics_api(&second.url(), "1")]);
    windlass
        .scale(
            "web",
            json!({ "pollingInterval": 1, "cooldownPeriod": 3, "advanced": quick_down(), "triggers": triggers }),
        )
        .await?;
    windlass.wait_ready("web").await?;
    first.set_value(20.0);
    windlass.wait_replicas("web", 2).await?;
    second.set_value(6.0);
    windlass.wait_replicas("web", 6).await?;
    // One of two is unknown: the other still decides, and nothing is scaled in below what it asks for.
    first.set_status(http::StatusCode::INTERNAL_SERVER_ERROR);
    windlass.wait_condition("web", "Ready", "Unknown", "PartialTriggerError").await?;
    holds(5, 6, || windlass.replicas("web")).await?;
    first.set_value(0.0);
    second.set_value(0.0);
    windlass.wait_ready("web").await?;
    windlass.wait_replicas("web", 0).await
}
