//! Kubernetes quantities: `2`, `1.5`, `250m`, `10k`, `3Mi`, `1e3`.

/// The value of a quantity; `None` for a text that is none. The grammar is that of Kubernetes' `resource.Quantity`: a
/// decimal number, and directly after it nothing, a suffix or an exponent.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (digits, suffix) = unsigned.split_at(end);
    let dots = digits.bytes().filter(|byte| *byte == b'.').count();
    if dots > 1 || digits.len() == dots {
        return None;
    }
    let number = &text[..text.len() - suffix.len()];
    if let Some(power) = binary(suffix) {
        return Some(number.parse::<f64>().ok()? * 1024_f64.powi(power));
    }
    let exponent = match decimal(suffix) {
        Some(exponent) => exponent.to_string(),
        None => exponent(suffix)?.to_owned(),
    };
    // As one decimal, so that `0.1k` is rounded once.
    format!("{number}e{exponent}").parse().ok()
}

fn binary(suffix: &str) -> Option<i32> {
    let power = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|known| *known == suffix)?;
    i32::try_from(power + 1).ok()
}

fn decimal(suffix: &str) -> Option<i32> {
    let known =
        [("", 0), ("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    known.iter().find(|(name, _)| *name == suffix).map(|(_, exponent)| *exponent)
}

/// The digits of an exponent, with their sign.
fn exponent(suffix: &str) -> Option<&str> {
    let signed = suffix.strip_prefix(['e', 'E'])?;
    let digits = signed.strip_prefix(['+', '-']).unwrap_or(signed);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(signed)
}
