//! How an answer came to be, as its client is told: RFC 9211.
//!
//! The host says so of its own responses, but it does not know what happened
//! before it was asked for stored bytes; where something did, this goes with them.

use crate::flight::Part;

/// How an answer came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It was known.
    Known,
    /// It was known, and served although the origin could not be asked whether it
    /// still holds.
    Stale,
    /// It was known, and served while the origin is asked whether it still holds.
    Meanwhile,
    /// The origin was asked whether what was known still holds.
    Revalidated,
    /// The origin was asked about it, and sent no bytes.
    Asked,
    /// The bytes came from the origin.
    Fetched,
    /// It was waited for while another request got it.
    Followed,
}

impl Way {
    /// How it came to one who took this part, when the leader's way was this.
    pub(crate) const fn of(self, part: Part) -> Self {
        match part {
            Part::Led => self,
            Part::Followed => Self::Followed,
        }
    }

    /// Whether the origin was asked about it for this very request.
    pub(crate) const fn is_news(self) -> bool {
        matches!(self, Self::Revalidated | Self::Asked | Self::Fetched)
    }

    /// The field that says so, where the host would say a plain hit of stored bytes.
    pub(crate) fn told(self) -> Option<(String, Vec<u8>)> {
        match self {
            Self::Known => None,
            other => Some(other.field()),
        }
    }

    /// The field that says so.
    pub(crate) fn field(self) -> (String, Vec<u8>) {
        ("cache-status".to_owned(), self.text().as_bytes().to_vec())
    }

    /// What a client is warned of (RFC 7234, section 5.5; obsolete, and the only field that
    /// says so to people who look).
    pub(crate) const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Stale => Some("111 ledge \"Revalidation Failed\""),
            Self::Meanwhile => Some("110 ledge \"Response is Stale\""),
            _ => None,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Known => "ledge; hit",
            Self::Stale | Self::Meanwhile => "ledge; hit; detail=stale",
            Self::Revalidated => "ledge; fwd=stale",
            Self::Asked => "ledge; fwd=miss",
            Self::Fetched => "ledge; fwd=miss; stored",
            Self::Followed => "ledge; fwd=miss; collapsed",
        }
    }
}
