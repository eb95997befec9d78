//! Resource metrics (`cpu`, `memory`): pods and what they use → how many replicas. The rules are those of the controller's
//! `replica_calculator.go` and `resource_consumption` helpers.
use super::Tolerances;
use super::proposal::whole;
use crate::failure::{Failure, FailureKind};
use crate::key::Text;
use crate::milli::Milli;
use crate::time::Wall;
use crate::workload::ResourceTrigger;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What the use is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Per cent of what the pods request.
    Utilization(i32),
    /// So much per pod: thousandths of a core or of a byte.
    Average(i64),
}

/// Some of the pods, in sums: thousandths of cores or bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub pods: u32,
    /// What they use.
    pub used: i64,
    /// What they request.
    pub requested: i64,
}

/// A target's pods by what their use is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What the use is compared with.
    pub goal: Goal,
    /// Those that count.
    pub ready: Group,
    /// Those that start: their use says nothing, and they are no reason to add more.
    pub unready: Group,
    /// Those of which no use is known.
    pub missing: Group,
}

/// A pod, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: Text,
    /// It is being deleted, or has failed.
    pub over: bool,
    /// Its phase is Pending.
    pub pending: bool,
    /// When it was started.
    pub started: Option<Wall>,
    /// Whether it is ready, and since when that is so.
    pub ready: Option<(bool, Wall)>,
    /// What the pod as a whole requests, by resource, where it says so itself.
    pub requests: BTreeMap<Text, i64>,
    /// Its containers (those that run beside it all the time included) and what they request.
    pub containers: Vec<(Text, BTreeMap<Text, i64>)>,
}

/// What a pod used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodUse {
    /// The pod.
    pub pod: Text,
    /// End of the window over which it was measured.
    pub at: Wall,
    /// Its length.
    pub window: Duration,
    /// By container and resource.
    pub containers: Vec<(Text, BTreeMap<Text, i64>)>,
}

/// The controller's flags about pods that start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Startup {
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`: within it, CPU counts only when measured after the pod became
    /// ready.
    pub cpu_initialization: Duration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`: a pod that was never ready after it has still to become so.
    pub initial_readiness: Duration,
}

impl Default for Startup {
    fn default() -> Startup {
        Startup { cpu_initialization: Duration::from_secs(300), initial_readiness: Duration::from_secs(30) }
    }
}

impl Resource {
    /// Groups a target's pods.
    ///
    /// # Errors
    /// Why nothing can be said: no pods, no use known, a request that is not set.
    pub fn of(
        trigger: &ResourceTrigger,
        goal: Goal,
        pods: &[Pod],
        uses: &[PodUse],
        startup: Startup,
        now: Wall,
    ) -> Result<Resource, Failure> {
        if pods.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, "the target has no pods"));
        }
        let mut used: BTreeMap<&str, (&PodUse, i64)> = BTreeMap::new();
        for one in uses {
            if let Some(sum) = use_of(trigger, one)? {
                used.insert(&one.pod, (one, sum));
            }
        }
        let empty = Group::default();
        let mut grouped = Resource { goal, ready: empty, unready: empty, missing: empty };
        for pod in pods {
            let requested = match goal {
                Goal::Utilization(_) => request_of(trigger, pod)?,
                Goal::Average(_) => 0,
            };
            if pod.over {
                continue;
            }
            let (group, amount) = match used.get(&*pod.name) {
                _ if pod.pending => (&mut grouped.unready, 0),
                None => (&mut grouped.missing, 0),
                Some((one, _)) if &*trigger.resource == "cpu" && starts(pod, one, startup, now) => {
                    (&mut grouped.unready, 0)
                }
                Some((_, amount)) => (&mut grouped.ready, *amount),
            };
            group.pods = group.pods.saturating_add(1);
            group.used = group.used.saturating_add(amount);
            group.requested = group.requested.saturating_add(requested);
        }
        if grouped.ready.pods == 0 {
            let text = format!("no running pod's use of {} is known", trigger.resource);
            return Err(Failure::new(FailureKind::NotFound, text));
        }
        Ok(grouped)
    }

    /// What the pods that count use: per cent of their requests, or the average.
    pub fn value(&self) -> Milli {
        let Group { pods, used, requested } = self.ready;
        Milli(match self.goal {
            Goal::Utilization(_) => {
                let per_cent = i128::from(used) * 100 / i128::from(requested.max(1));
                i64::try_from(per_cent.saturating_mul(1000)).unwrap_or(i64::MAX)
            }
            Goal::Average(_) => used / i64::from(pods.max(1)),
        })
    }

    /// What that is compared with.
    pub fn target(&self) -> Milli {
        Milli(match self.goal {
            Goal::Utilization(target) => i64::from(target) * 1000,
            Goal::Average(target) => target,
        })
    }

    /// How many replicas the use asks for; `None`: it cannot be compared with its goal.
    pub(super) fn propose(&self, current: u32, tolerances: Tolerances) -> Option<u32> {
        let Resource { goal, ready, unready, missing } = *self;
        let ratio = self.ratio(ready)?;
        let starting = unready.pods > 0 && ratio > 1.0;
        if !starting && missing.pods == 0 {
            return Some(if tolerances.cover(ratio) { current } else { whole(ratio * f64::from(ready.pods)) });
        }
        // What is not known is taken to speak against the change.
        let mut all = ready;
        if missing.pods > 0 && ratio != 1.0 {
            let used = match goal {
                _ if ratio > 1.0 => 0,
                Goal::Utilization(target) => missing.requested.saturating_mul(i64::from(target.max(100))) / 100,
                Goal::Average(target) => target.saturating_mul(i64::from(missing.pods)),
            };
            all = all.with(Group { used, ..missing });
        }
        if starting {
            all = all.with(Group { used: 0, ..unready });
        }
        let cautious = self.ratio(all)?;
        let turned = (ratio < 1.0 && cautious > 1.0) || (ratio > 1.0 && cautious < 1.0);
        if tolerances.cover(cautious) || turned {
            return Some(current);
        }
        let proposed = whole(cautious * f64::from(all.pods));
        let wrong_way = (cautious < 1.0 && proposed > current) || (cautious > 1.0 && proposed < current);
        Some(if wrong_way { current } else { proposed })
    }

    /// The use of a group in relation to the goal. The controller computes in whole per cent and whole thousandths.
    fn ratio(&self, group: Group) -> Option<f64> {
        match self.goal {
            Goal::Utilization(target) if group.requested > 0 && target > 0 => {
                let per_cent = i128::from(group.used) * 100 / i128::from(group.requested);
                Some(per_cent as f64 / f64::from(target))
            }
            Goal::Average(target) if group.pods > 0 && target > 0 => {
                Some((group.used / i64::from(group.pods)) as f64 / target as f64)
            }
            _ => None,
        }
    }
}

/// `78% of the request, for 60%`, or `1200m each, for 1`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.goal {
            Goal::Utilization(_) => write!(f, "{}% of the request for {}%", self.value(), self.target()),
            Goal::Average(_) => write!(f, "{} each for {}", self.value(), self.target()),
        }
    }
}

impl Group {
    fn with(self, other: Group) -> Group {
        Group {
            pods: self.pods.saturating_add(other.pods),
            used: self.used.saturating_add(other.used),
            requested: self.requested.saturating_add(other.requested),
        }
    }
}

/// What a pod used in all, or the one container that is meant. `None`: that is not known of all its containers.
fn use_of(trigger: &ResourceTrigger, one: &PodUse) -> Result<Option<i64>, Failure> {
    let amount = |(_, amounts): &(Text, BTreeMap<Text, i64>)| amounts.get(&trigger.resource).copied();
    match &trigger.container {
        None if one.containers.is_empty() => Ok(None),
        None => {
            let mut sum = 0_i64;
            for container in &one.containers {
                let Some(amount) = amount(container) else { return Ok(None) };
                sum = sum.saturating_add(amount);
            }
            Ok(Some(sum))
        }
        Some(name) => match one.containers.iter().find(|(container, _)| container == name) {
            Some(container) => Ok(amount(container)),
            None => Err(invalid(format!("pod '{}' has no container '{name}' whose use is known", one.pod))),
        },
    }
}

fn request_of(trigger: &ResourceTrigger, pod: &Pod) -> Result<i64, Failure> {
    if trigger.container.is_none()
        && let Some(whole) = pod.requests.get(&trigger.resource)
    {
        return Ok(*whole);
    }
    let (mut sum, mut found) = (0_i64, false);
    for (name, requests) in &pod.containers {
        if trigger.container.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        found = true;
        let Some(request) = requests.get(&trigger.resource) else {
            return Err(invalid(format!(
                "container '{name}' of pod '{}' requests no {}; set resources.requests.{} of it",
                pod.name, trigger.resource, trigger.resource
            )));
        };
        sum = sum.saturating_add(*request);
    }
    match &trigger.container {
        Some(name) if !found => {
            Err(invalid(format!("pod '{}' has no container '{name}'; correct containerName", pod.name)))
        }
        _ => Ok(sum),
    }
}

fn invalid(text: String) -> Failure {
    Failure::new(FailureKind::Invalid, text)
}

/// Whether the CPU of a pod is still that of its start.
fn starts(pod: &Pod, one: &PodUse, startup: Startup, now: Wall) -> bool {
    let (Some((ready, since)), Some(started)) = (pod.ready, pod.started) else { return true };
    if started + startup.cpu_initialization > now {
        !ready || one.at < since + one.window
    } else {
        !ready && started + startup.initial_readiness > since
    }
}

#[cfg(test)]
mod tests;
