//! Who logs in.
use windlass_sdk::Revealed;

/// A user and a password, as far as they are set.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    username: Option<Revealed>,
    password: Option<Revealed>,
}

impl Login {
    pub(crate) fn new(username: Option<&Revealed>, password: Option<&Revealed>) -> Login {
        Login { username: username.cloned(), password: password.cloned() }
    }

    /// The command that logs in. As in KEDA, a user without a password does not.
    pub(crate) fn command(&self) -> Option<Vec<&str>> {
        let password = self.password.as_ref()?.expose();
        Some(match &self.username {
            Some(username) => vec!["AUTH", username.expose(), password],
            None => vec!["AUTH", password],
        })
    }
}
