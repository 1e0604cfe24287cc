//! Names of images, read as Docker reads them: `distribution/reference`, "ParseNormalizedNamed".

use std::fmt;

use crate::digest::DigestError;
use crate::name::{NameError, RepositoryName, Tag, TagError};
use crate::reference::{Reference, ReferenceError};
use crate::uri::{Authority, UriError};

/// The registry of names that say none.
const DOCKER: &str = "docker.io";

/// What Docker Hub is called in old configurations.
const OLD_DOCKER: &str = "index.docker.io";

/// Where Docker Hub keeps the repositories with one component.
const OFFICIAL: &str = "library";

/// The tag of names that say none.
const LATEST: &str = "latest";

/// The length of an image's identifier in hexadecimal digits, which Docker takes for no name.
const IDENTIFIER: usize = 64;

/// Longest name in bytes: a host (255), a repository (255), a tag (128) and a digest (135), with
/// room for a port and the marks between.
const MAX_IMAGE: usize = 1024;

/// An image of a registry: `docker.io/library/alpine:3.20`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    registry: Authority,
    repository: RepositoryName,
    reference: Reference,
}

/// Why a text names no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is nothing.
    #[error("the name is empty")]
    Empty,
    /// No name is that long.
    #[error("the name is longer than {MAX_IMAGE} bytes")]
    TooLong,
    /// A URL, such as Skopeo takes.
    #[error("leave out what stands before and with '://'")]
    Scheme,
    /// Something that a program was to replace before.
    #[error("it holds a placeholder: render the template first (as `helm template` does)")]
    Placeholder,
    /// An image's identifier.
    #[error("this is an image's identifier; name its repository")]
    Identifier,
    /// The registry is no host with a port.
    #[error("the registry's name is wrong: {0}")]
    Registry(UriError),
    /// There are upper-case letters, which is the commonest mistake.
    #[error("a repository's name has lower-case letters only")]
    UpperCase,
    /// The repository's name is none.
    #[error(transparent)]
    Repository(#[from] NameError),
    /// What follows the colon is no tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// What follows the `@` is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Image {
    /// Reads `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. Without a registry it is docker.io, where one
    /// component means `library/`; without tag and digest it is `latest`. A digest outweighs a tag.
    ///
    /// # Errors
    /// The text names no image.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        check(text)?;
        let (registry, rest) = split_registry(text);
        let (name, reference) = split_reference(rest)?;
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ImageError::UpperCase);
        }
        let registry = Authority::parse(registry).map_err(ImageError::Registry)?;
        let repository = if registry.as_str() == DOCKER && !name.contains('/') && !name.is_empty() {
            RepositoryName::parse(&format!("{OFFICIAL}/{name}"))?
        } else {
            RepositoryName::parse(name)?
        };
        Ok(Self {
            registry,
            repository,
            reference,
        })
    }

    /// The registry: what the mirror is told with `ns=`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.registry.as_str()
    }

    /// The repository in its registry.
    #[must_use]
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The tag or the digest.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl fmt::Display for Image {
    /// The whole name, with nothing left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.reference {
            Reference::Tag(_) => ':',
            Reference::Digest(_) => '@',
        };
        write!(
            f,
            "{}/{}{mark}{}",
            self.registry, self.repository, self.reference
        )
    }
}

fn check(text: &str) -> Result<(), ImageError> {
    if text.is_empty() {
        Err(ImageError::Empty)
    } else if text.len() > MAX_IMAGE {
        Err(ImageError::TooLong)
    } else if text.contains(['{', '$', '<']) {
        Err(ImageError::Placeholder)
    } else if text.contains("://") {
        Err(ImageError::Scheme)
    } else if text.len() == IDENTIFIER && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Err(ImageError::Identifier)
    } else {
        Ok(())
    }
}

/// The first component is a registry if it has a dot or a colon, or is `localhost`; else it is a user
/// of Docker Hub. (Docker takes one with upper-case letters for a registry too. There is none.)
fn split_registry(text: &str) -> (&str, &str) {
    let registry =
        |first: &str| first.eq_ignore_ascii_case("localhost") || first.contains(['.', ':']);
    match text.split_once('/') {
        Some((OLD_DOCKER, rest)) => (DOCKER, rest),
        Some((first, rest)) if registry(first) => (first, rest),
        _ => (DOCKER, text),
    }
}

fn split_reference(text: &str) -> Result<(&str, Reference), ImageError> {
    if let Some((tagged, digest)) = text.split_once('@') {
        let Reference::Digest(digest) = Reference::parse(digest).map_err(of_digest)? else {
            return Err(DigestError::NoColon.into());
        };
        let name = match split_tag(tagged) {
            Some((name, tag)) => Tag::parse(tag).map(|_| name)?,
            None => tagged,
        };
        return Ok((name, Reference::Digest(digest)));
    }
    let (name, tag) = split_tag(text).unwrap_or((text, LATEST));
    Ok((name, Reference::Tag(Tag::parse(tag)?)))
}

/// What follows `@` is a digest, so that whatever else it is, it is a wrong one.
fn of_digest(error: ReferenceError) -> ImageError {
    match error {
        ReferenceError::Digest(error) => error.into(),
        ReferenceError::Tag(_) => DigestError::NoColon.into(),
    }
}

fn split_tag(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_become_whole() {
        let digest = format!("docker.io/library/alpine@{DIGEST}");
        let rows = [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("docker.io/alpine", "docker.io/library/alpine:latest"),
            ("index.docker.io/alpine:3", "docker.io/library/alpine:3"),
            ("grafana/loki:3.0.0", "docker.io/grafana/loki:3.0.0"),
            ("ghcr.io/a/b:v1", "ghcr.io/a/b:v1"),
            ("ghcr.io/a", "ghcr.io/a:latest"),
            ("localhost/a", "localhost/a:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("LocalHost/a", "localhost/a:latest"),
            ("[::1]:5000/a:1", "[::1]:5000/a:1"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("a/b/c/d", "docker.io/a/b/c/d:latest"),
            (&format!("alpine@{DIGEST}"), &digest),
            (&format!("alpine:3.20@{DIGEST}"), &digest),
        ];
        for (text, whole) in rows {
            let image = Image::parse(text).expect(text);
            assert_eq!(image.to_string(), whole, "{text}");
            assert_eq!(Image::parse(whole), Ok(image), "{text}");
        }
    }

    #[test]
    fn what_names_no_image_is_refused() {
        let long = "a".repeat(MAX_IMAGE + 1);
        let rows = [
            ("", ImageError::Empty),
            (&long, ImageError::TooLong),
            ("https://ghcr.io/a", ImageError::Scheme),
            ("docker://alpine", ImageError::Scheme),
            ("{{ .Values.image }}", ImageError::Placeholder),
            ("${IMAGE}", ImageError::Placeholder),
            ("<none>:<none>", ImageError::Placeholder),
            (&DIGEST[7..], ImageError::Identifier),
            ("Alpine", ImageError::UpperCase),
            ("a/Alpine:1", ImageError::UpperCase),
            ("A/alpine", ImageError::UpperCase),
            ("ghcr.io:x/a", ImageError::Registry(UriError::Port)),
            ("a.b!/c", ImageError::Registry(UriError::Host)),
            ("ghcr.io/", NameError::Grammar.into()),
            ("/a", NameError::Grammar.into()),
            ("a b", NameError::Grammar.into()),
            ("docker.io/:1", NameError::Grammar.into()),
            ("a:", TagError.into()),
            ("a:b:c", NameError::Grammar.into()),
            ("a:-b", TagError.into()),
            ("a@", DigestError::NoColon.into()),
            ("a@latest", DigestError::NoColon.into()),
            ("a@md5:00", DigestError::Algorithm.into()),
            (&format!("a:-@{DIGEST}"), TagError.into()),
        ];
        for (text, error) in rows {
            assert_eq!(Image::parse(text), Err(error), "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_read_again(text in "([a-zA-Z.:\\[\\]0-9]{0,12}/)?[a-zA-Z0-9._/:@-]{0,40}|\\PC{0,80}") {
            if let Ok(image) = Image::parse(&text) {
                prop_assert_eq!(Image::parse(&image.to_string()), Ok(image));
            }
        }
    }
}
