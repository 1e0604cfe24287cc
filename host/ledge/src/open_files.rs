//! How many files the process may have open: as many as it is let, and a word if that is too few.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A client holds its socket, and the file of the object that it is sent.
const PER_CONNECTION: u64 = 2;

/// What is open beside: transfers, each a partial file, its marks and a connection to its origin (64 by
/// default), idle connections to origins, the store's own files.
const BESIDE: u64 = 256;

/// Raises the soft limit to the hard one, and warns if that does not do for `max_connections`.
///
/// Soft limits are low (1024, mostly) for the sake of programs that use `select(2)`, and meant to
/// be raised by those that do not.
pub(crate) fn raise(max_connections: u32) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // A hard limit that the kernel's own (`fs.nr_open`) has fallen below; the old one holds then.
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let allowed = getrlimit(Resource::Nofile).current;
    if let Some(shortage) = Shortage::of(allowed, max_connections) {
        tracing::warn!(
            allowed = shortage.allowed,
            needed = shortage.needed,
            "too few files may be open for server.max_connections = {max_connections}: clients will be refused \
             before; raise the limit (LimitNOFILE of a systemd unit, --ulimit nofile of a container, ulimit -Hn of \
             a shell) or set server.max_connections to {}",
            shortage.connections
        );
    }
}

/// Fewer files may be open than the clients can make us open.
#[derive(Debug, PartialEq, Eq)]
struct Shortage {
    allowed: u64,
    needed: u64,
    /// How many clients the limit does for, at least one.
    connections: u64,
}

impl Shortage {
    /// `allowed` is none where there is no limit.
    fn of(allowed: Option<u64>, max_connections: u32) -> Option<Self> {
        let allowed = allowed?;
        let needed = u64::from(max_connections) * PER_CONNECTION + BESIDE;
        let connections = allowed.saturating_sub(BESIDE) / PER_CONNECTION;
        (allowed < needed).then_some(Self {
            allowed,
            needed,
            connections: connections.max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_compared_with_what_clients_may_hold() {
        let table = [
            (None, u32::MAX, None),
            (Some(8448), 4096, None),
            (Some(8447), 4096, Some((8448, 4095))),
            (Some(1024), 4096, Some((8448, 384))),
            (Some(1024), 384, None),
            (Some(258), 1, None),
            (Some(257), 1, Some((258, 1))),
            (Some(0), 1, Some((258, 1))),
            (Some(u64::MAX), u32::MAX, None),
        ];
        for (allowed, max_connections, expected) in table {
            let found = Shortage::of(allowed, max_connections);
            let expected = expected.map(|(needed, connections)| Shortage {
                allowed: allowed.expect("a limit"),
                needed,
                connections,
            });
            assert_eq!(found, expected, "{allowed:?} for {max_connections}");
            // What is advised does.
            if let Some(shortage) = found.filter(|shortage| shortage.connections > 1) {
                let advised = u32::try_from(shortage.connections).expect("few");
                assert_eq!(Shortage::of(allowed, advised), None);
            }
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = getrlimit(Resource::Nofile);
        let lower = limit.maximum.map_or(1024, |hard| hard / 2);
        let low = Rlimit {
            current: Some(lower),
            ..limit
        };
        setrlimit(Resource::Nofile, low).expect("lowering is allowed");
        raise(1);
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
