//! The metric's name, as KEDA writes it.
use crate::Parameters;
use windlass_sdk::normalize;

/// `cron-<timezone>-<start>-<end>`.
pub(crate) fn metric(parameters: &Parameters) -> String {
    let Parameters { start, end, timezone, .. } = parameters;
    normalize(&format!("cron-{timezone}-{}-{}", expression(start), expression(end)))
}

/// An expression with what a metric's name cannot carry replaced.
fn expression(text: &str) -> String {
    text.replace(' ', "").replace('*', "x").replace('/', "Sl").replace('?', "Qm").replace(',', "Cm")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(start: &str, end: &str) -> String {
        let parameters =
            Parameters { start: start.into(), end: end.into(), timezone: "Etc/UTC".into(), desired_replicas: 10 };
        metric(&parameters)
    }

    #[test]
    fn is_that_of_keda() {
        assert_eq!(name("0 0 * * Thu", "59 23 * * Thu"), "cron-Etc-UTC-00xxThu-5923xxThu");
        assert_eq!(name("0 */2 * * *", "0 1-23/2 * * *"), "cron-Etc-UTC-0xSl2xxx-01-23Sl2xxx");
        assert_eq!(name("0,30 * * * *", "15,45 * ? * *"), "cron-Etc-UTC-0Cm30xxxx-15Cm45xQmxx");
    }
}
