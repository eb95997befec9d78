//! Where the number stands in an answer.
use crate::node::Node;
use crate::shorten::shorten;
use crate::{Format, gjson, number, prometheus, xml, yaml};

/// The longest location, in bytes. A metric's name carries it, so no usable one comes near.
const MAX_LENGTH: usize = 1024;

/// A location, checked by the syntax of its format.
#[derive(Debug)]
pub(crate) struct Location<'a> {
    text: &'a str,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    Json(&'a str),
    Yaml(&'a str),
    Xml(xml::Path<'a>),
    Prometheus(prometheus::Selector),
}

impl<'a> Location<'a> {
    /// Checks a location.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(format: Format, text: &'a str) -> Result<Location<'a>, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("is longer than {MAX_LENGTH} bytes"));
        }
        let place = match format {
            Format::Json => gjson::check(text).map(|()| Place::Json(text))?,
            Format::Yaml => Place::Yaml(text),
            Format::Xml => Place::Xml(xml::Path::parse(text)?),
            Format::Prometheus => Place::Prometheus(prometheus::Selector::parse(text)?),
        };
        Ok(Location { text, place })
    }

    /// The number at this place of an answer.
    ///
    /// # Errors
    /// What the answer is, or what stands there, instead.
    pub(crate) fn read(&self, body: &str) -> Result<f64, String> {
        // Some servers begin with a byte order mark.
        let body = body.strip_prefix('\u{feff}').unwrap_or(body);
        if body.trim().is_empty() {
            return Err("the answer is empty".to_owned());
        }
        match &self.place {
            Place::Json(path) => self.node(gjson::read(body, path).map_err(|error| unreadable("JSON", &error, body))?),
            Place::Yaml(path) => self.node(yaml::read(body, path).map_err(|error| unreadable("YAML", &error, body))?),
            Place::Xml(path) => {
                let document = xml::document(body).map_err(|error| unreadable("XML", &error, body))?;
                path.find(&document).map_err(|message| self.at(&message))
            }
            Place::Prometheus(selector) => selector.find(body).map_err(|message| self.at(&message)),
        }
    }

    fn node(&self, found: Option<Node>) -> Result<f64, String> {
        let node = found.ok_or_else(|| self.at("is not in the answer"))?;
        number::of_node(&node).map_err(|message| self.at(&message))
    }

    fn at(&self, message: &str) -> String {
        format!("valueLocation `{}` {message}", shorten(self.text))
    }
}

/// That an answer cannot be read in its format.
fn unreadable(format: &str, error: &str, body: &str) -> String {
    let start = shorten(body);
    let head = start.to_ascii_lowercase();
    if format != "XML" && (head.starts_with("<!doctype html") || head.starts_with("<html")) {
        return format!("the answer is an HTML page, not {format}: it begins with `{start}`");
    }
    format!("the answer cannot be read as {format}: {}; it begins with `{start}`", shorten(error))
}

#[cfg(test)]
mod tests;
