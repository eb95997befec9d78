//! Why a request to the API server did not give what was wanted. No variant carries a body.
use std::time::Duration;

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// The object has changed in between (409 Conflict).
    #[error("the object has changed in between")]
    Conflict,
    /// An object of that name exists (409 AlreadyExists).
    #[error("an object of that name exists")]
    Exists,
    /// The API server refused: code and its own words.
    #[error("the API server answered {code}: {message}")]
    Status {
        /// HTTP status.
        code: u16,
        /// The API server's message, cut to 256 bytes.
        message: String,
    },
    /// No answer in time.
    #[error("no answer from the API server within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The API server could not be reached.
    #[error("the API server cannot be reached: {0}")]
    Transport(String),
    /// The answer is not what it should be; what it says is left out, since it may be a Secret.
    #[error("the API server's {0} cannot be read")]
    Unreadable(&'static str),
    /// There is no way to a cluster.
    #[error("no way to a cluster: {0}")]
    Configuration(String),
}

impl Error {
    /// Whether the API server understood and said no: asking again soon gives the same answer.
    pub fn is_final(&self) -> bool {
        match self {
            Error::NotFound | Error::Exists | Error::Configuration(_) => true,
            Error::Status { code, .. } => (400..500).contains(code) && *code != 429 && *code != 408,
            Error::Conflict | Error::Timeout(_) | Error::Transport(_) | Error::Unreadable(_) => false,
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Error {
        match error {
            kube::Error::Api(status) => match (status.code, status.reason.as_str()) {
                (404, _) => Error::NotFound,
                (409, "AlreadyExists") => Error::Exists,
                (409, _) => Error::Conflict,
                (code, _) => Error::Status { code, message: cut(&status.message, 256).to_owned() },
            },
            // Its text quotes what could not be read.
            kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => Error::Unreadable("answer"),
            kube::Error::Service(error) => match error.downcast_ref::<Late>() {
                Some(late) => Error::Timeout(late.0),
                None => Error::Transport(chain(&*error)),
            },
            other => Error::Transport(chain(&other)),
        }
    }
}

/// What the client's layer answers when a deadline passes.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct Late(pub(crate) Duration);

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    cut(&text, 512).to_owned()
}

/// The first `limit` bytes of a text, cut at a character.
pub(crate) fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
}
