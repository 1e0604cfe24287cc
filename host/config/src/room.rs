//! How much the store may take, and how long what nobody uses is kept.

use std::time::Duration;

use bytesize::ByteSize;
use toml::Value as Toml;

use crate::error::{Fault, Quoted};
use crate::transfer::Percent;
use crate::value::{Shape, Value};

/// A size, or a part of the file system that the store lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum Amount {
    /// So many bytes.
    Size(ByteSize),
    /// That part of the file system's size.
    Part(Percent),
}

impl Amount {
    fn parse(text: &str) -> Option<Self> {
        let part = Percent::parse(text).map(Self::Part);
        part.or_else(|| <ByteSize as Value>::parse(text).map(Self::Size).ok())
    }

    fn to_toml(self) -> Toml {
        match self {
            Self::Size(size) => size.to_toml(),
            Self::Part(part) => Toml::String(part.to_string()),
        }
    }
}

/// The least that a store is bounded to, 64 MiB: its records and its index take some MiB themselves, and
/// less is a size without its unit.
const LEAST: ByteSize = ByteSize::mib(64);

/// What the store may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum MaxSize {
    /// As much as the file system has.
    None,
    /// So much.
    Of(Amount),
}

impl Value for MaxSize {
    const SHAPE: Shape = Shape::TextOrNumber;

    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "none" {
            return Ok(Self::None);
        }
        match Amount::parse(text) {
            None => Err(Fault::MaxSize(Quoted::of(text))),
            Some(Amount::Size(size)) if size < LEAST => Err(Fault::SmallStore {
                given: Quoted::of(text),
                least: LEAST.to_string(),
            }),
            Some(amount) => Ok(Self::Of(amount)),
        }
    }

    fn to_toml(&self) -> Toml {
        match self {
            Self::None => Toml::String("none".to_owned()),
            Self::Of(amount) => amount.to_toml(),
        }
    }
}

/// What is kept free on the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum MinFree {
    /// A tenth of it, and at most 10 GiB.
    Auto,
    /// So much.
    Of(Amount),
}

impl Value for MinFree {
    const SHAPE: Shape = Shape::TextOrNumber;

    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let amount = Amount::parse(text).map(Self::Of);
        amount.ok_or_else(|| Fault::MinFree(Quoted::of(text)))
    }

    fn to_toml(&self) -> Toml {
        match self {
            Self::Auto => Toml::String("auto".to_owned()),
            Self::Of(amount) => amount.to_toml(),
        }
    }
}

/// How long an object is kept that nobody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum MaxAge {
    /// As long as there is room.
    None,
    /// So long.
    Of(Duration),
}

/// Uses are noted to the minute, and looked at every hour.
const SHORTEST: Duration = Duration::from_secs(60 * 60);

/// A hundred years of 365.25 days: longer is for ever, and far below where a clock overflows.
const LONGEST: Duration = Duration::from_secs(100 * 31_557_600);

impl Value for MaxAge {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "none" {
            return Ok(Self::None);
        }
        let age = humantime::parse_duration(text).map_err(|_| Fault::MaxAge(Quoted::of(text)))?;
        if age < SHORTEST || age > LONGEST {
            let shown = humantime::format_duration;
            return Err(Fault::Bounds {
                value: Quoted::of(text).to_string(),
                bounds: format!("{} and {}", shown(SHORTEST), shown(LONGEST)),
            });
        }
        Ok(Self::Of(age))
    }

    fn to_toml(&self) -> Toml {
        match self {
            Self::None => Toml::String("none".to_owned()),
            Self::Of(age) => Value::to_toml(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(bytes: u64) -> Amount {
        Amount::Size(ByteSize::b(bytes))
    }

    fn part(text: &str) -> Amount {
        Amount::Part(Percent::parse(text).expect("a part"))
    }

    #[test]
    fn sizes() {
        let table = [
            ("none", MaxSize::None, "none"),
            ("64MiB", MaxSize::Of(size(64 << 20)), "64MiB"),
            ("80%", MaxSize::Of(part("80%")), "80%"),
            ("1TB", MaxSize::Of(size(1_000_000_000_000)), "976562500KiB"),
        ];
        for (text, value, printed) in table {
            assert_eq!(MaxSize::parse(text).ok(), Some(value), "{text}");
            assert_eq!(MaxSize::to_toml(&value).as_str(), Some(printed));
        }
        for bad in [
            "", "None", "0", "100", "63MiB", "0%", "100%", "-1GiB", "auto",
        ] {
            assert!(MaxSize::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn free() {
        let table = [
            ("auto", MinFree::Auto, "auto"),
            ("0", MinFree::Of(size(0)), "0B"),
            ("5%", MinFree::Of(part("5%")), "5%"),
            ("2GiB", MinFree::Of(size(2 << 30)), "2GiB"),
        ];
        for (text, value, printed) in table {
            assert_eq!(MinFree::parse(text).ok(), Some(value), "{text}");
            assert_eq!(MinFree::to_toml(&value).as_str(), Some(printed));
        }
        for bad in ["", "Auto", "none", "0%", "5 %", "+5"] {
            assert!(MinFree::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ages() {
        let month = MaxAge::Of(Duration::from_secs(30 * 24 * 60 * 60));
        for (text, value, printed) in [("none", MaxAge::None, "none"), ("30d", month, "30days")] {
            assert_eq!(MaxAge::parse(text).ok(), Some(value), "{text}");
            assert_eq!(MaxAge::to_toml(&value).as_str(), Some(printed));
        }
        for bad in ["", "0s", "59m", "200y", "30", "never"] {
            assert!(MaxAge::parse(bad).is_err(), "{bad}");
        }
    }
}
