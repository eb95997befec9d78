//! The system under measurement: a control plane with Kubernetes' own defaults, an operator whose folder has hostile components
//! beside the bundled ones, and good objects that all look alike.
use super::hostile::{self, Attack};
use super::object::{self, ANSWER, Object};
use crate::figure::Report;
use crate::load::Peer;
use crate::reach::past_api_server;
use anyhow::{Context, Result, bail};
use kube::Client;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_e2e::{
    ControlPlane, ControlPlaneOptions, Folder, Operator, OperatorOptions, components, install, wait_for_metrics_api,
};
use windlass_testkit::{Mood, ScriptedHttp};

/// Good objects of one namespace.
const PER_NAMESPACE: usize = 100;
/// How long objects may take until their metrics are served.
const SERVED: Duration = Duration::from_secs(180);

pub(super) struct Stage {
    _control_plane: ControlPlane,
    pub(super) operator: Operator,
    pub(super) client: Client,
    pub(super) peer: Peer,
    /// Answers at once.
    _good: ScriptedHttp,
    /// What hostile components flood; it answers at once too.
    _flooded: ScriptedHttp,
    /// Never answers.
    _silent: ScriptedHttp,
    pub(super) attacks: Vec<Attack>,
    pub(super) paths: Arc<Vec<String>>,
}

impl Stage {
    pub(super) async fn start(count: usize, period: Duration, report: Report) -> Result<Stage> {
        report.say("starting a control plane with Kubernetes' defaults");
        let control_plane = ControlPlane::start(ControlPlaneOptions::default()).await?;
        let installed = install(&control_plane).await?;
        let (good, flooded, silent) = (answering().await?, answering().await?, answering().await?);
        silent.set_mood(Mood::Hanging);
        let attacks = hostile::attacks(good.address(), flooded.address(), silent.address());
        let folder = with_hostile(&attacks)?;
        report.say(&format!("an operator with {} hostile components among its own", attacks.len()));
        let options = OperatorOptions { scalers: Some(folder.path().to_owned()), ..OperatorOptions::default() };
        let operator = Operator::start(&control_plane, &installed, options).await?;
        wait_for_metrics_api(&control_plane).await?;
        let client = control_plane.client().await?;
        let peer = past_api_server(&control_plane, &installed, &operator).await?;
        report.say(&format!("{count} good ScaledObjects"));
        let objects: Vec<Object> = (0..count).map(|index| good_object(index, &good.url(), period)).collect();
        object::create_targets(&client, &objects).await?;
        object::create(&client, &objects).await?;
        let paths = Arc::new(objects.iter().map(|object| object.path(0, "prometheus")).collect());
        let stage = Stage {
            _control_plane: control_plane,
            operator,
            client,
            peer,
            _good: good,
            _flooded: flooded,
            _silent: silent,
            attacks,
            paths,
        };
        stage.wait_served(&stage.paths).await?;
        Ok(stage)
    }

    /// Waits until each of these metrics has a value.
    pub(super) async fn wait_served(&self, paths: &[String]) -> Result<()> {
        let started = Instant::now();
        for (served, path) in paths.iter().enumerate() {
            while !matches!(self.peer.get(path).await, Ok((200, _))) {
                if started.elapsed() > SERVED {
                    bail!("{served} of {} metrics are served", paths.len());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

/// A source that answers every query of Prometheus at once.
async fn answering() -> Result<ScriptedHttp> {
    let source = ScriptedHttp::start().await?;
    source.set_body(ANSWER);
    Ok(source)
}

fn good_object(index: usize, url: &str, period: Duration) -> Object {
    Object {
        namespace: format!("good-{}", index / PER_NAMESPACE),
        name: format!("web-{index}"),
        period,
        triggers: vec![object::prometheus(url, &format!("sum(rate(requests{{app=\"web-{index}\"}}[1m]))"))],
    }
}

/// A folder with the bundled components and the hostile ones.
fn with_hostile(attacks: &[Attack]) -> Result<Folder> {
    let folder = Folder::for_run("scalers")?;
    for entry in std::fs::read_dir(components()?)? {
        let file = entry?.path();
        if let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|end| end == "wasm")) {
            std::fs::copy(&file, folder.path().join(name)).with_context(|| file.display().to_string())?;
        }
    }
    for attack in attacks {
        folder.write(&format!("{}.wasm", attack.kind), &attack.component)?;
    }
    Ok(folder)
}
