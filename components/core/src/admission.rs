//! Whether an origin lets a client into a repository, as far as it said so: pass-through.
//!
//! Records are a few lines of text, as those of [`record`](crate::record), and kept in memory
//! alone.

use crate::record::number;
use crate::token::Authorization;

/// Longest challenge that is passed on, in bytes, and how many: what common servers take as one
/// field line, and more schemes than any registry has.
const MAX_CHALLENGE: usize = 8 * 1024;
const MAX_CHALLENGES: usize = 4;

/// What an origin said to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may come in.
    LetIn {
        /// Until when that is believed, in seconds since the epoch.
        until: u64,
    },
    /// It may not.
    Refused {
        /// Until when that is believed, in seconds since the epoch.
        until: u64,
        /// How.
        refusal: Refusal,
    },
}

/// How a client was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// With 401, and the `WWW-Authenticate` fields that go with it.
    Unauthorized(Vec<String>),
    /// With 403.
    Denied,
}

impl Refusal {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Unauthorized(_) => 401,
            Self::Denied => 403,
        }
    }
}

/// The `WWW-Authenticate` fields of an origin that can be passed on.
#[must_use]
pub fn challenges<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let fields = fields.into_iter();
    let texts = fields.filter_map(|field| std::str::from_utf8(field).ok());
    let sendable = |text: &&str| {
        let is_sendable = |byte| byte == b' ' || u8::is_ascii_graphic(&byte);
        !text.is_empty() && text.len() <= MAX_CHALLENGE && text.bytes().all(is_sendable)
    };
    let texts = texts.filter(sendable).take(MAX_CHALLENGES);
    texts.map(str::to_owned).collect()
}

impl Admission {
    /// Until when it is believed, in seconds since the epoch.
    #[must_use]
    pub const fn until(&self) -> u64 {
        match self {
            Self::LetIn { until } | Self::Refused { until, .. } => *until,
        }
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::LetIn { until } => format!("d1\n{until}\nin"),
            Self::Refused { until, refusal } => match refusal {
                Refusal::Denied => format!("d1\n{until}\ndenied"),
                Refusal::Unauthorized(challenges) => {
                    let mut text = format!("d1\n{until}\nunauthorized");
                    for challenge in challenges {
                        text.push('\n');
                        text.push_str(challenge);
                    }
                    text
                }
            },
        }
        .into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
        let (head, until, how) = (lines.next()?, lines.next()?, lines.next()?);
        (head == "d1").then_some(())?;
        let until = number(until)?;
        let rest: Vec<_> = lines.map(str::to_owned).collect();
        match how {
            "in" if rest.is_empty() => Some(Self::LetIn { until }),
            "denied" if rest.is_empty() => Some(Self::Refused {
                until,
                refusal: Refusal::Denied,
            }),
            "unauthorized" => Some(Self::Refused {
                until,
                refusal: Refusal::Unauthorized(rest),
            }),
            _ => None,
        }
    }
}

/// What the last client that was let in showed, so that a transfer of the repository can be
/// gone on with. The bytes hold it.
#[must_use]
pub fn encode_lent(authorization: Option<&Authorization>, until: u64) -> Vec<u8> {
    let shown = authorization.map_or("", Authorization::expose);
    format!("h1\n{until}\n{shown}").into_bytes()
}

/// What can be shown at `now`, if the bytes say that something can; nothing is something.
#[must_use]
pub fn decode_lent(bytes: &[u8], now: u64) -> Option<Option<Authorization>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix("h1\n")?;
    let (until, shown) = text.split_once('\n')?;
    (now < number(until)?).then_some(())?;
    if shown.is_empty() {
        return Some(None);
    }
    Authorization::given(shown.as_bytes()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal() -> impl Strategy<Value = Refusal> {
        prop_oneof![
            Just(Refusal::Denied),
            proptest::collection::vec("[!-~][ -~]{0,60}", 0..4).prop_map(Refusal::Unauthorized),
        ]
    }

    proptest! {
        #[test]
        fn admissions_round_trip(until: u64, refusal in proptest::option::of(refusal())) {
            let admission = match refusal {
                None => Admission::LetIn { until },
                Some(refusal) => Admission::Refused { until, refusal },
            };
            prop_assert_eq!(Admission::decode(&admission.encode()), Some(admission));
        }

        #[test]
        fn what_is_lent_round_trips(until in 1..u64::MAX, token in "[!-~]{1,60}") {
            let shown = Authorization::given(format!("Bearer {token}").as_bytes());
            prop_assert!(shown.is_some());
            let bytes = encode_lent(shown.as_ref(), until);
            prop_assert_eq!(decode_lent(&bytes, until - 1), Some(shown));
            prop_assert_eq!(decode_lent(&bytes, until), None);
            prop_assert_eq!(decode_lent(&encode_lent(None, until), until - 1), Some(None));
        }

        #[test]
        fn garbage_is_none(bytes: Vec<u8>, text in "[dh]1\n[0-9a-z\n]{0,40}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let admission = Admission::decode(bytes);
                prop_assert!(admission.is_none_or(|a| a.encode().len() <= bytes.len()));
                let _ = decode_lent(bytes, 0);
            }
        }
    }

    #[test]
    fn passes_on_what_can_be_sent() {
        let long = "x".repeat(9000);
        let rows: [(&[&[u8]], &[&str]); 5] = [
            (&[], &[]),
            (&[b"Basic realm=\"a b\""], &["Basic realm=\"a b\""]),
            (
                &[b"", b"Bearer \xff", b"a\nb", b"a\rb", long.as_bytes(), b"c"],
                &["c"],
            ),
            (&[b"1", b"2", b"3", b"4", b"5"], &["1", "2", "3", "4"]),
            (&["Bearer é".as_bytes()], &[]),
        ];
        for (fields, expected) in rows {
            assert_eq!(challenges(fields.iter().copied()), expected);
        }
    }

    #[test]
    fn other_records_are_none() {
        for bytes in [
            &b"d2\n5\nin"[..],
            b"d1\n5\nin\n",
            b"d1\n+5\nin",
            b"d1\n5\ndenied\nx",
            b"d1\n5\nout",
            b"d1\n5",
        ] {
            assert_eq!(Admission::decode(bytes), None);
        }
        assert_eq!(decode_lent(b"h1\n9\nBasic", 0), None);
    }
}
