//! The system under measurement: a control plane whose Deployments have no pods, the operator with its defaults, one HTTP
//! source and one Redis.
use super::census::Census;
use super::object::{self, Kind, PER_NAMESPACE};
use super::source::Source;
use super::{Engine, Options};
use crate::figure::Report;
use crate::load::{metric_path, scaled_objects};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_e2e::{
    AuditEntry, AuditMark, ControlPlane, ControlPlaneOptions, Installed, Operator, OperatorOptions, Redis,
    RedisOptions, install, until, wait_for_metrics_api,
};

/// Requests at the same time.
const AT_ONCE: usize = 32;

/// Makes lists of five items; a third of them, as [`super::source::fails`] has it, no lists when the second argument is 1.
const SET_LISTS: &str = "for n = 0, tonumber(ARGV[1]) - 1 do local key = 'number-' .. n; redis.call('DEL', key) \
    if ARGV[2] == '1' and n % 3 == 0 then redis.call('SET', key, 'no list') else \
    redis.call('RPUSH', key, 1, 2, 3, 4, 5) end end";

pub(super) struct Stage {
    pub(super) control_plane: ControlPlane,
    pub(super) installed: Installed,
    pub(super) operator: Operator,
    pub(super) source: Source,
    pub(super) census: Census,
    redis: Redis,
    client: Client,
    /// Objects that stay.
    pub(super) count: usize,
}

impl Stage {
    pub(super) async fn start(options: &Options, report: Report) -> Result<Stage> {
        report.say("starting a control plane whose Deployments have no pods, the operator, and the sources");
        let control_plane = ControlPlane::start(ControlPlaneOptions {
            workloads: false,
            kube_api_qps: options.controller_qps,
            kube_api_burst: options.controller_qps * 3 / 2,
            hpa_workers: options.hpa_workers,
            ..ControlPlaneOptions::default()
        })
        .await?;
        let installed = install(&control_plane).await?;
        let arguments = match options.engine {
            Engine::Hpa => Vec::new(),
            Engine::Direct => vec!["--engine=direct".to_owned()],
        };
        let operator_options = OperatorOptions { arguments, ..OperatorOptions::default() };
        let operator = Operator::start(&control_plane, &installed, operator_options).await?;
        wait_for_metrics_api(&control_plane).await?;
        let (source, redis) = (Source::start().await?, Redis::start(RedisOptions::default()).await?);
        let client = control_plane.client().await?;
        let census = Census::start(&client);
        Ok(Stage { control_plane, installed, operator, source, census, redis, client, count: 0 })
    }

    /// Namespaces and Deployments `from..to` of a generation.
    pub(super) async fn add_targets(&self, generation: &str, from: usize, to: usize, replicas: i32) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for index in (from..to).filter(|index| index % PER_NAMESPACE == 0) {
            let namespace = json!({ "metadata": { "name": object::namespace(generation, index) } });
            namespaces.create(&PostParams::default(), &serde_json::from_value(namespace)?).await?;
        }
        let creations = (from..to).map(|index| async move {
            let deployments: Api<Deployment> =
                Api::namespaced(self.client.clone(), &object::namespace(generation, index));
            let deployment = object::deployment(&object::name(generation, index), replicas);
            deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
            anyhow::Ok(())
        });
        futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Targets of a generation, unless they are there from an earlier round.
    pub(super) async fn add_targets_again(&self, generation: &str, count: usize) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.get_opt(&object::namespace(generation, 0)).await? {
            Some(_) => Ok(()),
            None => self.add_targets(generation, 0, count, 1).await,
        }
    }

    /// Objects of a generation that ask what those ask that stay.
    pub(super) async fn add_copies(&self, generation: &str, count: usize) -> Result<()> {
        let (http, redis) = (self.source.url(), self.redis.address());
        self.add_objects(generation, 0, count, |index| object::steady(generation, index, &http, &redis)).await
    }

    /// ScaledObjects `from..to` of a generation.
    pub(super) async fn add_objects(
        &self,
        generation: &str,
        from: usize,
        to: usize,
        object: impl Fn(usize) -> Value,
    ) -> Result<()> {
        let creations = (from..to).map(|index| {
            let (namespace, object) = (object::namespace(generation, index), object(index));
            async move {
                let objects = scaled_objects(&self.client, Some(&namespace));
                objects.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
                anyhow::Ok(())
            }
        });
        futures::stream::iter(creations).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Objects that stay, up to a number.
    pub(super) async fn grow(&mut self, count: usize) -> Result<()> {
        let redis = self.redis.address();
        self.set_lists(count, false)?;
        let http = self.source.url();
        self.add_objects("web", self.count, count, |index| object::steady("web", index, &http, &redis)).await?;
        self.count = count;
        Ok(())
    }

    /// Waits until a condition of the stage holds.
    pub(super) async fn wait(&self, what: &str, limit: Duration, left: impl Fn(&Census) -> usize) -> Result<()> {
        until(what, limit, || async {
            self.operator.ensure_running()?;
            let left = left(&self.census);
            if left > 0 { bail!("{left} are not") } else { Ok(Some(())) }
        })
        .await
    }

    /// Waits until so many of a generation are Ready.
    pub(super) async fn wait_ready(&self, generation: &str, count: usize, limit: Duration) -> Result<()> {
        self.wait("all ScaledObjects are Ready", limit, |census| {
            let ready =
                census.number(|name, seen| seen.ready == "True" && object::index_of(generation, name).is_some());
            count.saturating_sub(ready)
        })
        .await
    }

    /// Deletes all objects of a generation; does not wait.
    pub(super) async fn delete(&self, generation: &str, count: usize) -> Result<()> {
        for first in (0..count).step_by(PER_NAMESPACE) {
            let objects = scaled_objects(&self.client, Some(&object::namespace(generation, first)));
            objects.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        }
        Ok(())
    }

    pub(super) async fn writes(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let Installed { namespace, service_account, .. } = &self.installed;
        self.control_plane.audit().writes_since(mark, namespace, service_account).await
    }

    /// What the operator asked of the API server, writes and reads.
    pub(super) async fn asked(&self, mark: AuditMark) -> Result<Vec<AuditEntry>> {
        let Installed { namespace, service_account, .. } = &self.installed;
        let user = format!("system:serviceaccount:{namespace}:{service_account}");
        let mut entries = self.control_plane.audit().since(mark).await?;
        entries.retain(|entry| entry.user == user);
        Ok(entries)
    }

    /// The paths of all metrics of the objects that stay.
    pub(super) fn paths(&self) -> Arc<Vec<String>> {
        let path = |(name, seen): (String, super::census::Seen)| {
            let metric = seen.metrics.first()?;
            Some(metric_path(&seen.namespace, &name, metric))
        };
        let steady = self.census.those(|name, _| object::index_of("web", name).is_some());
        Arc::new(steady.into_iter().filter_map(path).collect())
    }

    /// How often a list was counted since the server's start.
    pub(super) fn counted_lists(&self) -> Result<usize> {
        let told = self.redis.command(&["INFO", "commandstats"])?;
        let line = told.lines().find_map(|line| line.trim().strip_prefix("cmdstat_eval:calls="));
        let calls = line.map_or(Ok(0), |line| line.split(',').next().unwrap_or_default().parse());
        calls.context("INFO commandstats is not understood")
    }

    /// Lists of five items; where they are to fail, a third is no list.
    pub(super) fn set_lists(&self, objects: usize, failing: bool) -> Result<()> {
        let lists = (0..objects).filter(|index| matches!(Kind::of(*index), Kind::Redis(_))).count().to_string();
        self.redis.command(&["EVAL", SET_LISTS, "0", &lists, if failing { "1" } else { "0" }]).map(drop)
    }
}
