//! What a client asks of one repository.

use crate::bindings::ledge::edge::blobs::Range;
use crate::bindings::wasi::http::types::{Fields as Headers, Request};
use crate::deadline::Deadline;
use crate::origin::Origin;
use crate::respond::Fields;
use ledge_core::client::Client;
use ledge_core::digest::Digest;
use ledge_core::error::ApiError;
use ledge_core::freshness::wants_no_cache;
use ledge_core::name::{RepositoryName, RequestedName, Tag};
use ledge_core::platform::Platform;
use ledge_core::range::ByteRange;
use ledge_core::rules::Subject;
use ledge_core::upstream::{Shape, TargetError, Upstream, Upstreams};
use ledge_core::via::pass_on;

/// How long an answer to a digest may be repeated. Its bytes never change, but an operator may
/// take the right to see them back: a minute is soon.
pub(crate) const REPEAT_SECONDS: u64 = 60;

/// A client's question, understood.
pub(crate) struct Ask<'a> {
    upstreams: &'a Upstreams,
    pub(crate) upstream: &'a Upstream,
    pub(crate) repository: RepositoryName,
    pub(crate) shape: Shape<'a>,
    pub(crate) wish: &'a Wish,
    /// Who asks, where that is the origin's to judge: in pass-through.
    pub(crate) client: Option<Client>,
    deadline: Deadline,
}

/// How much of the object a client wants.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// The header alone.
    pub(crate) head: bool,
    /// Whether it wants the origin to be asked (RFC 9111, section 5.2.1.4). The operator decides
    /// whether that counts.
    pub(crate) anew: bool,
    /// Whether another mirror asks, and what origins are told of who passed it on.
    pub(crate) is_passed_on: bool,
    pub(crate) via: Option<String>,
    authorization: Vec<Vec<u8>>,
    ranges: Vec<ByteRange>,
    if_range: Option<Vec<u8>>,
}

impl Wish {
    /// What a GET's fields say to the mirror of this name. A HEAD knows no ranges (RFC 9110,
    /// section 14.2).
    ///
    /// # Errors
    /// The request goes in a circle.
    pub(crate) fn read(
        request: &Request,
        head: bool,
        mirror: Option<&str>,
    ) -> Result<Self, ApiError> {
        let headers = request.get_headers();
        let passed = headers.get("via");
        let fields = || passed.iter().map(Vec::as_slice);
        let wish = Self {
            is_passed_on: !passed.is_empty(),
            via: mirror.map(|name| pass_on(fields(), name)).transpose()?,
            authorization: headers.get("authorization"),
            ..Self::of_fields(&headers, head)
        };
        Ok(wish)
    }

    fn of_fields(headers: &Headers, head: bool) -> Self {
        let control = headers.get("cache-control");
        let anew = wants_no_cache(control.iter().map(Vec::as_slice));
        if head {
            return Self {
                head,
                anew,
                ..Self::default()
            };
        }
        let field = headers.get("range").into_iter().next();
        let ranges = field.and_then(|f| String::from_utf8(f).ok());
        let ranges = ranges
            .map(|f| ByteRange::parse_field(&f))
            .unwrap_or_default();
        let if_range = if ranges.is_empty() {
            None
        } else {
            headers.get("if-range").into_iter().next()
        };
        Self {
            head,
            anew,
            ranges,
            if_range,
            ..Self::default()
        }
    }

    /// Who asks, if the upstream leaves that to its origin.
    pub(crate) fn client_of(&self, upstream: &Upstream) -> Option<Client> {
        let fields = self.authorization.iter().map(Vec::as_slice);
        upstream.is_pass_through().then(|| Client::read(fields))
    }

    /// A wish of our own that follows from this one.
    pub(crate) fn behind(&self) -> Self {
        Self {
            via: self.via.clone(),
            ..Self::default()
        }
    }

    /// Whether all of the object is wanted, and not its header alone. `bytes=0-` is all of it:
    /// containerd 2.1 asks so for everything.
    pub(crate) fn is_whole(&self) -> bool {
        !self.head && matches!(self.ranges.as_slice(), [] | [ByteRange::From(0)])
    }

    /// The ranges that are wanted of an object; none if `If-Range` names another
    /// (RFC 9110, section 13.1.5).
    pub(crate) fn ranges(&self, digest: &Digest) -> Vec<Range> {
        match &self.if_range {
            Some(tag) if *tag != etag(digest).as_bytes() => Vec::new(),
            _ => self.ranges.iter().map(range).collect(),
        }
    }
}

fn range(range: &ByteRange) -> Range {
    match *range {
        ByteRange::From(first) => Range::From(first),
        ByteRange::Between(first, last) => Range::Between((first, last)),
        ByteRange::Last(count) => Range::Last(count),
    }
}

impl<'a> Ask<'a> {
    /// Finds the upstream and the repository that are meant.
    pub(crate) fn new(
        upstreams: &'a Upstreams,
        name: &'a RequestedName,
        ns: Option<&'a str>,
        wish: &'a Wish,
    ) -> Result<Self, TargetError> {
        let target = upstreams.resolve(name, ns)?;
        Ok(Self {
            upstreams,
            upstream: target.upstream,
            repository: target.repository,
            shape: target.shape,
            wish,
            client: wish.client_of(target.upstream),
            deadline: Deadline::after(upstreams.patience()),
        })
    }

    /// A question of our own, when a client like this one has asked.
    pub(crate) fn of_ours(
        upstreams: &'a Upstreams,
        upstream: &'a Upstream,
        repository: &'a RepositoryName,
        wish: &'a Wish,
        client: Option<Client>,
    ) -> Self {
        let shape = Shape {
            name: repository.as_str(),
            ns: None,
        };
        Self {
            upstreams,
            upstream,
            repository: repository.clone(),
            shape,
            wish,
            client,
            deadline: Deadline::after(upstreams.patience()),
        }
    }

    /// What asking the origin brings, if that is in time for the client.
    ///
    /// # Errors
    /// Those of `asking`, and an outage: it was late.
    pub(crate) async fn in_time<T, E: From<ApiError>>(
        &self,
        asking: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.deadline.bound(self.upstream.name(), asking).await
    }

    /// Whether what the repository has is served only where the origin has shown it.
    pub(crate) fn is_private(&self) -> bool {
        self.upstream.is_private(&self.repository)
    }

    /// What the operator's rules say against it, as far as it is known what is asked for.
    pub(crate) fn refusal(
        &self,
        tag: Option<&Tag>,
        platform: Option<&Platform>,
    ) -> Option<ApiError> {
        let subject = Subject {
            upstream: self.upstream,
            repository: &self.repository,
            tag,
            platform,
        };
        self.upstreams.rules().decide(&subject).refusal()
    }

    /// The repository at its origin.
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin {
            upstream: self.upstream,
            repository: &self.repository,
            via: self.wish.via.as_deref(),
            client: self.client.as_ref(),
        }
    }

    /// The fields that go with an object.
    pub(crate) fn fields(&self, digest: &Digest, media_type: &str) -> Fields {
        let mut fields = Vec::with_capacity(8);
        fields.push(field("content-type", media_type));
        fields.push(field("docker-content-digest", digest.as_str()));
        fields.push(("etag".to_owned(), etag(digest).into_bytes()));
        self.echo_namespace(&mut fields);
        fields
    }

    /// Lets the host repeat the answer for so many seconds to whoever asks the same: what
    /// is public, everybody may have. See `wit/world.wit`.
    pub(crate) fn let_repeat(&self, fields: &mut Fields, seconds: u64) {
        if !self.is_private() && seconds > 0 {
            fields.push(field("surrogate-control", &format!("max-age={seconds}")));
        }
    }

    /// Says that `ns` was honoured.
    pub(crate) fn echo_namespace(&self, fields: &mut Fields) {
        if let Some(ns) = self.shape.ns {
            fields.push(field("oci-namespace", ns));
        }
    }
}

pub(crate) fn field(name: &str, value: &str) -> (String, Vec<u8>) {
    (name.to_owned(), value.as_bytes().to_vec())
}

/// The strong validator of content that cannot change.
fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_range_guards_ranges() {
        let digest = Digest::from_sha256(&[1; 32]);
        let wish = |if_range: Option<String>| Wish {
            head: false,
            ranges: vec![
                ByteRange::From(5),
                ByteRange::Between(1, 2),
                ByteRange::Last(3),
            ],
            if_range: if_range.map(String::into_bytes),
            ..Wish::default()
        };
        assert_eq!(wish(None).ranges(&digest).len(), 3);
        assert_eq!(wish(Some(etag(&digest))).ranges(&digest).len(), 3);
        assert_eq!(wish(Some(digest.to_string())).ranges(&digest).len(), 0);
        assert_eq!(
            wish(Some("Wed, 21 Oct 2015 07:28:00 GMT".to_owned()))
                .ranges(&digest)
                .len(),
            0
        );
    }
}
