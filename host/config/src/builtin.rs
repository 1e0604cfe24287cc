//! The upstreams that are known without being configured.

use crate::name::Endpoint;

/// An upstream that is built in.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    endpoint: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) official_prefix: Option<&'static str>,
    pub(crate) trusted_hosts: &'static [&'static str],
}

impl BuiltIn {
    /// Where it answers.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::parse(self.endpoint)
            .expect("a built-in URL is well-formed; a test reads them all")
    }
}

/// Where requests go that name no upstream: Docker's `registry-mirrors` are of docker.io alone.
pub(crate) const DEFAULT_UPSTREAM: &str = "docker.io";

/// In the order of their names.
pub(crate) static ALL: [BuiltIn; 7] = [
    // Docker's own names: the API answers at registry-1, the index is the historical name, tokens
    // come from auth, and images without a namespace are the official ones in library
    // (distribution/reference, normalize.go).
    BuiltIn {
        name: DEFAULT_UPSTREAM,
        endpoint: "https://registry-1.docker.io",
        aliases: &["index.docker.io", "registry-1.docker.io"],
        official_prefix: Some("library"),
        trusted_hosts: &["auth.docker.io"],
    },
    plain("gcr.io", "https://gcr.io"),
    plain("ghcr.io", "https://ghcr.io"),
    plain("mcr.microsoft.com", "https://mcr.microsoft.com"),
    plain("public.ecr.aws", "https://public.ecr.aws"),
    plain("quay.io", "https://quay.io"),
    plain("registry.k8s.io", "https://registry.k8s.io"),
];

/// A registry that answers under its own name.
const fn plain(name: &'static str, endpoint: &'static str) -> BuiltIn {
    BuiltIn {
        name,
        endpoint,
        aliases: &[],
        official_prefix: None,
        trusted_hosts: &[],
    }
}

pub(crate) fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|known| known.name == name)
}
