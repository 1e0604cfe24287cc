//! What a transfer carries along, so that its request can be built again.

use crate::digest::Digest;
use crate::name::RepositoryName;
use crate::reference::Reference;

/// What is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A blob.
    Blob(Digest),
    /// A manifest.
    Manifest(Reference),
}

impl Object {
    /// The path at any origin: `/v2/<name>/blobs/<digest>`.
    #[must_use]
    pub fn path(&self, repository: &RepositoryName) -> String {
        match self {
            Self::Blob(digest) => format!("/v2/{repository}/blobs/{digest}"),
            Self::Manifest(reference) => format!("/v2/{repository}/manifests/{reference}"),
        }
    }
}

/// All that is needed to ask for an object again. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The upstream's name.
    pub upstream: String,
    /// The repository, as the origin calls it.
    pub repository: RepositoryName,
    /// What is fetched.
    pub object: Object,
    /// Which of the upstream's endpoints the transfer's requests go to, in their order.
    pub endpoints: Vec<usize>,
}

impl Ticket {
    /// The ticket as bytes, far below 4 KiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, reference) = match &self.object {
            Object::Blob(digest) => ("blob", digest.as_str()),
            Object::Manifest(reference) => ("manifest", reference.as_str()),
        };
        let endpoints: Vec<_> = self.endpoints.iter().map(ToString::to_string).collect();
        format!(
            "2\n{}\n{}\n{kind}\n{reference}\n{}",
            self.upstream,
            self.repository,
            endpoints.join(",")
        )
        .into_bytes()
    }

    /// The ticket, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.strip_prefix("2\n")?;
        let mut parts = text.splitn(5, '\n');
        let (upstream, repository) = (parts.next()?, parts.next()?);
        let object = match (parts.next()?, parts.next()?) {
            ("blob", digest) => Object::Blob(Digest::parse(digest).ok()?),
            ("manifest", reference) => Object::Manifest(Reference::parse(reference).ok()?),
            _ => return None,
        };
        let endpoints = parts.next()?.split(',').map(|index| index.parse().ok());
        Some(Self {
            upstream: upstream.to_owned(),
            repository: RepositoryName::parse(repository).ok()?,
            object,
            endpoints: endpoints.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tickets_round_trip(upstream in "[a-z.:0-9]{1,20}", name in "[a-z]{1,9}(/[a-z]{1,9}){0,2}", bytes: [u8; 32], tag in "[a-z]{1,9}", kind in 0..3, endpoints in proptest::collection::vec(0_usize..9, 1..4)) {
            let digest = Digest::from_sha256(&bytes);
            let object = match kind {
                0 => Object::Blob(digest),
                1 => Object::Manifest(Reference::Digest(digest)),
                _ => Object::Manifest(Reference::parse(&tag).expect("a tag")),
            };
            let repository = RepositoryName::parse(&name).expect("a name");
            let ticket = Ticket { upstream, repository, object, endpoints };
            prop_assert_eq!(Ticket::decode(&ticket.encode()), Some(ticket));
        }

        #[test]
        fn garbage_is_no_ticket(bytes: Vec<u8>, text in "2\n[a-z\n:]{0,60}") {
            prop_assert_eq!(Ticket::decode(&bytes), None);
            prop_assert!(Ticket::decode(text.as_bytes()).is_none_or(|t| t.encode() == text.as_bytes()));
        }
    }

    #[test]
    fn paths_are_the_origins() {
        let name = RepositoryName::parse("library/alpine").expect("a name");
        let digest = Digest::from_sha256(&[0xab; 32]);
        assert_eq!(
            Object::Blob(digest.clone()).path(&name),
            format!("/v2/library/alpine/blobs/{digest}")
        );
        let tag = Reference::parse("3.20").expect("a tag");
        assert_eq!(
            Object::Manifest(tag).path(&name),
            "/v2/library/alpine/manifests/3.20"
        );
    }
}
