//! What the key of a record says, read back: the other direction of [`key`](crate::key).
//!
//! For whoever looks at all records, such as the operator's commands. Of upstreams only the name is
//! left, which may be one that is configured no more.

use crate::digest::Digest;
use crate::name::{RepositoryName, Tag};

/// A fact that the default store keeps, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// What a tag means.
    Tag(Place, Tag),
    /// That a repository may show a digest.
    Grant(Place, Digest),
    /// That a digest's bytes came from an upstream, which is named.
    Source(String, Digest),
    /// Which tags a repository has.
    Tags(Place),
    /// What refers to a digest in a repository.
    Referrers(Place, Digest),
}

/// A repository of an upstream. They are ordered as texts: those of one upstream are together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The upstream's name.
    pub upstream: String,
    /// The repository, as the origin calls it.
    pub repository: RepositoryName,
}

impl Fact {
    /// The fact, if a key is that of one.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let (kind, rest) = key.split_once('/')?;
        match kind {
            "tag" => {
                let (place, tag) = rest.rsplit_once('/')?;
                Some(Self::Tag(Place::parse(place)?, Tag::parse(tag).ok()?))
            }
            "grant" => placed(rest).map(|(place, digest)| Self::Grant(place, digest)),
            "referrers" => placed(rest).map(|(place, digest)| Self::Referrers(place, digest)),
            "source" => {
                let (upstream, digest) = rest.split_once('/')?;
                Some(Self::Source(
                    upstream.to_owned(),
                    Digest::parse(digest).ok()?,
                ))
            }
            "tags" => Place::parse(rest).map(Self::Tags),
            _ => None,
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Tag(place, tag) => format!("{}{tag}", place.tags()),
            Self::Grant(place, digest) => format!("{}{digest}", place.grants()),
            Self::Source(upstream, digest) => format!("source/{upstream}/{digest}"),
            Self::Tags(place) => format!("tags/{place}"),
            Self::Referrers(place, digest) => format!("{}{digest}", place.referrers()),
        }
    }
}

impl Place {
    /// Reads `UPSTREAM/REPOSITORY`, as it stands in the catalog too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (upstream, repository) = text.split_once('/')?;
        Some(Self {
            upstream: upstream.to_owned(),
            repository: RepositoryName::parse(repository).ok()?,
        })
    }

    /// What the keys of its tags begin with. Those of repositories below it do too.
    #[must_use]
    pub fn tags(&self) -> String {
        format!("tag/{self}/")
    }

    /// The same for its grants.
    #[must_use]
    pub fn grants(&self) -> String {
        format!("grant/{self}/")
    }

    /// The same for its lists of referrers.
    #[must_use]
    pub fn referrers(&self) -> String {
        format!("referrers/{self}/")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.upstream, self.repository)
    }
}

fn placed(text: &str) -> Option<(Place, Digest)> {
    let (place, digest) = text.rsplit_once('/')?;
    Some((Place::parse(place)?, Digest::parse(digest).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Registry;
    use crate::key;

    #[test]
    fn reads_the_keys_that_are_written() {
        let json = r#"{"upstreams":[{"name":"a.io:5000","endpoints":["http://a"]}]}"#;
        let upstreams = Registry::parse(json).expect("a configuration");
        let upstream = upstreams.find("a.io:5000").expect("it");
        let digest = Digest::from_sha256(&[7; 32]);
        for name in ["a", "a/b", "tag/grant"] {
            let repository = RepositoryName::parse(name).expect(name);
            let tag = Tag::parse("v1").expect("a tag");
            let place = Place {
                upstream: upstream.name().to_owned(),
                repository: repository.clone(),
            };
            let table = [
                (
                    key::tag(upstream, &repository, &tag),
                    Fact::Tag(place.clone(), tag),
                ),
                (
                    key::grant(upstream, &repository, &digest),
                    Fact::Grant(place.clone(), digest.clone()),
                ),
                (
                    key::source(upstream, &digest),
                    Fact::Source(upstream.name().to_owned(), digest.clone()),
                ),
                (key::tags(upstream, &repository), Fact::Tags(place.clone())),
                (
                    key::referrers(upstream, &repository, &digest),
                    Fact::Referrers(place.clone(), digest.clone()),
                ),
            ];
            for (key, fact) in table {
                assert_eq!(fact.key(), key);
                assert_eq!(Fact::parse(&key), Some(fact), "{key}");
            }
            let catalog = key::catalog(upstream, &repository);
            assert_eq!(Place::parse(&catalog), Some(place));
        }
    }

    #[test]
    fn other_keys_are_no_facts() {
        for key in [
            "",
            "tag",
            "tag/a",
            "tag/a/b",
            "tag/a//t",
            "grant/a/b/c",
            "source/a/b/sha256:00",
            "quota/a",
            "tags/a",
        ] {
            assert_eq!(Fact::parse(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_printed(key in "(tag|grant|source|tags|referrers)(/[a-z0-9:.]{1,6}){1,4}|\\PC{0,40}") {
            if let Some(fact) = Fact::parse(&key) {
                prop_assert_eq!(fact.key(), key);
            }
        }
    }
}
