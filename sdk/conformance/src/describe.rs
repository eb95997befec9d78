//! What a component says of itself.
use crate::Report;
use crate::trial::Trial;

pub(crate) fn examine(report: &mut Report, first: &Trial, second: &Trial) {
    if first.scaler != second.scaler {
        report.complain("load", "two instances describe themselves in different words");
    }
    for parameter in &first.scaler.parameters {
        if parameter.doc.trim().is_empty() {
            report.complain("describe", format!("the parameter {} has no words for people", parameter.name));
        }
        let origin = &parameter.origin;
        if !(origin.metadata || origin.environment || origin.authentication) && parameter.deprecated.is_none() {
            report.complain("describe", format!("the parameter {} can be set nowhere", parameter.name));
        }
        let fits =
            |initial: &str| parameter.choices.is_empty() || parameter.choices.iter().any(|choice| **choice == *initial);
        if !parameter.initial.as_deref().is_none_or(fits) {
            report.complain(
                "describe",
                format!("the default of the parameter {} is none of its choices", parameter.name),
            );
        }
    }
}
