//! What a credential, as a case writes it, adds to a request on the wire.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use windlass_core::query::ResolvedTrigger;
use windlass_sdk::percent_encode;

/// What credentials add.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Added {
    /// Headers.
    pub(super) headers: Vec<(String, String)>,
    /// `name=value` pairs for the target's query.
    pub(super) query: Vec<String>,
}

/// The part of a credential's role: a parameter's value, or a text that is used as it is.
struct Role<'a> {
    trigger: &'a ResolvedTrigger,
    text: Option<&'a str>,
}

impl Role<'_> {
    fn secret(&self) -> Option<String> {
        windlass_host::credential_value(self.trigger, self.text?)
    }

    fn secret_or_text(&self) -> Option<String> {
        let text = self.text?;
        let of_url = text
            .rsplit_once('.')
            .is_some_and(|(name, part)| matches!(part, "user" | "password") && self.trigger.values.contains_key(name));
        self.secret().or_else(|| (!of_url).then(|| text.to_owned()))
    }
}

/// What credentials, each as `scheme role=name …`, add to a request of a trigger. Unknown ones add nothing, so that the request
/// does not fit.
pub(super) fn added(credentials: &[String], trigger: &ResolvedTrigger) -> Added {
    let mut added = Added::default();
    for credential in credentials {
        let (scheme, roles) = credential.split_once(' ').unwrap_or((credential, ""));
        let role = |name: &str| {
            let text = roles.split(' ').filter_map(|role| role.split_once('=')).find(|(role, _)| *role == name);
            Role { trigger, text: text.map(|(_, text)| text) }
        };
        let authorization = |text: String| Some(("authorization".to_owned(), text));
        let header = match scheme {
            "bearer" => role("token").secret().and_then(|token| authorization(format!("Bearer {token}"))),
            "basic" => {
                let (user, password) = (role("username").secret_or_text(), role("password").secret());
                let pair = |user: String| format!("{user}:{}", password.unwrap_or_default());
                user.and_then(|user| authorization(format!("Basic {}", STANDARD.encode(pair(user)))))
            }
            "header" => role("name").secret_or_text().zip(role("value").secret()),
            "query" => {
                let pair = role("name").secret_or_text().zip(role("value").secret());
                let encoded =
                    |(name, value): (String, String)| format!("{}={}", percent_encode(&name), percent_encode(&value));
                added.query.extend(pair.map(encoded));
                None
            }
            _ => None,
        };
        added.headers.extend(header.map(|(name, value)| (name.to_ascii_lowercase(), value)));
    }
    added
}
