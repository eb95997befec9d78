//! Labels of metrics stay bounded whatever others call their things.
use crate::key::Text;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The first so many names are labels; every further one is `other`. All clones count together.
#[derive(Clone, Debug)]
pub struct Labels {
    most: usize,
    known: Arc<Mutex<HashSet<Text>>>,
}

impl Labels {
    /// The label of all names that came too late.
    pub const OTHER: &'static str = "other";

    /// At most so many labels.
    pub fn new(most: usize) -> Labels {
        Labels { most, known: Arc::default() }
    }

    /// The label of a name. Once a label, always that label.
    pub fn of(&self, name: &str) -> Text {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = known.get(name) {
            return label.clone();
        }
        if known.len() >= self.most {
            return Labels::OTHER.into();
        }
        let label: Text = name.into();
        known.insert(label.clone());
        label
    }
}

#[cfg(test)]
mod tests {
    use super::Labels;

    #[test]
    fn what_comes_too_late_is_other() {
        let labels = Labels::new(2);
        assert_eq!(["a", "b", "c", "a"].map(|name| labels.of(name).to_string()), ["a", "b", "other", "a"]);
        assert_eq!(&*labels.clone().of("c"), "other");
    }
}
