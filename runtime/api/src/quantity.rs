//! Kubernetes quantities: parsed, and told in the canonical form that the API server stores.
use windlass_core::Milli;

/// A parsed quantity: `digits` × 10^`exponent`, or × 1024^n when written with a binary suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// In units of 10⁻⁹, the finest that Kubernetes keeps; finer fractions were rounded up, away from zero.
    nanos: i128,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

/// The text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Kubernetes quantity (write for instance 5, 500m, 1.5, 128Mi)")]
pub struct NotAQuantity;

const NANO: i128 = 1_000_000_000;
/// The greatest value that Kubernetes keeps; greater ones are capped to it.
const CAP: i128 = i64::MAX as i128;

impl Quantity {
    /// In thousandths, rounded up as the API machinery does; `None` beyond the range.
    pub fn as_milli(self) -> Option<Milli> {
        i64::try_from(div_up(self.nanos, 1_000_000)).ok().map(Milli)
    }

    /// In thousandths, when it is a whole number of them.
    pub fn as_exact_milli(self) -> Option<Milli> {
        if self.nanos % 1_000_000 == 0 { i64::try_from(self.nanos / 1_000_000).ok().map(Milli) } else { None }
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }
}

fn div_up(value: i128, by: i128) -> i128 {
    let whole = value / by;
    if value % by == 0 { whole } else { whole + value.signum() }
}

impl std::str::FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Quantity, NotAQuantity> {
        let (negative, rest) = match text.as_bytes().first().ok_or(NotAQuantity)? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(NotAQuantity);
        }
        let (form, scale) = unit(suffix)?;
        let nanos = match scale {
            Scale::Binary(power) => binary(whole, fraction, power),
            Scale::Decimal(exponent) => decimal(whole, fraction, exponent),
        };
        // As in Kubernetes, a binary quantity below one is told in decimal form.
        let form = if form == Form::Binary && nanos % NANO != 0 { Form::Decimal } else { form };
        let nanos = nanos.min(CAP * NANO);
        Ok(Quantity { nanos: if negative { -nanos } else { nanos }, form })
    }
}

enum Scale {
    /// 10^n.
    Decimal(i32),
    /// 1024^n.
    Binary(u32),
}

fn unit(suffix: &str) -> Result<(Form, Scale), NotAQuantity> {
    Ok(match suffix {
        "n" => (Form::Decimal, Scale::Decimal(-9)),
        "u" => (Form::Decimal, Scale::Decimal(-6)),
        "m" => (Form::Decimal, Scale::Decimal(-3)),
        "" => (Form::Decimal, Scale::Decimal(0)),
        "k" => (Form::Decimal, Scale::Decimal(3)),
        "M" => (Form::Decimal, Scale::Decimal(6)),
        "G" => (Form::Decimal, Scale::Decimal(9)),
        "T" => (Form::Decimal, Scale::Decimal(12)),
        "P" => (Form::Decimal, Scale::Decimal(15)),
        "E" => (Form::Decimal, Scale::Decimal(18)),
        "Ki" => (Form::Binary, Scale::Binary(1)),
        "Mi" => (Form::Binary, Scale::Binary(2)),
        "Gi" => (Form::Binary, Scale::Binary(3)),
        "Ti" => (Form::Binary, Scale::Binary(4)),
        "Pi" => (Form::Binary, Scale::Binary(5)),
        "Ei" => (Form::Binary, Scale::Binary(6)),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(NotAQuantity)?;
            (Form::Exponent, Scale::Decimal(exponent.parse().map_err(|_| NotAQuantity)?))
        }
    })
}

/// Nanos of a decimal number × 10^exponent, rounded up and capped.
fn decimal(whole: &str, fraction: &str, exponent: i32) -> i128 {
    let mut nanos: i128 = 0;
    let mut rounded = false;
    // The place of a digit, in powers of ten of a nano.
    let mut place = i64::from(exponent) + 9 + whole.len() as i64;
    for digit in whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')) {
        place -= 1;
        if digit == 0 {
            continue;
        }
        match u32::try_from(place) {
            Ok(power) if power < 38 => {
                nanos = nanos
                    .saturating_add(10_i128.checked_pow(power).map_or(i128::MAX, |unit| unit.saturating_mul(digit)));
            }
            Ok(_) => nanos = i128::MAX,
            Err(_) => rounded = true,
        }
    }
    nanos.saturating_add(i128::from(rounded))
}

/// Nanos of a number × 1024^power, rounded up and capped.
fn binary(whole: &str, fraction: &str, power: u32) -> i128 {
    let unit = 1024_i128.pow(power);
    // Digits beyond the twelfth change less than a nano of what anybody writes in bytes.
    let kept = &fraction[..fraction.len().min(12)];
    let whole = decimal(whole, "", 0) / NANO;
    let parts: i128 = if kept.is_empty() { 0 } else { kept.parse().unwrap_or(0) };
    let base = 10_i128.pow(u32::try_from(kept.len()).unwrap_or(0));
    let scaled = parts.saturating_mul(unit);
    // At most 10^12 × 2^60 × 10^9 would overflow: the whole part first, then the rest in nanos.
    let nanos = (scaled / base).saturating_mul(NANO).saturating_add(div_up((scaled % base).saturating_mul(NANO), base));
    whole.saturating_mul(unit).saturating_mul(NANO).saturating_add(nanos)
}

/// The canonical form: no fraction, the greatest suffix that leaves a whole number.
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        if self.form == Form::Binary {
            let mut value = self.nanos / NANO;
            let mut suffix = "";
            for next in ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] {
                if value % 1024 != 0 {
                    break;
                }
                value /= 1024;
                suffix = next;
            }
            return write!(f, "{value}{suffix}");
        }
        let mut value = self.nanos;
        let mut exponent = -9;
        while exponent < 18 && value % 1000 == 0 {
            value /= 1000;
            exponent += 3;
        }
        if self.form == Form::Exponent {
            return if exponent == 0 { write!(f, "{value}") } else { write!(f, "{value}e{exponent}") };
        }
        let suffix = match exponent {
            -9 => "n",
            -6 => "u",
            -3 => "m",
            3 => "k",
            6 => "M",
            9 => "G",
            12 => "T",
            15 => "P",
            18 => "E",
            _ => "",
        };
        write!(f, "{value}{suffix}")
    }
}
