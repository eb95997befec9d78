//! Scales by the clock: a number of replicas while the time is inside a window.
//!
//! A window opens whenever `start` fires and closes whenever `end` fires; both are cron expressions in a time zone. The
//! window is open when, of the two, `end` fires next: so it may span midnight, a weekend or a year's end. The rules are
//! those of KEDA's cron scaler.
mod field;
#[cfg(test)]
mod fuzz;
mod name;
mod schedule;
mod window;
mod zone;

use schedule::Schedule;
use windlass_sdk::{
    Context, Failure, Local, LocalScaler, Plan, Problem, Reading, Scaler, Trigger, export_scaler, problem,
};
use window::Window;

/// The scaler.
#[derive(Debug)]
pub struct Cron;

/// What users write.
#[derive(windlass_sdk::Parameters, Debug)]
pub struct Parameters {
    /// When the window opens: a cron expression of five fields (minute, hour, day of month, month, day of week).
    start: String,
    /// When the window closes: a cron expression of five fields.
    end: String,
    /// Time zone of both, by its IANA name, for instance `Europe/Berlin`.
    timezone: String,
    /// Replicas while the window is open.
    desired_replicas: i64,
}

impl Scaler for Cron {
    const NAME: &'static str = "cron";
    type Parameters = Parameters;
    type Transport = Local;

    fn configure(parameters: &Parameters, _: &Trigger) -> Result<Plan, Vec<Problem>> {
        let mut problems = Vec::new();
        for (name, expression) in [("start", &parameters.start), ("end", &parameters.end)] {
            problems.extend(Schedule::parse(expression).err().map(|message| problem(name, message)));
        }
        if parameters.start == parameters.end {
            problems.push(problem("end", "is the same as start: the window would close when it opens"));
        }
        problems.extend(zone::find(&parameters.timezone).err().map(|message| problem("timezone", message)));
        if parameters.desired_replicas <= 0 {
            problems.push(problem("desiredReplicas", "must be greater than 0"));
        }
        if problems.is_empty() { Ok(Plan::metric(name::metric(parameters), 1.0, 0.0)) } else { Err(problems) }
    }
}

impl LocalScaler for Cron {
    fn read(parameters: &Parameters, context: &Context<'_>) -> Result<Reading, Failure> {
        let window =
            Window::parse(&parameters.start, &parameters.end, &parameters.timezone).map_err(Failure::invalid)?;
        let view = window.at(context.now_ms).map_err(Failure::internal)?;
        // Metrics are exact for every number of replicas that a workload can have.
        let value = if view.open { parameters.desired_replicas as f64 } else { 0.0 };
        Ok(Reading::value(value).active(view.open).next_ms(view.changes_ms))
    }
}

export_scaler!(Cron);
