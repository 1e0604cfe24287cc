//! Every setting that is one value: its names, its default with its reason, its bounds.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::bandwidth::Bandwidth;
use crate::environment::Surroundings;
use crate::error::Fault;
use crate::flags::Flags;
use crate::log::{LogFilter, LogFormat};
use crate::room::{MaxAge, MaxSize, MinFree};
use crate::transfer::{Abandoned, Prefetch, Ranges};

/// One setting.
pub(crate) struct Setting<T: 'static> {
    pub(crate) name: &'static Name,
    pub(crate) default: fn(&Surroundings) -> Result<T, Fault>,
    /// The least and the most that is taken, both inclusive.
    pub(crate) bounds: Option<(T, T)>,
}

/// What a setting is called in each layer.
pub(crate) struct Name {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    pub(crate) environment: &'static str,
    pub(crate) flag: Option<Flag>,
}

/// A setting's flag.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) value: fn(&Flags) -> Option<&str>,
}

impl Name {
    const fn new(section: &'static str, key: &'static str, environment: &'static str) -> Self {
        Self {
            section,
            key,
            environment,
            flag: None,
        }
    }

    const fn flag(self, name: &'static str, value: fn(&Flags) -> Option<&str>) -> Self {
        Self {
            flag: Some(Flag { name, value }),
            ..self
        }
    }

    /// As in `server.listen`.
    pub(crate) fn full(&self) -> String {
        if self.section.is_empty() {
            self.key.to_owned()
        } else {
            format!("{}.{}", self.section, self.key)
        }
    }
}

/// Nothing waits, or is bounded by, more than a day: longer is a typing mistake, and far below
/// where adding it to a clock overflows.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

pub(crate) static DEFAULT_UPSTREAM: Name =
    Name::new("", "default_upstream", "LEDGE_DEFAULT_UPSTREAM");

/// Where other nodes find this one: it is another one at each, and the file may be the same.
pub(crate) static ADVERTISE: Name = Name::new("shared", "advertise", "LEDGE_SHARED_ADVERTISE");

/// The loopback address: to open a mirror to a network is a decision. 5000 is the port that
/// registries and their documentation use.
pub(crate) static LISTEN: Setting<SocketAddr> = Setting {
    name: &Name::new("server", "listen", "LEDGE_LISTEN")
        .flag("--listen", |flags| flags.listen.as_deref()),
    default: |_| Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000).into()),
    bounds: None,
};

/// As long as Kubernetes gives a pod to end (`terminationGracePeriodSeconds`).
pub(crate) static DRAIN: Setting<Duration> = Setting {
    name: &Name::new("server", "drain", "LEDGE_SERVER_DRAIN"),
    default: |_| Ok(Duration::from_secs(30)),
    bounds: Some((Duration::ZERO, DAY)),
};

/// Four for each request that is let in: clients keep connections open between requests.
pub(crate) static MAX_CONNECTIONS: Setting<u32> = Setting {
    name: &Name::new("server", "max_connections", "LEDGE_SERVER_MAX_CONNECTIONS"),
    default: |_| Ok(4096),
    bounds: Some((1, 1_000_000)),
};

/// hyper's own default for reading a header.
pub(crate) static HEADER_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new("server", "header_timeout", "LEDGE_SERVER_HEADER_TIMEOUT"),
    default: |_| Ok(Duration::from_secs(30)),
    bounds: Some((SECOND, DAY)),
};

/// nginx's `send_timeout`.
pub(crate) static WRITE_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new("server", "write_timeout", "LEDGE_SERVER_WRITE_TIMEOUT"),
    default: |_| Ok(Duration::from_secs(60)),
    bounds: Some((SECOND, DAY)),
};

/// Some three thousand manifests, those asked for most: with those of the store's memory, a store of a million
/// objects has some 50 MiB more in memory than an empty one.
pub(crate) static ANSWERS: Setting<ByteSize> = Setting {
    name: &Name::new("server", "answers", "LEDGE_SERVER_ANSWERS"),
    default: |_| Ok(ByteSize::mib(16)),
    bounds: Some((ByteSize::b(0), ByteSize::tib(1))),
};

/// The platform's directory for a user's data.
pub(crate) static STORE_PATH: Setting<PathBuf> = Setting {
    name: &Name::new("store", "path", "LEDGE_STORE")
        .flag("--store", |flags| flags.store.as_deref()),
    default: |surroundings| {
        surroundings
            .data_directory
            .clone()
            .ok_or(Fault::NoDataDirectory)
    },
    bounds: None,
};

/// Some three thousand manifests and configurations: what is in the kernel's page cache is answered without
/// waiting too, so that more is worth little.
pub(crate) static STORE_MEMORY: Setting<ByteSize> = Setting {
    name: &Name::new("store", "memory", "LEDGE_STORE_MEMORY"),
    default: |_| Ok(ByteSize::mib(16)),
    bounds: Some((ByteSize::b(0), ByteSize::tib(1))),
};

/// What the disk has room for is the operator's to say; `min_free` keeps it from filling up.
pub(crate) static MAX_SIZE: Setting<MaxSize> = Setting {
    name: &Name::new("store", "max_size", "LEDGE_STORE_MAX_SIZE"),
    default: |_| Ok(MaxSize::None),
    bounds: None,
};

/// A tenth of the file system, and at most 10 GiB: no default fills a disk.
pub(crate) static MIN_FREE: Setting<MinFree> = Setting {
    name: &Name::new("store", "min_free", "LEDGE_STORE_MIN_FREE"),
    default: |_| Ok(MinFree::Auto),
    bounds: None,
};

/// What is cached costs nobody anything until its room is needed.
pub(crate) static MAX_AGE: Setting<MaxAge> = Setting {
    name: &Name::new("store", "max_age", "LEDGE_STORE_MAX_AGE"),
    default: |_| Ok(MaxAge::None),
    bounds: None,
};

/// A burst of a few hundred nodes that pull several layers each.
pub(crate) static REQUESTS: Setting<u32> = Setting {
    name: &Name::new("limits", "requests", "LEDGE_LIMITS_REQUESTS"),
    default: |_| Ok(1024),
    bounds: Some((1, 1_000_000)),
};

/// Each holds a connection to an origin and an open file; more at once only slow each other down.
pub(crate) static TRANSFERS: Setting<u32> = Setting {
    name: &Name::new("limits", "transfers", "LEDGE_LIMITS_TRANSFERS"),
    default: |_| Ok(64),
    bounds: Some((1, 65_536)),
};

/// Half of `transfers`, so that one origin that stalls cannot take every place.
pub(crate) static TRANSFERS_PER_ORIGIN: Setting<u32> = Setting {
    name: &Name::new(
        "limits",
        "transfers_per_origin",
        "LEDGE_LIMITS_TRANSFERS_PER_ORIGIN",
    ),
    default: |_| Ok(32),
    bounds: Some((1, 65_536)),
};

/// Only the operator knows the link, and whom else it carries.
pub(crate) static BANDWIDTH: Setting<Bandwidth> = Setting {
    name: &Name::new("limits", "bandwidth", "LEDGE_LIMITS_BANDWIDTH"),
    default: |_| Ok(Bandwidth::UNLIMITED),
    bounds: None,
};

/// An origin that minds how fast it is read says so itself.
pub(crate) static BANDWIDTH_PER_ORIGIN: Setting<Bandwidth> = Setting {
    name: &Name::new(
        "limits",
        "bandwidth_per_origin",
        "LEDGE_LIMITS_BANDWIDTH_PER_ORIGIN",
    ),
    default: |_| Ok(Bandwidth::UNLIMITED),
    bounds: None,
};

/// Manifests of a few MiB, parsed, for several requests at once. More than 4 GiB cannot be
/// addressed by a 32-bit component.
pub(crate) static INSTANCE_MEMORY: Setting<ByteSize> = Setting {
    name: &Name::new("limits", "instance_memory", "LEDGE_LIMITS_INSTANCE_MEMORY"),
    default: |_| Ok(ByteSize::mib(64)),
    bounds: Some((ByteSize::mib(1), ByteSize::gib(4))),
};

/// Sixteen requests an instance when `requests` are in.
pub(crate) static INSTANCES: Setting<u32> = Setting {
    name: &Name::new("limits", "instances", "LEDGE_LIMITS_INSTANCES"),
    default: |_| Ok(64),
    bounds: Some((1, 4096)),
};

/// containerd 2.3 gives up on a mirror whose headers take 30 seconds; an answer must leave before.
pub(crate) static REQUEST_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new("limits", "request_timeout", "LEDGE_LIMITS_REQUEST_TIMEOUT"),
    default: |_| Ok(Duration::from_secs(25)),
    bounds: Some((SECOND, DAY)),
};

/// Two lost SYNs (RFC 6298: repeated after 1 and 3 seconds) are survived, and the next endpoint
/// can still be tried within `request_timeout`.
pub(crate) static CONNECT_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new(
        "limits",
        "upstream_connect_timeout",
        "LEDGE_LIMITS_UPSTREAM_CONNECT_TIMEOUT",
    ),
    default: |_| Ok(Duration::from_secs(5)),
    bounds: Some((Duration::from_millis(100), DAY)),
};

/// Leaves seven of the seconds that origins have of `request_timeout` for a token and a second
/// endpoint.
pub(crate) static UPSTREAM_HEADER_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new(
        "limits",
        "upstream_header_timeout",
        "LEDGE_LIMITS_UPSTREAM_HEADER_TIMEOUT",
    ),
    default: |_| Ok(Duration::from_secs(15)),
    bounds: Some((Duration::from_millis(100), DAY)),
};

/// A body that stands still this long is given up, so that followers can ask again.
pub(crate) static IDLE_TIMEOUT: Setting<Duration> = Setting {
    name: &Name::new(
        "limits",
        "upstream_idle_timeout",
        "LEDGE_LIMITS_UPSTREAM_IDLE_TIMEOUT",
    ),
    default: |_| Ok(Duration::from_secs(30)),
    bounds: Some((SECOND, DAY)),
};

/// Clients that leave come back: containerd and Docker resume, and the kubelet tries again. A
/// transfer that ended each time would never finish a large layer.
pub(crate) static ABANDONED: Setting<Abandoned> = Setting {
    name: &Name::new("transfer", "abandoned", "LEDGE_TRANSFER_ABANDONED"),
    default: |_| Ok(Abandoned::Keep),
    bounds: None,
};

/// Who asks for ranges mostly wants all of them in the end (containerd 2.1, resumes), and the next
/// client finds the whole object.
pub(crate) static RANGES: Setting<Ranges> = Setting {
    name: &Name::new("transfer", "ranges", "LEDGE_TRANSFER_RANGES"),
    default: |_| Ok(Ranges::Whole),
    bounds: None,
};

/// Outlasts a night's outage of an origin or of the host. At most a month: what nobody asked for
/// in that time only takes space.
pub(crate) static LEFTOVERS: Setting<Duration> = Setting {
    name: &Name::new("transfer", "leftovers", "LEDGE_TRANSFER_LEFTOVERS"),
    default: |_| Ok(DAY),
    bounds: Some((Duration::ZERO, Duration::from_secs(30 * 24 * 60 * 60))),
};

/// A client that has the parts of an image already does not ask for them, and an origin may count or
/// charge for bytes.
pub(crate) static PREFETCH: Setting<Prefetch> = Setting {
    name: &Name::new("transfer", "prefetch", "LEDGE_TRANSFER_PREFETCH"),
    default: |_| Ok(Prefetch::Off),
    bounds: None,
};

/// A terminal is the first to read the log.
pub(crate) static LOG_FORMAT: Setting<LogFormat> = Setting {
    name: &Name::new("log", "format", "LEDGE_LOG_FORMAT")
        .flag("--log-format", |flags| flags.log_format.as_deref()),
    default: |_| Ok(LogFormat::Text),
    bounds: None,
};

/// The access log is written at this level.
pub(crate) static LOG_FILTER: Setting<LogFilter> = Setting {
    name: &Name::new("log", "filter", "LEDGE_LOG").flag("--log", |flags| flags.log.as_deref()),
    default: |_| Ok(LogFilter::info()),
    bounds: None,
};

/// How long a tag is fresh, in each upstream: the registry's own default. At most a year, which is
/// for ever in a cache (365.25 days, as durations are written).
pub(crate) const FRESH: Duration = Duration::from_secs(ledge_core::config::DEFAULT_FRESH_SECONDS);
pub(crate) const FRESH_MOST: Duration = Duration::from_secs(31_557_600);

/// How long after that clients are answered while the origin is asked.
pub(crate) const STALE_WHILE_REVALIDATE: Duration =
    Duration::from_secs(ledge_core::config::DEFAULT_STALE_WHILE_REVALIDATE_SECONDS);

/// How long a stale tag serves while the origin does not answer.
pub(crate) const STALE_IF_ERROR: Duration =
    Duration::from_secs(ledge_core::config::DEFAULT_STALE_IF_ERROR_SECONDS);

/// How long it is remembered that an origin does not show something. At most an hour: what is
/// pushed meanwhile cannot be pulled.
pub(crate) const NEGATIVE: Duration =
    Duration::from_secs(ledge_core::config::DEFAULT_NEGATIVE_SECONDS);
pub(crate) const NEGATIVE_MOST: Duration = Duration::from_secs(60 * 60);

/// How long it is remembered that an origin let a client in. At most a day: so long a right
/// that is taken back still counts.
pub(crate) const ALLOWED: Duration =
    Duration::from_secs(ledge_core::config::DEFAULT_ALLOWED_SECONDS);
pub(crate) const ALLOWED_MOST: Duration = DAY;

/// The names of all settings above, for hints.
pub(crate) static NAMES: [&Name; 30] = [
    &DEFAULT_UPSTREAM,
    &ADVERTISE,
    LISTEN.name,
    DRAIN.name,
    MAX_CONNECTIONS.name,
    HEADER_TIMEOUT.name,
    WRITE_TIMEOUT.name,
    ANSWERS.name,
    STORE_PATH.name,
    STORE_MEMORY.name,
    MAX_SIZE.name,
    MIN_FREE.name,
    MAX_AGE.name,
    REQUESTS.name,
    TRANSFERS.name,
    TRANSFERS_PER_ORIGIN.name,
    BANDWIDTH.name,
    BANDWIDTH_PER_ORIGIN.name,
    INSTANCE_MEMORY.name,
    INSTANCES.name,
    REQUEST_TIMEOUT.name,
    CONNECT_TIMEOUT.name,
    UPSTREAM_HEADER_TIMEOUT.name,
    IDLE_TIMEOUT.name,
    ABANDONED.name,
    RANGES.name,
    LEFTOVERS.name,
    PREFETCH.name,
    LOG_FORMAT.name,
    LOG_FILTER.name,
];
