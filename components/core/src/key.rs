//! The names of records in the key-value stores: one key a fact.
//!
//! Parts are joined by slashes. Of the parts only a repository's name may hold
//! slashes itself, and there is one of them at most, so no two facts share a key.

use crate::client::Client;
use crate::credentials::{Secret, fingerprint};
use crate::digest::Digest;
use crate::name::{RepositoryName, Tag};
use crate::ticket::Object;
use crate::upstream::Upstream;
use crate::uri::Endpoint;

/// The store of tags and grants.
pub const DEFAULT_STORE: &str = "default";
/// The store of what `_catalog` lists.
pub const CATALOG_STORE: &str = "catalog";
/// The store that never reaches a disk: tokens.
pub const VOLATILE_STORE: &str = "volatile";

/// Where a tag's [`TagRecord`](crate::record::TagRecord) is; the name of its flight too.
#[must_use]
pub fn tag(upstream: &Upstream, repository: &RepositoryName, tag: &Tag) -> String {
    join(["tag", upstream.name(), repository.as_str(), tag.as_str()])
}

/// Where an [`AbsenceRecord`](crate::record::AbsenceRecord) is: the origin does not
/// show this in the repository, not to this client if that is what it judges.
#[must_use]
pub fn absence(
    upstream: &Upstream,
    repository: &RepositoryName,
    what: &Object,
    client: Option<&Client>,
) -> String {
    let who = client.map_or("all", Client::mark);
    let (kind, what) = match what {
        Object::Blob(digest) => ("no-blob", digest.as_str()),
        Object::Manifest(reference) => ("no-manifest", reference.as_str()),
    };
    join([kind, who, upstream.name(), repository.as_str(), what])
}

/// Where the [`Admission`](crate::admission::Admission) of a client to a repository is, or to
/// the registry as a whole.
#[must_use]
pub fn admission(
    upstream: &Upstream,
    repository: Option<&RepositoryName>,
    client: &Client,
) -> String {
    match repository {
        Some(name) => join(["let-in", client.mark(), upstream.name(), name.as_str()]),
        None => join(["base", client.mark(), upstream.name()]),
    }
}

/// The flight that asks whether a client may come in, by the path that it asked for.
#[must_use]
pub fn admission_flight(upstream: &Upstream, client: &Client, path: &str) -> String {
    join(["may-come-in", client.mark(), upstream.name(), path])
}

/// Where what the last client that was let into a repository showed is.
#[must_use]
pub fn lent(upstream: &Upstream, repository: &RepositoryName) -> String {
    join(["lent", upstream.name(), repository.as_str()])
}

/// Where an [`AbsenceRecord`](crate::record::AbsenceRecord) of a list is, whose own place is
/// `list`; as [`absence`].
#[must_use]
pub fn no_list(list: &str, client: Option<&Client>) -> String {
    join(["no-list", client.map_or("all", Client::mark), list])
}

/// Where the [`ListRecord`](crate::record::ListRecord) of a repository's tags is; the name of
/// its flight too.
#[must_use]
pub fn tags(upstream: &Upstream, repository: &RepositoryName) -> String {
    join(["tags", upstream.name(), repository.as_str()])
}

/// Where the [`ListRecord`](crate::record::ListRecord) of a digest's referrers is; the name of
/// its flight too.
#[must_use]
pub fn referrers(upstream: &Upstream, repository: &RepositoryName, subject: &Digest) -> String {
    join([
        "referrers",
        upstream.name(),
        repository.as_str(),
        subject.as_str(),
    ])
}

/// Where a [`Grant`](crate::record::Grant) is: this repository may show this digest.
#[must_use]
pub fn grant(upstream: &Upstream, repository: &RepositoryName, digest: &Digest) -> String {
    join([
        "grant",
        upstream.name(),
        repository.as_str(),
        digest.as_str(),
    ])
}

/// Whether a digest's bytes came from an upstream.
#[must_use]
pub fn source(upstream: &Upstream, digest: &Digest) -> String {
    join(["source", upstream.name(), digest.as_str()])
}

/// Where it stands who stores an object right now, on hosts whose component does that.
#[must_use]
pub fn storing(digest: &Digest) -> String {
    join(["storing", digest.as_str()])
}

/// The flight that fetches a manifest by its digest for a repository.
#[must_use]
pub fn manifest_flight(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> String {
    join([
        "manifest",
        upstream.name(),
        repository.as_str(),
        digest.as_str(),
    ])
}

/// The flight that gets a blob's transfer going for a repository.
#[must_use]
pub fn blob_flight(upstream: &Upstream, repository: &RepositoryName, digest: &Digest) -> String {
    join([
        "blob",
        upstream.name(),
        repository.as_str(),
        digest.as_str(),
    ])
}

/// The flight that asks for a blob's header for a repository.
#[must_use]
pub fn blob_head_flight(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> String {
    join([
        "head",
        upstream.name(),
        repository.as_str(),
        digest.as_str(),
    ])
}

/// Where the [`Access`](crate::record::Access) to a repository at an endpoint is;
/// the name of its flight too. What was got with one secret is not found with
/// another, or without one. The key tells secrets apart, and holds none.
#[must_use]
pub fn access(
    upstream: &Upstream,
    endpoint: &Endpoint,
    repository: &RepositoryName,
    secret: Option<&Secret>,
) -> String {
    let who = fingerprint(secret);
    let (scheme, place) = (endpoint.scheme().as_str(), endpoint.authority().as_str());
    join([
        "access",
        upstream.name(),
        scheme,
        place,
        &who,
        repository.as_str(),
    ])
}

/// Where the challenge of an upstream's endpoint is.
#[must_use]
pub fn challenge(upstream: &Upstream, endpoint: &Endpoint) -> String {
    let (scheme, place) = (endpoint.scheme().as_str(), endpoint.authority().as_str());
    join(["challenge", upstream.name(), scheme, place])
}

/// Where the [`Health`](crate::health::Health) of an upstream's endpoint is.
#[must_use]
pub fn health(upstream: &Upstream, endpoint: &Endpoint) -> String {
    let (scheme, place) = (endpoint.scheme().as_str(), endpoint.authority().as_str());
    join(["health", upstream.name(), scheme, place])
}

/// Where an upstream's [`Quota`](crate::quota::Quota) is.
#[must_use]
pub fn quota(upstream: &Upstream) -> String {
    join(["quota", upstream.name()])
}

/// Where a repository stands in the catalog.
#[must_use]
pub fn catalog(upstream: &Upstream, repository: &RepositoryName) -> String {
    join([upstream.name(), repository.as_str()])
}

fn join<const N: usize>(parts: [&str; N]) -> String {
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Registry;
    use crate::credentials::tests::password;
    use crate::reference::Reference;
    use std::collections::BTreeSet;

    #[test]
    fn keys_are_distinct_and_short() {
        let json = r#"{"upstreams":[{"name":"a","endpoints":["http://a","https://a"]},
            {"name":"b","endpoints":["http://a"],"credentials":{"variable":"v"}}]}"#;
        let upstreams = Registry::parse(json).expect("a configuration");
        let (a, b) = (
            upstreams.find("a").expect("a"),
            upstreams.find("b").expect("b"),
        );
        let names = ["a", "b", "a/b", "b/a"].map(|n| RepositoryName::parse(n).expect(n));
        let digest = Digest::from_sha256(&[0; 32]);
        let (anonymous, somebody) = (Client::new(None), Client::read([&b"Bearer x"[..]]));
        let mut keys = Vec::new();
        for upstream in [a, b] {
            keys.extend([&anonymous, &somebody].map(|client| admission(upstream, None, client)));
            keys.push(source(upstream, &digest));
            keys.push(quota(upstream));
            for name in &names {
                keys.extend(["a", "b"].map(|t| tag(upstream, name, &Tag::parse(t).expect(t))));
                keys.push(grant(upstream, name, &digest));
                keys.push(absence(upstream, name, &Object::Blob(digest.clone()), None));
                keys.push(tags(upstream, name));
                keys.push(lent(upstream, name));
                for client in [&anonymous, &somebody] {
                    let blob = Object::Blob(digest.clone());
                    keys.push(absence(upstream, name, &blob, Some(client)));
                    keys.push(no_list(&tags(upstream, name), Some(client)));
                    keys.push(admission(upstream, Some(name), client));
                    keys.push(admission_flight(upstream, client, &blob.path(name)));
                }
                keys.push(no_list(&tags(upstream, name), None));
                keys.push(referrers(upstream, name, &digest));
                let by_digest = Reference::Digest(digest.clone());
                keys.push(absence(upstream, name, &Object::Manifest(by_digest), None));
                keys.extend(["a", "b"].map(|t| {
                    let tag = Tag::parse(t).expect(t);
                    absence(upstream, name, &Object::Manifest(Reference::Tag(tag)), None)
                }));
                keys.push(manifest_flight(upstream, name, &digest));
                keys.push(blob_flight(upstream, name, &digest));
                keys.push(blob_head_flight(upstream, name, &digest));
                keys.push(catalog(upstream, name));
                for secret in [None, Some(&password("u", "p")), Some(&password("u", "q"))] {
                    let endpoints = upstream.endpoints().iter();
                    keys.extend(endpoints.map(|e| access(upstream, e, name, secret)));
                }
            }
        }
        keys.extend(a.endpoints().iter().map(|e| challenge(a, e)));
        keys.extend(b.endpoints().iter().map(|e| challenge(b, e)));
        keys.extend(a.endpoints().iter().map(|e| health(a, e)));
        keys.extend(b.endpoints().iter().map(|e| health(b, e)));
        let distinct: BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert!(keys.iter().all(|k| k.len() <= 1024));
        assert!(keys.contains(&"tag/a/b/a/b".to_owned()));
        assert!(keys.contains(&"access/b/http/a/anonymous/a/b".to_owned()));
    }
}
