//! Under which keys Docker and its relatives keep a registry's credentials.

use std::collections::BTreeMap;

/// Docker Hub's key since the days of its first index. `docker login` writes it, and helpers are asked for it.
const HUB_KEY: &str = "https://index.docker.io/v1/";
/// Docker Hub's other names: `podman login` writes the first; the last is the host that is asked.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
/// What may follow the host in a key. Docker's older versions wrote the API's version with it. Any other path is
/// a namespace (containers-auth.json(5)), whose credentials are not the registry's.
const PATHS: [&str; 6] = ["", "/", "/v1", "/v1/", "/v2", "/v2/"];

/// A registry's `host[:port]`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server(String);

impl Server {
    /// Of a host, or of a URL.
    pub(crate) fn new(name: &str) -> Self {
        Self(split(name).0.to_ascii_lowercase())
    }

    /// The key that Docker asks for.
    pub(crate) fn key(&self) -> &str {
        if self.is_hub() { HUB_KEY } else { &self.0 }
    }

    /// What is kept for this registry: under Docker's key, under its plain name, then under its other spellings
    /// in alphabetical order.
    pub(crate) fn entries<'a, T>(
        &'a self,
        map: &'a BTreeMap<String, T>,
    ) -> impl Iterator<Item = (&'a str, &'a T)> {
        let exact = [self.key(), &self.0];
        let others = map
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .filter(move |(key, _)| !exact.contains(key) && self.is_meant_by(key));
        let second = (exact[0] != exact[1]).then_some(exact[1]);
        [Some(exact[0]), second]
            .into_iter()
            .flatten()
            .filter_map(|key| map.get_key_value(key))
            .map(|(key, value)| (key.as_str(), value))
            .chain(others)
    }

    fn is_hub(&self) -> bool {
        HUB.contains(&self.0.as_str())
    }

    fn is_meant_by(&self, key: &str) -> bool {
        let (host, path) = split(key);
        let host = Self(host.to_ascii_lowercase());
        PATHS.contains(&path) && (host == *self || host.is_hub() && self.is_hub())
    }
}

/// Host and path of a URL whose scheme may be missing.
fn split(name: &str) -> (&str, &str) {
    let rest = name
        .strip_prefix("https://")
        .or_else(|| name.strip_prefix("http://"))
        .unwrap_or(name);
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Server;

    #[test]
    fn keys_that_mean_a_server() {
        for (server, key, expected) in [
            ("ghcr.io", "ghcr.io", true),
            ("ghcr.io", "GHCR.io", true),
            ("ghcr.io", "https://ghcr.io", true),
            ("ghcr.io", "http://ghcr.io/", true),
            ("ghcr.io", "https://ghcr.io/v1/", true),
            ("ghcr.io", "ghcr.io/v2", true),
            ("ghcr.io", "ghcr.io/owner", false),
            ("ghcr.io", "ghcr.io:443", false),
            ("ghcr.io", "ghcr.io.example", false),
            ("ghcr.io", "example/ghcr.io", false),
            ("https://GHCR.io/v2/", "ghcr.io", true),
            ("host:5000", "host:5000", true),
            ("host:5000", "http://host:5000/v1/", true),
            ("host:5000", "host", false),
            ("[::1]:5000", "https://[::1]:5000", true),
            ("docker.io", "docker.io", true),
            ("docker.io", "index.docker.io", true),
            ("docker.io", "https://index.docker.io/v1/", true),
            ("registry-1.docker.io", "https://index.docker.io/v1/", true),
            ("registry-1.docker.io", "docker.io", true),
            ("docker.io", "docker.io/library", false),
            (
                "docker.io",
                "https://index.docker.io/v1/access-token",
                false,
            ),
            ("docker.io", "hub.docker.com", false),
        ] {
            let map = BTreeMap::from([(key.to_owned(), ())]);
            let found = Server::new(server).entries(&map).count();
            assert_eq!(found, usize::from(expected), "{key} for {server}");
        }
    }

    #[test]
    fn the_key_that_docker_writes_comes_first_and_each_once() {
        let keys = [
            "https://docker.io",
            "docker.io",
            "https://index.docker.io/v1/",
            "index.docker.io",
        ];
        let map: BTreeMap<String, ()> = keys.map(|key| (key.to_owned(), ())).into();
        let server = Server::new("docker.io");
        let found: Vec<&str> = server.entries(&map).map(|(key, ())| key).collect();
        assert_eq!(
            found,
            [
                "https://index.docker.io/v1/",
                "docker.io",
                "https://docker.io",
                "index.docker.io"
            ]
        );
        assert_eq!(server.key(), "https://index.docker.io/v1/");
        assert_eq!(Server::new("Host:5000").key(), "host:5000");
    }
}
