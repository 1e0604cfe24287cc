//! How fast bytes are taken from origins.

use std::num::NonZeroU64;

use bytesize::ByteSize;
use toml::Value as Toml;

use crate::error::{Fault, Quoted};
use crate::value::{Shape, Value};

/// Less is a size without its unit, as in `10`, or less than one read: one that brings as much from
/// a connection would have to be waited for longer than a second.
const LEAST: ByteSize = ByteSize::kib(64);

/// Bytes a second at most, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Bandwidth(Option<NonZeroU64>);

impl Bandwidth {
    pub(crate) const UNLIMITED: Self = Self(None);

    /// Bytes a second: 0 is no limit, and else it is at least 64 KiB.
    pub fn bytes_per_second(self) -> u64 {
        self.0.map_or(0, NonZeroU64::get)
    }
}

impl Value for Bandwidth {
    const SHAPE: Shape = Shape::TextOrNumber;

    fn parse(text: &str) -> Result<Self, Fault> {
        let size = <ByteSize as Value>::parse(text)?;
        match NonZeroU64::new(size.as_u64()) {
            Some(_) if size < LEAST => Err(Fault::Bandwidth {
                given: Quoted::of(text),
                least: LEAST.to_toml().to_string(),
            }),
            limit => Ok(Self(limit)),
        }
    }

    fn to_toml(&self) -> Toml {
        match self.0 {
            Some(limit) => ByteSize::b(limit.get()).to_toml(),
            None => Toml::String("0".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bandwidth;
    use crate::value::Value;

    #[test]
    fn bandwidths() {
        let table = [
            ("0", 0, "0"),
            ("0MiB", 0, "0"),
            ("64KiB", 65_536, "64KiB"),
            ("10MiB", 10 << 20, "10MiB"),
            ("12.5MB", 12_500_000, "12500000B"),
            ("18446744073709551615", u64::MAX, "18446744073709551615B"),
        ];
        for (text, bytes, printed) in table {
            let bandwidth = Bandwidth::parse(text).expect(text);
            assert_eq!(bandwidth.bytes_per_second(), bytes);
            assert_eq!(bandwidth.to_toml().as_str(), Some(printed));
        }
        for bad in ["", "1", "10", "65535", "63KiB", "-1", "fast", "10MiB/s"] {
            assert!(Bandwidth::parse(bad).is_err(), "{bad}");
        }
    }
}
