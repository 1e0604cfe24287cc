//! What a scripted origin does to a request instead of its duty.

use http::Method;

use crate::gate::Gate;

/// A deviation from a good answer. Counts of bytes are of this answer's body, which may be a range.
#[derive(Debug, Clone)]
pub enum Act {
    /// Another status, with a body.
    Status(u16, &'static str),
    /// Another status, and after how many seconds to ask again.
    Later(u16, u64),
    /// A redirect (307) to this URL.
    Redirect(String),
    /// The right length, a wrong last byte.
    Tamper,
    /// The connection is cut after so many bytes.
    Truncate(usize),
    /// So many bytes, and the rest once the gate opens.
    Stall(usize, Gate),
    /// No header before the gate opens.
    Hold(Gate),
    /// Another Docker-Content-Digest, or none.
    Digest(Option<String>),
    /// So many bytes, and then a reset, which takes what the client's system has not got yet.
    Reset(usize),
    /// The whole blob with 200, whatever range was asked for.
    IgnoreRange,
    /// This Content-Length, whatever the body's is: a longer one is cut, of a shorter one the rest is missing.
    Length(u64),
    /// No Content-Length: the body goes in chunks.
    Chunked,
    /// Another ETag, or none: with another one, `If-Range` with the former one finds no match.
    Etag(Option<&'static str>),
    /// A good answer, and then the connection is closed, which no header said.
    Close,
    /// The connection is closed in place of an answer.
    HangUp,
    /// A good answer with these fields more.
    Fields(&'static [(&'static str, &'static str)]),
}

/// When to act.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<Method>,
    ending: String,
    left: Option<usize>,
    act: Act,
}

impl Rule {
    /// For every request whose path ends so.
    #[must_use]
    pub fn new(ending: &str, act: Act) -> Self {
        Self {
            method: None,
            ending: ending.to_owned(),
            left: None,
            act,
        }
    }

    /// Only for this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only the first so many times.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = Some(times);
        self
    }

    /// The act, if the rule applies; counts it.
    pub(crate) fn take(&mut self, method: &Method, path: &str) -> Option<Act> {
        let applies = path.ends_with(&self.ending)
            && self.method.as_ref().is_none_or(|wanted| wanted == method);
        if !applies || self.left == Some(0) {
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.act.clone())
    }
}
