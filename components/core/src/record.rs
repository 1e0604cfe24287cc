//! What is kept in the key-value stores, and how it is written.
//!
//! Each value is a few lines of text: first a letter for the kind and a number
//! for the version, then one fact a line. A value of another version, or one that
//! cannot be read, is as if it were not there: every record can be learned again.

use crate::challenge::Bearer;
use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::platform::Platform;
use crate::token::Token;
use crate::uri::HttpUri;

/// What a tag means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRecord {
    /// The manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
    /// When the origin last said so, in seconds since the epoch.
    pub checked_at: u64,
    /// When the origin may be asked again, in seconds since the epoch, after a try
    /// that failed; 0 if none did.
    pub ask_at: u64,
}

impl TagRecord {
    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            digest,
            media_type,
            size,
            checked_at,
            ask_at,
        } = self;
        format!("t2\n{digest}\n{media_type}\n{size}\n{checked_at}\n{ask_at}").into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [digest, media_type, size, checked_at, ask_at] = lines(bytes, "t2")?;
        Some(Self {
            digest: Digest::parse(digest).ok()?,
            media_type: exactly(media_type)?,
            size: number(size)?,
            checked_at: number(checked_at)?,
            ask_at: number(ask_at)?,
        })
    }
}

/// What an origin lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRecord {
    /// When the origin last said so, in seconds since the epoch.
    pub checked_at: u64,
    /// When the origin may be asked again, in seconds since the epoch, after a try
    /// that failed; 0 if none did.
    pub ask_at: u64,
    /// The list, as its own module writes and reads it.
    pub json: Vec<u8>,
}

impl ListRecord {
    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("l1\n{}\n{}\n", self.checked_at, self.ask_at).into_bytes();
        bytes.extend_from_slice(&self.json);
        bytes
    }

    /// The record, if the bytes are one. What they list is not looked at.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
        let mut next = || parts.next();
        let (head, checked_at, ask_at, json) = (next()?, next()?, next()?, next()?);
        let time = |text| number(std::str::from_utf8(text).ok()?);
        (head == b"l1").then_some(())?;
        Some(Self {
            checked_at: time(checked_at)?,
            ask_at: time(ask_at)?,
            json: json.to_vec(),
        })
    }
}

/// What an origin said of what it does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is no such tag, or no such repository: 404.
    Unknown,
    /// Nobody is told without other credentials: 401.
    Unauthorized,
    /// Nobody is told with these: 403.
    Denied,
}

/// That an origin does not show something: a tag, a digest, or a whole repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsenceRecord {
    /// What it said.
    pub absence: Absence,
    /// When it said so, in seconds since the epoch.
    pub checked_at: u64,
}

impl AbsenceRecord {
    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let absence = match self.absence {
            Absence::Unknown => "unknown",
            Absence::Unauthorized => "unauthorized",
            Absence::Denied => "denied",
        };
        format!("n1\n{absence}\n{}", self.checked_at).into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [absence, checked_at] = lines(bytes, "n1")?;
        let absence = match absence {
            "unknown" => Absence::Unknown,
            "unauthorized" => Absence::Unauthorized,
            "denied" => Absence::Denied,
            _ => return None,
        };
        Some(Self {
            absence,
            checked_at: number(checked_at)?,
        })
    }
}

/// Why a repository may show a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The origin has shown it in this repository.
    Shown,
    /// A manifest that the origin has shown in this repository lists it. Enough
    /// only together with the knowledge that the bytes came from this upstream.
    Listed,
}

/// That a repository may show a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Why.
    pub ground: Ground,
    /// As what it may be shown by the manifests endpoint; `None` for blobs.
    pub media_type: Option<MediaType>,
    /// Its size in bytes, if that is known.
    pub size: Option<u64>,
    /// What it is made for, if an index of this repository said so.
    pub platform: Option<Platform>,
}

impl Grant {
    /// The grant as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let ground = match self.ground {
            Ground::Shown => "shown",
            Ground::Listed => "listed",
        };
        let media_type = self.media_type.as_ref().map_or("", MediaType::as_str);
        let size = self.size.map(|s| s.to_string()).unwrap_or_default();
        let platform = self.platform.as_ref().map_or("", Platform::as_str);
        format!("g2\n{ground}\n{media_type}\n{size}\n{platform}").into_bytes()
    }

    /// The grant, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [ground, media_type, size, platform] = lines(bytes, "g2")?;
        let ground = match ground {
            "shown" => Ground::Shown,
            "listed" => Ground::Listed,
            _ => return None,
        };
        Some(Self {
            ground,
            media_type: optional(media_type, exactly)?,
            size: optional(size, number)?,
            platform: optional(platform, Platform::parse)?,
        })
    }
}

/// How to show an endpoint who asks for a repository. Kept in memory alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// With a token.
    Bearer(Token),
    /// With name and password, until then.
    Basic {
        /// When to find out anew, in seconds since the epoch.
        renew_at: u64,
    },
}

impl Access {
    /// When it has to be got anew, in seconds since the epoch.
    #[must_use]
    pub const fn renew_at(&self) -> u64 {
        match self {
            Self::Bearer(token) => token.renew_at(),
            Self::Basic { renew_at } => *renew_at,
        }
    }

    /// The record as bytes. They hold the token.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Bearer(token) => format!("a1\nbearer\n{}\n{}", token.renew_at(), token.expose()),
            Self::Basic { renew_at } => format!("a1\nbasic\n{renew_at}\n"),
        }
        .into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [kind, renew_at, token] = lines(bytes, "a1")?;
        let renew_at = number(renew_at)?;
        match kind {
            "bearer" => Some(Self::Bearer(Token::new(token.to_owned(), renew_at).ok()?)),
            "basic" if token.is_empty() => Some(Self::Basic { renew_at }),
            _ => None,
        }
    }
}

/// The record of an endpoint's Bearer challenge, so that the next repository's
/// token costs no 401.
#[must_use]
pub fn encode_challenge(bearer: &Bearer) -> Vec<u8> {
    let realm = bearer.realm.endpoint();
    let service = bearer.service.as_deref().unwrap_or_default();
    format!("c1\n{realm}{}\n{service}", bearer.realm.path_and_query()).into_bytes()
}

/// The challenge, if the bytes are one.
#[must_use]
pub fn decode_challenge(bytes: &[u8]) -> Option<Bearer> {
    let [realm, service] = lines(bytes, "c1")?;
    Some(Bearer {
        realm: HttpUri::parse(realm).ok()?,
        service: optional(service, |s| Some(s.to_owned()))?,
    })
}

/// The value of a record that says all by being there.
pub const PRESENT: &[u8] = b"p1";

/// The lines behind the first one, which must be `head`; exactly `N`.
pub(crate) fn lines<'a, const N: usize>(bytes: &'a [u8], head: &str) -> Option<[&'a str; N]> {
    let text = std::str::from_utf8(bytes).ok()?;
    let rest = text.strip_prefix(head)?.strip_prefix('\n')?;
    let mut fields = [""; N];
    let mut parts = rest.split('\n');
    for field in &mut fields {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(fields)
}

fn exactly(text: &str) -> Option<MediaType> {
    MediaType::parse(text).filter(|m| m.as_str() == text)
}

fn optional<T>(text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() {
        return Some(None);
    }
    read(text).map(Some)
}

/// Digits only.
pub(crate) fn number(text: &str) -> Option<u64> {
    let all = text.bytes().all(|b| b.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn digest() -> impl Strategy<Value = Digest> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(|b| Digest::from_sha256(&b)),
            any::<[u8; 32]>().prop_map(|b| {
                let mut long = [0; 64];
                long[..32].copy_from_slice(&b);
                Digest::from_sha512(&long)
            }),
        ]
    }

    fn media_type() -> impl Strategy<Value = MediaType> {
        "[a-z]{1,12}/[a-z0-9.+-]{1,60}".prop_map(|t| MediaType::parse(&t).expect("a media type"))
    }

    fn ground() -> impl Strategy<Value = Ground> {
        prop_oneof![Just(Ground::Shown), Just(Ground::Listed)]
    }

    fn absence() -> impl Strategy<Value = Absence> {
        prop_oneof![
            Just(Absence::Unknown),
            Just(Absence::Unauthorized),
            Just(Absence::Denied)
        ]
    }

    fn access() -> impl Strategy<Value = Access> {
        prop_oneof![
            any::<u64>().prop_map(|renew_at| Access::Basic { renew_at }),
            ("[!-~]{1,300}", any::<u64>())
                .prop_map(|(t, at)| Access::Bearer(Token::new(t, at).expect("a token"))),
        ]
    }

    proptest! {
        #[test]
        fn records_round_trip(digest in digest(), media_type in media_type(), size: u64, checked_at: u64, ask_at: u64) {
            let record = TagRecord { digest, media_type, size, checked_at, ask_at };
            prop_assert_eq!(TagRecord::decode(&record.encode()), Some(record));
        }

        #[test]
        fn lists_round_trip(checked_at: u64, ask_at: u64, json: Vec<u8>) {
            let record = ListRecord { checked_at, ask_at, json };
            prop_assert_eq!(ListRecord::decode(&record.encode()), Some(record));
        }

        #[test]
        fn absences_round_trip(absence in absence(), checked_at: u64) {
            let record = AbsenceRecord { absence, checked_at };
            prop_assert_eq!(AbsenceRecord::decode(&record.encode()), Some(record));
        }

        #[test]
        fn grants_round_trip(ground in ground(), media_type in option::of(media_type()), size: Option<u64>, arch in option::of("[a-z0-9]{1,9}(/v[0-9])?")) {
            let platform = arch.and_then(|arch| Platform::parse(&format!("linux/{arch}")));
            let grant = Grant { ground, media_type, size, platform };
            prop_assert_eq!(Grant::decode(&grant.encode()), Some(grant));
        }

        #[test]
        fn accesses_round_trip(access in access()) {
            prop_assert_eq!(Access::decode(&access.encode()), Some(access));
        }

        #[test]
        fn challenges_round_trip(path in "[a-z/]{0,10}(\\?[a-z=&]{0,10})?", service in option::of("[a-z.]{1,10}")) {
            let realm = HttpUri::parse(&format!("https://auth.example:8443/{path}")).expect("a URI");
            let bearer = Bearer { realm, service };
            prop_assert_eq!(decode_challenge(&encode_challenge(&bearer)), Some(bearer));
        }

        #[test]
        fn garbage_is_no_record(bytes: Vec<u8>, head in "[tgacn][0-9]\n", text in "[a-z0-9\n:]{0,60}") {
            let lines = format!("{head}{text}").into_bytes();
            for bytes in [bytes, lines] {
                let tag = TagRecord::decode(&bytes);
                prop_assert!(tag.is_none_or(|t| t.encode() == bytes || t.encode().len() < bytes.len()));
                let _ = (Grant::decode(&bytes), Access::decode(&bytes), decode_challenge(&bytes));
                let absence = AbsenceRecord::decode(&bytes);
                prop_assert!(absence.is_none_or(|a| a.encode().len() <= bytes.len()));
            }
        }
    }

    #[test]
    fn other_versions_are_as_if_not_there() {
        let digest = Digest::from_sha256(&[7; 32]);
        let good = format!("t2\n{digest}\na/b\n5\n6\n7");
        assert!(TagRecord::decode(good.as_bytes()).is_some());
        let rows = [
            good.replace("t2", "t1"),
            good.replace("t2", "g1"),
            good.replace("\n5", "\n+5"),
            good.replace("\n5", "\n"),
            good.replace("\n6", "\n99999999999999999999"),
            good.replace("a/b", "a/b;c"),
            good.replace("a/b", "ab"),
            good.replace("sha256", "sha1"),
            format!("{good}\n"),
            good.replace("\n7", ""),
            good.replace("\n7", "\n"),
            String::new(),
            "t2".to_owned(),
        ];
        for text in rows {
            assert_eq!(TagRecord::decode(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Grant::decode(b"g1\nowned\n\n"), None);
        assert_eq!(AbsenceRecord::decode(b"n1\ngone\n5"), None);
        for bad in [
            "",
            "l1",
            "l1\n1\n2",
            "l2\n1\n2\n[]",
            "l1\n+1\n2\n[]",
            "l1\n\n2\n[]",
        ] {
            assert_eq!(ListRecord::decode(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(AbsenceRecord::decode(b"n1\nunknown\n"), None);
        assert_eq!(Access::decode(b"a1\nbasic\n5\nx"), None);
        assert_eq!(Access::decode(b"a1\nbearer\n5\n"), None);
    }
}
