//! Lists in JSON that a stranger wrote: read up to a number of entries.

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A list of at most `N` entries, and whether there were more.
#[derive(Debug)]
pub(crate) struct Bounded<T, const N: usize> {
    pub(crate) entries: Vec<T>,
    pub(crate) cut: bool,
}

impl<T, const N: usize> Default for Bounded<T, N> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            cut: false,
        }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for ListVisitor<T, N> {
    type Value = Bounded<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or null")
    }

    /// Registries written in Go send `null` for an empty list.
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Bounded::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while entries.len() < N {
            match list.next_element()? {
                Some(entry) => entries.push(entry),
                None => {
                    return Ok(Bounded {
                        entries,
                        cut: false,
                    });
                }
            }
        }
        let mut cut = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            cut = true;
        }
        Ok(Bounded { entries, cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_so_many() {
        let rows = [
            ("null", vec![], false),
            ("[]", vec![], false),
            ("[1,2]", vec![1, 2], false),
            ("[1,2,3]", vec![1, 2], true),
        ];
        for (json, entries, cut) in rows {
            let list: Bounded<u8, 2> = serde_json::from_str(json).expect(json);
            assert_eq!((list.entries, list.cut), (entries, cut), "{json}");
        }
        for json in ["{}", "1", "\"a\"", "[300]", "[1,2,", "[1,2,3"] {
            assert!(
                serde_json::from_str::<Bounded<u8, 2>>(json).is_err(),
                "{json}"
            );
        }
    }
}
