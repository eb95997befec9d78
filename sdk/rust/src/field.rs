//! Types that a parameter can have.
pub use crate::bindings::windlass::scaler::types::{Origin, Parameter, Value};

use crate::bindings::windlass::scaler::types::{Secrecy, Shape};
use crate::{Endpoint, Tls, Url, Values};
use std::fmt;
use std::time::Duration;

/// A type that a field of [`Parameters`](crate::Parameters) can have.
pub trait Field: Sized {
    /// The shape that the host checks.
    const SHAPE: Shape;
    /// Who may see the value.
    const SECRECY: Secrecy = Secrecy::Open;
    /// Whether it must be set.
    const REQUIRED: bool = true;

    /// The allowed values; empty: any.
    fn choices() -> Vec<String> {
        Vec::new()
    }

    /// From a value that is set.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_value(value: &Value) -> Result<Self, String>;

    /// From all values.
    ///
    /// # Errors
    /// What is wrong with it, or that it is missing.
    fn read(values: &Values<'_>, name: &str) -> Result<Self, String> {
        values.get(name).map_or_else(|| Err("is required".to_owned()), Self::from_value)
    }
}

/// An entry of a list.
pub trait Entry: Sized {
    /// The shape of a list of these.
    const LIST: Shape;

    /// The allowed entries; empty: any.
    fn choices() -> Vec<String> {
        Vec::new()
    }

    /// From one entry, trimmed and not empty, of a parameter.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_entry(parameter: &str, entry: &str) -> Result<Self, String>;
}

/// The text of a value that is not sealed.
///
/// # Errors
/// That the host sealed it.
pub fn text(value: &Value) -> Result<&str, String> {
    value.text.as_deref().ok_or_else(|| "is sealed, but its text is needed".to_owned())
}

impl<T: Field> Field for Option<T> {
    const SHAPE: Shape = T::SHAPE;
    const SECRECY: Secrecy = T::SECRECY;
    const REQUIRED: bool = false;

    fn choices() -> Vec<String> {
        T::choices()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        T::from_value(value).map(Some)
    }

    fn read(values: &Values<'_>, name: &str) -> Result<Self, String> {
        values.get(name).map(T::from_value).transpose()
    }
}

impl<T: Entry> Field for Vec<T> {
    const SHAPE: Shape = T::LIST;

    fn choices() -> Vec<String> {
        T::choices()
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let entries = text(value)?.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(|entry| T::from_entry(&value.name, entry)).collect()
    }
}

impl Field for String {
    const SHAPE: Shape = Shape::Text;

    fn from_value(value: &Value) -> Result<Self, String> {
        text(value).map(str::to_owned)
    }
}

impl Entry for String {
    const LIST: Shape = Shape::Texts;

    fn from_entry(_: &str, entry: &str) -> Result<Self, String> {
        Ok(entry.to_owned())
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Field for $integer {
            const SHAPE: Shape = Shape::Integer;

            fn from_value(value: &Value) -> Result<Self, String> {
                text(value)?.parse().map_err(|_| format!("is not an integer between {} and {}", Self::MIN, Self::MAX))
            }
        }
    )*};
}
integers!(i64, i32, u64, u32, u16, u8);

impl Field for f64 {
    const SHAPE: Shape = Shape::Number;

    fn from_value(value: &Value) -> Result<Self, String> {
        text(value)?
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite())
            .ok_or_else(|| "is not a finite number".to_owned())
    }
}

impl Field for bool {
    const SHAPE: Shape = Shape::Boolean;

    fn from_value(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map_err(|_| "is neither true nor false".to_owned())
    }
}

impl Field for Duration {
    const SHAPE: Shape = Shape::Duration;

    fn from_value(value: &Value) -> Result<Self, String> {
        text(value)?.parse().map(Duration::from_millis).map_err(|_| "is not a number of milliseconds".to_owned())
    }
}

impl Field for Url {
    const SHAPE: Shape = Shape::Url;

    fn from_value(value: &Value) -> Result<Self, String> {
        Url::parse(&value.name, text(value)?)
    }
}

/// `host:port`, as the user wrote it in a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The parameter that it stands in.
    pub parameter: String,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Address {
    /// The endpoint, with or without TLS.
    pub fn endpoint(&self, tls: Option<Tls>) -> Endpoint {
        Endpoint { tls, ..Endpoint::new(&self.parameter, &self.host, self.port) }
    }
}

impl Entry for Address {
    const LIST: Shape = Shape::Addresses;

    fn from_entry(parameter: &str, entry: &str) -> Result<Self, String> {
        let (host, port) = entry.rsplit_once(':').ok_or("is not an address: write host:port")?;
        let port = port.parse().map_err(|_| "names a port that is not between 1 and 65535")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Address { parameter: parameter.to_owned(), host: host.to_owned(), port })
    }
}

impl Field for Address {
    const SHAPE: Shape = Shape::Address;

    fn from_value(value: &Value) -> Result<Self, String> {
        Address::from_entry(&value.name, text(value)?)
    }
}

/// Comma-separated `key=value`, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Field for Pairs {
    const SHAPE: Shape = Shape::Pairs;

    fn from_value(value: &Value) -> Result<Self, String> {
        let entries = text(value)?.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let pair = |entry: &str| {
            let (key, value) = entry.split_once('=').ok_or("is not of the form key=value")?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        };
        entries.map(pair).collect::<Result<_, String>>().map(Pairs)
    }
}

/// All parameters with a prefix (`name = "query.*"`): the rest of each name, and its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixed(pub Vec<(String, String)>);

impl Field for Prefixed {
    const SHAPE: Shape = Shape::Text;
    const REQUIRED: bool = false;

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(Prefixed(vec![(value.name.clone(), text(value)?.to_owned())]))
    }

    fn read(values: &Values<'_>, name: &str) -> Result<Self, String> {
        let prefix = name.strip_suffix('*').unwrap_or(name);
        let named = values.iter().filter_map(|value| Some((value.name.strip_prefix(prefix)?, value)));
        named
            .map(|(rest, value)| Ok((rest.to_owned(), text(value)?.to_owned())))
            .collect::<Result<_, String>>()
            .map(Prefixed)
    }
}

/// A secret that the scaler never sees: it knows that it is set, and names it in a credential or in TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    parameter: String,
}

impl Sealed {
    /// The name of the parameter that holds it.
    pub fn parameter(&self) -> String {
        self.parameter.clone()
    }
}

impl Field for Sealed {
    const SHAPE: Shape = Shape::Text;
    const SECRECY: Secrecy = Secrecy::Sealed;

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(Sealed { parameter: value.name.clone() })
    }
}

/// A secret whose text the scaler needs, for instance for a log-in over TCP. It never shows in a Debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(String);

impl Revealed {
    /// The text. It belongs on the wire and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(…)")
    }
}

impl Field for Revealed {
    const SHAPE: Shape = Shape::Text;
    const SECRECY: Secrecy = Secrecy::Revealed;

    fn from_value(value: &Value) -> Result<Self, String> {
        text(value).map(|text| Revealed(text.to_owned()))
    }
}
