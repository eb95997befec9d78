//! Whether a new version of a component can take the place of the old one.
use std::sync::Arc;
use windlass_core::Text;
use windlass_core::port::{Scalers, Serving};
use windlass_core::query::{Problem, ResolvedTrigger};
use windlass_core::resolve::resolve;
use windlass_core::scaler::Scaler;
use windlass_core::workload::Intake;

/// A trigger in use: its object, and its index there.
pub(super) type InUse = (Arc<Intake>, u16);

/// Triggers that are tried: a component that bears so many bears the rest.
const MOST: usize = 2_000;

/// What people who used the old version will notice of the parameters.
pub(super) fn changes(old: &Scaler, new: &Scaler) -> Vec<String> {
    let mut told = Vec::new();
    for before in &old.parameters {
        let named =
            |name: &Text| new.parameters.iter().find(|after| after.name == *name || after.aliases.contains(name));
        match named(&before.name) {
            None => told.push(format!("parameter '{}' is gone", before.name)),
            Some(after) if after.shape != before.shape => {
                told.push(format!("parameter '{}' has another form", before.name));
            }
            Some(after) if after.required && !before.required => {
                told.push(format!("parameter '{}' is required now", before.name));
            }
            Some(_) => {}
        }
    }
    let added = new.parameters.iter().filter(|after| after.required);
    let unknown =
        |name: &Text| old.parameters.iter().all(|before| before.name != *name && !before.aliases.contains(name));
    let added = added.filter(|after| unknown(&after.name) && after.aliases.iter().all(unknown));
    told.extend(added.map(|after| format!("parameter '{}' is new and required", after.name)));
    told
}

/// Tries the triggers in use: one that works with the old version has to work with the new one.
///
/// # Errors
/// The first that does not.
pub(super) async fn tried(
    scalers: &dyn Scalers,
    old: &Serving,
    new: &Serving,
    mut used: Vec<InUse>,
) -> Result<(), String> {
    used.sort_by(|(a, at), (b, bt)| (&a.declared.key, at).cmp(&(&b.declared.key, bt)));
    used.truncate(MOST);
    let failing = refused(scalers, new, &used).await;
    let suspects: Vec<InUse> = failing.iter().map(|(used, _)| used.clone()).collect();
    // What never worked is no reason to stay.
    let failed_before = refused(scalers, old, &suspects).await;
    let broke_before = |used: &InUse| failed_before.iter().any(|(other, _)| same(used, other));
    match failing.into_iter().find(|(used, _)| !broke_before(used)) {
        Some(((intake, index), why)) => {
            let key = &intake.declared.key;
            Err(format!("spec.triggers[{index}] of {}/{} would not work any more: {why}", key.namespace, key.name))
        }
        None => Ok(()),
    }
}

fn same((intake, index): &InUse, (other, at): &InUse) -> bool {
    Arc::ptr_eq(intake, other) && index == at
}

/// The triggers that a component does not take, and why.
async fn refused(scalers: &dyn Scalers, version: &Serving, used: &[InUse]) -> Vec<(InUse, String)> {
    let mut refused = Vec::new();
    let (mut asked, mut asks) = (Vec::new(), Vec::new());
    for used in used {
        match resolved(version, used) {
            Some(Ok(trigger)) => {
                asked.push(used);
                asks.push(trigger);
            }
            Some(Err(why)) => refused.push((used.clone(), why)),
            None => {}
        }
    }
    match scalers.configure(version.scaler.digest, asks).await {
        Err(fault) => refused.extend(asked.into_iter().map(|used| (used.clone(), fault.message.to_string()))),
        Ok(answers) => {
            let answers = asked.into_iter().zip(answers);
            refused.extend(answers.filter_map(|(used, answer)| Some((used.clone(), told(&answer.err()?)))));
        }
    }
    refused
}

/// A trigger's parameters by a version's declaration; `None`: it has nothing to resolve.
fn resolved(version: &Serving, (intake, index): &InUse) -> Option<Result<ResolvedTrigger, String>> {
    let (declared, scaler) = (&intake.declared, &version.scaler);
    let place = declared.triggers.iter().position(|trigger| trigger.index == *index)?;
    let (trigger, material) = (declared.triggers.get(place)?, intake.materials.get(place)?);
    if !scaler.triggers.contains(&trigger.kind) {
        return Some(Err(format!("it does not serve '{}'", trigger.kind)));
    }
    let resolved = resolve(scaler, trigger, &declared.key.namespace, material, &declared.key);
    let granted = |resolved| ResolvedTrigger { granted: version.granted.clone(), ..resolved };
    Some(resolved.map(granted).map_err(|problems| told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    let told = |problem: &Problem| match &problem.parameter {
        Some(parameter) => format!("{parameter}: {}", problem.message),
        None => problem.message.to_string(),
    };
    problems.iter().map(told).collect::<Vec<_>>().join("; ")
}
