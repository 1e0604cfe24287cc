//! Values that stand in a file, a variable or a flag alike.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use toml::Value as Toml;

use crate::error::{Fault, Quoted};
use crate::log::{LogFilter, LogFormat};

/// A value that has one text form, used in variables, flags and files.
pub(crate) trait Value: PartialOrd + Sized {
    /// What TOML may hold it as.
    const SHAPE: Shape;

    /// Reads the text form.
    fn parse(text: &str) -> Result<Self, Fault>;

    /// How the value is written in a file.
    fn to_toml(&self) -> Toml;
}

/// What TOML may hold a value as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A string alone.
    Text,
    /// An integer alone.
    Number,
    /// A string, or an integer.
    TextOrNumber,
    /// True or false.
    Boolean,
    /// A string, or true or false.
    TextOrBoolean,
}

impl Shape {
    /// How a message calls it.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "an integer",
            Self::TextOrNumber => "a string or an integer",
            Self::Boolean => "true or false",
            Self::TextOrBoolean => "a string, true or false",
        }
    }
}

impl Value for Duration {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        humantime::parse_duration(text).map_err(|_| Fault::Duration(Quoted::of(text)))
    }

    fn to_toml(&self) -> Toml {
        Toml::String(humantime::format_duration(*self).to_string())
    }
}

impl Value for ByteSize {
    const SHAPE: Shape = Shape::TextOrNumber;

    fn parse(text: &str) -> Result<Self, Fault> {
        let refused = || Fault::Size(Quoted::of(text));
        // The crate would take `+5` too; digits means digits.
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(refused());
        }
        text.parse().map_err(|_| refused())
    }

    /// In the largest unit that keeps it whole, so that it reads back as the same size.
    fn to_toml(&self) -> Toml {
        let (mut number, mut unit) = (self.as_u64(), "B");
        for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
            if number == 0 || !number.is_multiple_of(1024) {
                break;
            }
            (number, unit) = (number / 1024, larger);
        }
        Toml::String(format!("{number}{unit}"))
    }
}

impl Value for u32 {
    const SHAPE: Shape = Shape::Number;

    fn parse(text: &str) -> Result<Self, Fault> {
        let refused = || Fault::Number(Quoted::of(text));
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused());
        }
        text.parse().map_err(|_| refused())
    }

    fn to_toml(&self) -> Toml {
        Toml::Integer(i64::from(*self))
    }
}

impl Value for bool {
    const SHAPE: Shape = Shape::Boolean;

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::Boolean(Quoted::of(text)))
    }

    fn to_toml(&self) -> Toml {
        Toml::Boolean(*self)
    }
}

impl Value for SocketAddr {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::Listen(Quoted::of(text)))
    }

    fn to_toml(&self) -> Toml {
        Toml::String(self.to_string())
    }
}

impl Value for PathBuf {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::Empty);
        }
        Ok(Self::from(text))
    }

    fn to_toml(&self) -> Toml {
        Toml::String(self.to_string_lossy().into_owned())
    }
}

impl Value for LogFormat {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        Self::parse(text)
    }

    fn to_toml(&self) -> Toml {
        Toml::String(self.as_str().to_owned())
    }
}

impl Value for LogFilter {
    const SHAPE: Shape = Shape::Text;

    fn parse(text: &str) -> Result<Self, Fault> {
        Self::parse(text)
    }

    fn to_toml(&self) -> Toml {
        Toml::String(self.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytesize::ByteSize;
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::Value;

    fn reads_back<T: Value + std::fmt::Debug>(value: &T) {
        let printed = value.to_toml();
        let text = printed.as_str().expect("a string");
        assert_eq!(
            T::parse(text).expect(text).partial_cmp(value),
            Some(std::cmp::Ordering::Equal)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn sizes_read_back(bytes in any::<u64>(), shift in 0_u32..60) {
            reads_back(&ByteSize::b(bytes));
            reads_back(&ByteSize::b(bytes >> shift << shift));
        }

        #[test]
        fn durations_read_back(milliseconds in 0_u64..1_000_000_000_000) {
            reads_back(&Duration::from_millis(milliseconds));
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text in any::<String>()) {
            let _ = ByteSize::parse(&text);
            let _ = Duration::parse(&text);
            let _ = u32::parse(&text);
            let _ = bool::parse(&text);
            let _ = std::net::SocketAddr::parse(&text);
            let _ = crate::log::LogFilter::parse(&text);
            let _ = crate::bandwidth::Bandwidth::parse(&text);
            let _ = crate::transfer::Abandoned::parse(&text);
            let _ = crate::transfer::Ranges::parse(&text);
            let _ = crate::transfer::Prefetch::parse(&text);
            let _ = crate::name::host(&text);
            let _ = crate::name::upstream_name(&text);
            let _ = crate::name::Endpoint::parse(&text);
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("64MiB", 64 << 20, "64MiB"),
            ("64 MiB", 64 << 20, "64MiB"),
            ("1MB", 1_000_000, "1000000B"),
            ("1.5KiB", 1536, "1536B"),
            ("0", 0, "0B"),
            ("2048", 2048, "2KiB"),
        ];
        for (text, bytes, printed) in table {
            let size = ByteSize::parse(text).expect(text);
            assert_eq!(size.as_u64(), bytes);
            assert_eq!(size.to_toml().as_str(), Some(printed));
        }
        for bad in [
            "",
            "+5",
            "-1",
            "MiB",
            "1 parsec",
            "1e9",
            ".5MiB",
            "1.2.3MiB",
            "64MiB of it",
        ] {
            assert!(ByteSize::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digits_mean_digits() {
        for bad in ["", "+5", "-5", " 5", "5 ", "0x10", "4294967296"] {
            assert!(u32::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(u32::parse("4294967295").ok(), Some(u32::MAX));
    }
}
