//! The system under measurement: a control plane with Kubernetes' own defaults, an operator whose folder has hostile components
//! beside the bundled ones, and good objects that all look alike.
use super::hostile::{self, Attack};
use super::object::{self, ANSWER, Object};
use crate::figure::Report;
use crate::load::Peer;
use anyhow::{Result, bail};
use kube::Client;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_e2e::{
    ControlPlane, ControlPlaneOptions, Folder, Operator, OperatorOptions, components_copy, install,
    wait_for_metrics_api,
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
    pub(super) sources: Sources,
    pub(super) attacks: Vec<Attack>,
    /// Works as long as its source does.
    pub(super) turncoat: Attack,
    /// The metrics of all good objects.
    pub(super) paths: Arc<Vec<String>>,
}

/// Event sources; at the start all of them answer at once, except for the silent one.
pub(super) struct Sources {
    /// Of six good objects of ten.
    pub(super) good: ScriptedHttp,
    /// Of one good object of ten each.
    pub(super) moody: [ScriptedHttp; MOODY],
    /// What hostile components flood.
    flooded: ScriptedHttp,
    /// Never answers.
    silent: ScriptedHttp,
    /// Has a budget of 50 requests a second.
    pub(super) scarce: ScriptedHttp,
    /// Is asked few questions by many.
    pub(super) shared: ScriptedHttp,
    /// The turncoat's.
    pub(super) turning: ScriptedHttp,
}

/// Sources that change their mood.
pub(super) const MOODY: usize = 4;
/// The budget of the scarce source, in requests a second.
pub(super) const SCARCE: u32 = 50;

impl Sources {
    async fn start() -> Result<Sources> {
        let sources = Sources {
            good: answering().await?,
            moody: [answering().await?, answering().await?, answering().await?, answering().await?],
            flooded: answering().await?,
            silent: answering().await?,
            scarce: answering().await?,
            shared: answering().await?,
            turning: answering().await?,
        };
        sources.silent.set_mood(Mood::Hanging);
        Ok(sources)
    }

    /// The source of a good object.
    fn of(&self, index: usize) -> &ScriptedHttp {
        self.moody.get(index % 10).unwrap_or(&self.good)
    }
}

impl Stage {
    pub(super) async fn start(count: usize, period: Duration, report: Report) -> Result<Stage> {
        report.say("starting a control plane with Kubernetes' defaults");
        let control_plane = ControlPlane::start(ControlPlaneOptions::default()).await?;
        let installed = install(&control_plane).await?;
        let sources = Sources::start().await?;
        let attacks = hostile::attacks(sources.good.address(), sources.flooded.address(), sources.silent.address());
        let turncoat = hostile::turncoat(sources.turning.address());
        let folder = with_hostile(attacks.iter().chain([&turncoat]))?;
        report.say(&format!("an operator with {} hostile components among its own", attacks.len()));
        let options = OperatorOptions {
            scalers: Some(folder.path().to_owned()),
            arguments: vec![format!("--source-budget={},rate={SCARCE},burst={SCARCE}", sources.scarce.address())],
            ..OperatorOptions::default()
        };
        let operator = Operator::start(&control_plane, &installed, options).await?;
        wait_for_metrics_api(&control_plane).await?;
        let client = control_plane.client().await?;
        let peer = Peer::past_api_server(&control_plane, &installed, &operator).await?;
        report.say(&format!("{count} good ScaledObjects"));
        let objects: Vec<Object> =
            (0..count).map(|index| good_object(index, &sources.of(index).url(), period)).collect();
        object::create_targets(&client, &objects).await?;
        object::create(&client, &objects).await?;
        let paths = Arc::new(objects.iter().map(|object| object.path(0, "prometheus")).collect());
        let stage = Stage { _control_plane: control_plane, operator, client, peer, sources, attacks, turncoat, paths };
        stage.wait_served(&stage.paths).await?;
        Ok(stage)
    }

    /// The metrics of those good objects that a moody source serves, or that the good one does.
    pub(super) fn paths_of(&self, moody: Option<usize>) -> Arc<Vec<String>> {
        let fits = |index: usize| if index % 10 < MOODY { Some(index % 10) == moody } else { moody.is_none() };
        let paths = self.paths.iter().enumerate().filter(|(index, _)| fits(*index));
        Arc::new(paths.map(|(_, path)| path.clone()).collect())
    }

    /// Creates objects with their targets, and waits until their metrics are served.
    pub(super) async fn add(&self, objects: &[Object], paths: &[String]) -> Result<()> {
        object::create_targets(&self.client, objects).await?;
        object::create(&self.client, objects).await?;
        self.wait_served(paths).await
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
fn with_hostile<'a>(attacks: impl IntoIterator<Item = &'a Attack>) -> Result<Folder> {
    let folder = components_copy()?;
    for attack in attacks {
        folder.write(&format!("{}.wasm", attack.kind), &attack.component)?;
    }
    Ok(folder)
}
