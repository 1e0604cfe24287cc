//! What can go wrong with an image, and what to do about it.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use ledge_core::digest::Digest;
use ledge_core::manifest::MAX_MANIFEST;
use serde::Deserialize;

use crate::contents::MAX_MANIFESTS;

/// Most characters of a mirror's message that are repeated.
const MAX_SAID: usize = 300;

/// Why an image is not warm. `asked` is what the mirror was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There is no connection to the mirror, or it broke before an answer.
    #[error("the mirror cannot be reached: {0}")]
    Unreachable(String),
    /// The mirror was silent for so many seconds.
    #[error("{asked}: the mirror sent nothing for {seconds} s")]
    Silent {
        /// The manifest or the blob.
        asked: String,
        /// How long.
        seconds: u64,
    },
    /// The mirror answered no.
    #[error("{asked}: the mirror answered {answer}")]
    Refused {
        /// The manifest or the blob.
        asked: String,
        /// What it said.
        answer: Refusal,
    },
    /// The answer ended before its end, as it does when a mirror was sent wrong bytes.
    #[error("{asked}: the answer was cut after {bytes} bytes")]
    Cut {
        /// The manifest or the blob.
        asked: String,
        /// How many bytes had come.
        bytes: u64,
    },
    /// A manifest without end.
    #[error("{asked}: it has more than {MAX_MANIFEST} bytes")]
    TooLarge {
        /// The manifest.
        asked: String,
    },
    /// Bytes that cannot be read as a manifest.
    #[error("{asked}: this is no manifest that can be read")]
    NoManifest {
        /// The manifest.
        asked: String,
    },
    /// The bytes are another manifest.
    #[error("{asked}: the mirror sent other bytes: {found}")]
    WrongDigest {
        /// The manifest.
        asked: String,
        /// The digest of what came.
        found: Digest,
    },
    /// The blob has another length than its manifest says.
    #[error("{asked}: the mirror sent {came} bytes, the manifest says {said}")]
    WrongLength {
        /// The blob.
        asked: String,
        /// The manifest's word.
        said: u64,
        /// What came.
        came: u64,
    },
    /// An index lacks platforms; the others are warm.
    #[error("there is none for {lacking}; the index lists {listed}")]
    Lacks {
        /// The platforms that are wanted and missing.
        lacking: String,
        /// Those that are there.
        listed: String,
    },
    /// Indexes of indexes.
    #[error("it consists of more than {MAX_MANIFESTS} manifests")]
    TooMany,
}

/// What a mirror says when it says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The specification's code; empty if there is none.
    pub code: String,
    /// The mirror's own words; may be empty.
    pub message: String,
    /// After how many seconds it wants to be asked again.
    pub(crate) after: Option<u64>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

/// OCI distribution specification 1.1, "Error codes".
#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Default, Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Reads an answer. What is no error of the specification says nothing.
    pub(crate) fn read(status: StatusCode, after: Option<&str>, body: &[u8]) -> Self {
        let read: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
        let first = read.errors.into_iter().next().unwrap_or_default();
        Self {
            status: status.as_u16(),
            code: printable(&first.code),
            message: printable(&first.message),
            after: after.and_then(|text| text.trim().parse().ok()),
        }
    }
}

/// A terminal must not be spoken to by strangers.
fn printable(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control());
    clean.take(MAX_SAID).collect()
}

impl Failure {
    /// Whether another try may succeed. What an origin did to the mirror (502, 504) is not asked
    /// for again: the mirror has tried that itself.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Silent { .. } | Self::Cut { .. } => true,
            Self::Refused { answer, .. } => matches!(answer.status, 429 | 503),
            _ => false,
        }
    }

    /// How long the mirror wants to be left alone (RFC 9110, section 10.2.3; in seconds alone).
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self {
            Self::Refused { answer, .. } => answer.after.map(Duration::from_secs),
            _ => None,
        }
    }

    /// What to do about it, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(_) => Some("is a mirror running there? --mirror names another"),
            Self::Refused { answer, .. } => answer.hint(),
            Self::Silent { .. } | Self::Cut { .. } | Self::WrongLength { .. } => {
                Some("the mirror's log says what its origin did")
            }
            Self::WrongDigest { .. } => {
                Some("something between here and the mirror changes answers")
            }
            Self::Lacks { .. } => Some("choose others with --platform, or `all`"),
            Self::TooLarge { .. } | Self::NoManifest { .. } | Self::TooMany => {
                Some("is this an image?")
            }
        }
    }
}

impl Refusal {
    fn hint(&self) -> Option<&'static str> {
        match (self.status, self.code.as_str()) {
            (401, _) => Some("give the mirror credentials for this upstream"),
            (403, _) => Some("the mirror's rules or the upstream deny it; its message says which"),
            (404, "NAME_UNKNOWN") => {
                Some("is the registry one of the mirror's [upstreams], and the name right?")
            }
            (404, _) => Some("check the name and the tag"),
            (429 | 503, _) => {
                Some("the mirror is busy, or its origin is: use fewer --jobs, or try later")
            }
            (500..=599, _) => Some("the mirror's log says what its origin did"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrors_words_are_read_and_cleaned() {
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "a".repeat(1000));
        let full = r#"{"errors":[{"code":"DENIED","message":"by\u001b[31m rule 'x'"},{}]}"#;
        let rows = [
            (full, "403 DENIED by[31m rule 'x'".to_owned()),
            (&long, format!("403 {}", "a".repeat(MAX_SAID))),
            (r#"{"errors":[]}"#, "403".to_owned()),
            ("<html>", "403".to_owned()),
            ("", "403".to_owned()),
        ];
        for (body, said) in rows {
            let refusal = Refusal::read(StatusCode::FORBIDDEN, None, body.as_bytes());
            assert_eq!(refusal.to_string(), said);
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        let refused = |status, after| Failure::Refused {
            asked: "x".to_owned(),
            answer: Refusal::read(StatusCode::from_u16(status).expect("a status"), after, b""),
        };
        let rows = [
            (refused(503, Some("7")), true, Some(7)),
            (refused(429, Some(" 0 ")), true, Some(0)),
            (
                refused(503, Some("Fri, 31 Dec 1999 23:59:59 GMT")),
                true,
                None,
            ),
            (refused(503, Some("-1")), true, None),
            (refused(502, None), false, None),
            (refused(404, None), false, None),
            (Failure::Unreachable(String::new()), true, None),
            (Failure::TooMany, false, None),
        ];
        for (failure, passes, seconds) in rows {
            assert_eq!(failure.may_pass(), passes, "{failure}");
            assert_eq!(
                failure.wait(),
                seconds.map(Duration::from_secs),
                "{failure}"
            );
            assert!(failure.hint().is_some(), "{failure}");
        }
    }
}
