//! What a server answers, and the one number in it.
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use windlass_sdk::http::Response;
use windlass_sdk::{Failure, FailureKind};

/// How much of a server's own words a message repeats, in characters.
const REPEATED: usize = 200;

/// An answer, with its result read as `R`.
#[derive(Deserialize)]
struct Answer<R> {
    /// Some servers that imitate Prometheus leave it out.
    status: Option<String>,
    data: Data<R>,
}

#[derive(Deserialize)]
struct Data<R> {
    #[serde(rename = "resultType")]
    kind: Option<String>,
    result: R,
}

/// An element of a vector.
#[derive(Deserialize)]
struct Element {
    #[serde(default)]
    value: Point,
    histogram: Option<IgnoredAny>,
}

/// A time, then a value.
type Point = Vec<Option<Datum>>;

/// Prometheus writes values as texts, since JSON's numbers have neither NaN nor infinity.
#[derive(Deserialize)]
#[serde(untagged)]
enum Datum {
    Number(f64),
    Text(String),
}

/// What a server says that refuses.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "errorType")]
    kind: String,
    error: String,
}

/// The number. `ignore_null`: what is empty, NaN or infinite counts as 0.
///
/// # Errors
/// What the status says; what is no single number; what is empty, NaN or infinite unless it is ignored.
pub(crate) fn value(response: &Response, ignore_null: bool) -> Result<f64, Failure> {
    response.check().map_err(|failure| in_its_words(failure, response))?;
    let empty = |failure: Failure| if ignore_null { Ok(0.0) } else { Err(failure) };
    let point = match &*kind(response)? {
        "vector" => {
            let elements: Vec<Element> = result::<Option<_>>(response)?.unwrap_or_default();
            let count = elements.len();
            match elements.into_iter().next() {
                Some(_) if count > 1 => return Err(several(count)),
                Some(Element { value, histogram: Some(_) }) if value.is_empty() => {
                    return Err(no_number(
                        "a histogram",
                        "take a number from it, for instance with histogram_count(…)",
                    ));
                }
                Some(element) => element.value,
                None => return empty(Failure::not_found("the query's result is empty: does what it names exist?")),
            }
        }
        "scalar" => result(response)?,
        "matrix" => return Err(no_number("a range of values", "reduce it to one, for instance with avg_over_time(…)")),
        other => return Err(no_number(&format!("a {}", excerpt(other)), "let it return a number")),
    };
    let value = match point.get(1) {
        Some(Some(Datum::Number(number))) => *number,
        Some(Some(Datum::Text(text))) => {
            text.parse().map_err(|_| Failure::bad_response(format!("the value is no number: {}", excerpt(text))))?
        }
        Some(None) => return empty(Failure::bad_response("the value is null")),
        None if point.is_empty() => return empty(Failure::bad_response("the result has no value")),
        None => return Err(Failure::bad_response("the result has a time and no value")),
    };
    if value.is_finite() { Ok(value) } else { empty(Failure::bad_response(format!("the value is {value}"))) }
}

/// The result's type. An answer without one is read as a vector.
fn kind(response: &Response) -> Result<String, Failure> {
    let answer: Answer<IgnoredAny> = response.json()?;
    match answer.status.as_deref() {
        None | Some("success") => Ok(answer.data.kind.unwrap_or_else(|| "vector".to_owned())),
        Some(other) => Err(Failure::bad_response(format!("the answer has the status {}", excerpt(other)))),
    }
}

fn result<R: DeserializeOwned>(response: &Response) -> Result<R, Failure> {
    Ok(response.json::<Answer<R>>()?.data.result)
}

/// A refusal, with the reason that Prometheus gives.
fn in_its_words(failure: Failure, response: &Response) -> Failure {
    let Ok(refusal) = response.json::<Refusal>() else { return failure };
    let kind = match (response.status, &*refusal.kind) {
        // The query itself is wrong: only its author can mend it.
        (400, "bad_data") => FailureKind::Invalid,
        // One query that takes too long does not mean that the server is down.
        (_, "timeout") => FailureKind::Timeout,
        _ => failure.kind,
    };
    let message = format!("answered {}: {}", response.status, excerpt(&refusal.error));
    Failure { kind, message, ..failure }
}

fn several(count: usize) -> Failure {
    no_number(&format!("{count} elements"), "make it one, for instance with sum(…)")
}

fn no_number(what: &str, remedy: &str) -> Failure {
    Failure::bad_response(format!("the query returns {what}: {remedy}"))
}

fn excerpt(text: &str) -> String {
    text.chars().take(REPEATED).collect()
}
