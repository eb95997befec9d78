//! Values in XML, by a path of element names and indices with dots between them.
use crate::number;
use crate::shorten::shorten;
use roxmltree::{Document, Node, ParsingOptions};

/// More nodes than an answer of the greatest length that is read can sensibly have.
const MAX_NODES: u32 = 400_000;

/// A path: the root element, elements below it, and at the end maybe an attribute.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// An element's name, without its prefix.
    Element(&'a str),
    /// Which one of elements of equal names, from 0.
    Index(usize),
    /// An attribute's name, without its prefix.
    Attribute(&'a str),
}

impl<'a> Path<'a> {
    /// Checks a path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &'a str) -> Result<Path<'a>, String> {
        let step = |text: &'a str| match (text.strip_prefix('@'), text.parse()) {
            (Some(""), _) => Err("ends with `@`: name the attribute".to_owned()),
            (Some(name), _) => Ok(Step::Attribute(name)),
            (None, Ok(index)) => Ok(Step::Index(index)),
            (None, Err(_)) if text.is_empty() => Err("has an empty step: write names with one dot between".to_owned()),
            (None, Err(_)) => Ok(Step::Element(text)),
        };
        let steps: Vec<_> = text.split('.').map(step).collect::<Result<_, String>>()?;
        if !matches!(steps.first(), Some(Step::Element(_))) {
            return Err("begins with no element: the first step is the name of the root element".to_owned());
        }
        let before = steps.len() - 1;
        if steps.iter().take(before).any(|step| matches!(step, Step::Attribute(_))) {
            return Err("goes on after an attribute: an attribute is the last step".to_owned());
        }
        Ok(Path { steps })
    }

    /// The number at the path.
    ///
    /// # Errors
    /// What stands there instead.
    pub(crate) fn find(&self, document: &Document<'_>) -> Result<f64, String> {
        let mut found = vec![document.root()];
        for step in &self.steps {
            match step {
                Step::Element(name) => {
                    let parent = only(&found)?;
                    let named = |node: &Node<'_, '_>| node.is_element() && node.tag_name().name() == *name;
                    found = parent.children().filter(named).collect();
                    if found.is_empty() {
                        return Err(format!("is not in the answer: {} has no `{}`", told(parent), shorten(name)));
                    }
                }
                Step::Index(index) => {
                    let count = found.len();
                    let chosen = found.get(*index).copied();
                    found = vec![chosen.ok_or_else(|| format!("is not in the answer: it has {count} there"))?];
                }
                Step::Attribute(name) => {
                    let element = only(&found)?;
                    let attribute = element.attributes().find(|attribute| attribute.name() == *name);
                    let value = attribute.map(|attribute| attribute.value().trim());
                    return number::of_text(value.ok_or_else(|| {
                        format!("is not in the answer: {} has no attribute `{}`", told(element), shorten(name))
                    })?);
                }
            }
        }
        let element = only(&found)?;
        if element.children().any(|child| child.is_element()) {
            return Err("is an element with elements in it, not a number".to_owned());
        }
        let text: String = element.children().filter(Node::is_text).filter_map(|node| node.text()).collect();
        number::of_text(text.trim())
    }
}

fn only<'a, 'input>(found: &[Node<'a, 'input>]) -> Result<Node<'a, 'input>, String> {
    match found {
        [node] => Ok(*node),
        several => {
            let name = several.first().map(|node| node.tag_name().name()).unwrap_or_default();
            Err(format!("is not unique: there are {} `{}`; add an index", several.len(), shorten(name)))
        }
    }
}

fn told(node: Node<'_, '_>) -> String {
    if node.is_root() { "the document".to_owned() } else { format!("`{}`", shorten(node.tag_name().name())) }
}

/// Parses a document.
///
/// # Errors
/// Why it is none.
pub(crate) fn document(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}
