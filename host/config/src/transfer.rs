//! How misses are fetched: what becomes of a transfer that nobody waits for, and what is fetched
//! when only a range is wanted, or nothing yet.

use std::fmt;

use bytesize::ByteSize;
pub use ledge_core::config::Prefetch;
use toml::Value as Toml;

use crate::error::{Fault, Quoted};
use crate::value::{Shape, Value};

/// What becomes of a transfer when every client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Abandoned {
    /// It goes on; the next client finds it, or the object.
    Keep,
    /// It ends.
    Stop,
    /// It goes on if more than that part of the object is there.
    KeepOver(Percent),
}

/// A part of a whole, from 1 to 99 hundredths: none and all of it have words of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Percent(u8);

impl Percent {
    /// The hundredths, from 1 to 99.
    pub fn get(self) -> u8 {
        self.0
    }

    /// Digits and a percent sign, nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix('%')?;
        // Rust's own parser would take `+5` too; digits means digits.
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let hundredths = digits.parse().ok()?;
        (1..=99).contains(&hundredths).then_some(Self(hundredths))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl Value for Abandoned {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "keep" => Ok(Self::Keep),
            "stop" => Ok(Self::Stop),
            _ => Percent::parse(text)
                .map(Self::KeepOver)
                .ok_or_else(|| Fault::Abandoned(Quoted::of(text))),
        }
    }

    fn to_toml(&self) -> Toml {
        Toml::String(match self {
            Self::Keep => "keep".to_owned(),
            Self::Stop => "stop".to_owned(),
            Self::KeepOver(percent) => percent.to_string(),
        })
    }
}

/// What is fetched when a client wants a range of an object that is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Ranges {
    /// The range at once, and the rest in the background.
    Whole,
    /// The same for objects up to this size; of larger ones only the ranges that are asked for.
    WholeUpTo(ByteSize),
}

impl Value for Ranges {
    const SHAPE: Shape = Shape::TextOrNumber;

    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "whole" {
            return Ok(Self::Whole);
        }
        <ByteSize as Value>::parse(text)
            .map(Self::WholeUpTo)
            .map_err(|_| Fault::Ranges(Quoted::of(text)))
    }

    fn to_toml(&self) -> Toml {
        match self {
            Self::Whole => Toml::String("whole".to_owned()),
            Self::WholeUpTo(size) => size.to_toml(),
        }
    }
}

impl Value for Prefetch {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "off" => Ok(Self::Off),
            "small" => Ok(Self::Small),
            "all" => Ok(Self::All),
            _ => Err(Fault::Prefetch(Quoted::of(text))),
        }
    }

    fn to_toml(&self) -> Toml {
        let text = match self {
            Self::Off => "off",
            Self::Small => "small",
            Self::All => "all",
        };
        Toml::String(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::{Abandoned, Percent, Prefetch, Ranges};
    use crate::value::Value;

    #[test]
    fn abandoned() {
        let table = [
            ("keep", Abandoned::Keep, "keep"),
            ("stop", Abandoned::Stop, "stop"),
            ("1%", Abandoned::KeepOver(Percent(1)), "1%"),
            ("050%", Abandoned::KeepOver(Percent(50)), "50%"),
            ("99%", Abandoned::KeepOver(Percent(99)), "99%"),
        ];
        for (text, value, printed) in table {
            assert_eq!(Abandoned::parse(text).ok(), Some(value), "{text}");
            assert_eq!(value.to_toml().as_str(), Some(printed));
        }
        for bad in [
            "", "%", "50", "0%", "100%", "256%", "+5%", "-5%", "5 %", "5%%", "Keep", "50%keep",
        ] {
            assert!(Abandoned::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges() {
        let up_to = |bytes| Ranges::WholeUpTo(ByteSize::b(bytes));
        let table = [
            ("whole", Ranges::Whole, "whole"),
            ("64MiB", up_to(64 << 20), "64MiB"),
            ("1MB", up_to(1_000_000), "1000000B"),
            ("0", up_to(0), "0B"),
        ];
        for (text, value, printed) in table {
            assert_eq!(Ranges::parse(text).ok(), Some(value), "{text}");
            assert_eq!(value.to_toml().as_str(), Some(printed));
        }
        for bad in ["", "Whole", "whole 5MiB", "5 parsec", "-1"] {
            assert!(Ranges::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn prefetch() {
        let table = [
            ("off", Prefetch::Off),
            ("small", Prefetch::Small),
            ("all", Prefetch::All),
        ];
        for (text, value) in table {
            assert_eq!(Prefetch::parse(text).ok(), Some(value), "{text}");
            assert_eq!(value.to_toml().as_str(), Some(text));
        }
        for bad in ["", "Off", "1MiB", "small "] {
            assert!(Prefetch::parse(bad).is_err(), "{bad}");
        }
    }
}
