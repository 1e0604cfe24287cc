//! The configuration that the host runs by. It is made by parsing alone, so what is here is right.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use ledge_core::config::{
    Access, Action, PlatformPattern, RepositoryPattern, RuleName, TagPattern,
};

use crate::bandwidth::Bandwidth;
use crate::connection::Connection;
use crate::credentials::Credentials;
use crate::log::{LogFilter, LogFormat};
use crate::name::Endpoint;
use crate::provenance::Sourced;
use crate::room::{MaxAge, MaxSize, MinFree};
use crate::shared::Shared;
use crate::transfer::{Abandoned, Prefetch, Ranges};

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read, if any.
    pub file: Option<Arc<std::path::Path>>,
    /// The component to run in place of the built-in one.
    pub component: Option<Sourced<PathBuf>>,
    /// The upstream of requests that name none. It is one of `upstreams`.
    pub default_upstream: Option<Sourced<String>>,
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: Store,
    /// `[limits]`
    pub limits: Limits,
    /// `[transfer]`
    pub transfer: Transfer,
    /// `[log]`
    pub log: Log,
    /// `[shared]`: what several nodes share.
    pub shared: Shared,
    /// `[upstreams]`, in the order of their names, which differ. So do their aliases.
    pub upstreams: Vec<Upstream>,
    /// `[[rules]]`, in their order. Their names differ.
    pub rules: Vec<Rule>,
}

/// How clients are served.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port to listen on. Port 0 takes a free one.
    pub listen: Sourced<SocketAddr>,
    /// How long running downloads may take to finish after SIGTERM.
    pub drain: Sourced<Duration>,
    /// How many connections may be open at once.
    pub max_connections: Sourced<u32>,
    /// How long a client may take to send a request's header.
    pub header_timeout: Sourced<Duration>,
    /// How long a client may take nothing of an answer that waits for it.
    pub write_timeout: Sourced<Duration>,
    /// How many bytes of answers that need no instance of the component are kept; 0 is none.
    pub answers: Sourced<ByteSize>,
}

/// Where things are kept.
#[derive(Debug, Clone)]
pub struct Store {
    /// The store's directory. Relative to the working directory, if it is relative.
    pub path: Sourced<PathBuf>,
    /// How many bytes of small objects are kept in memory beside the disk; 0 is none.
    pub memory: Sourced<ByteSize>,
    /// What the whole directory may take of the disk.
    pub max_size: Sourced<MaxSize>,
    /// What is kept free on its file system.
    pub min_free: Sourced<MinFree>,
    /// How long an object is kept that nobody asks for.
    pub max_age: Sourced<MaxAge>,
}

/// What a stranger can make Ledge use at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests inside at once; more are answered 503.
    pub requests: Sourced<u32>,
    /// Transfers from origins at once; more wait their turn.
    pub transfers: Sourced<u32>,
    /// Transfers from one origin at once; more wait too. It may be more than `transfers`,
    /// and then says nothing.
    pub transfers_per_origin: Sourced<u32>,
    /// How fast bytes are taken from all origins together.
    pub bandwidth: Sourced<Bandwidth>,
    /// How fast bytes are taken from each origin.
    pub bandwidth_per_origin: Sourced<Bandwidth>,
    /// Memory of one instance of the component.
    pub instance_memory: Sourced<ByteSize>,
    /// Instances of the component at once.
    pub instances: Sourced<u32>,
    /// Until the headers of an answer, however slow the origin is.
    pub request_timeout: Sourced<Duration>,
    /// Until a connection to an origin stands.
    pub upstream_connect_timeout: Sourced<Duration>,
    /// Until an origin's headers are in.
    pub upstream_header_timeout: Sourced<Duration>,
    /// How long an origin's body may stand still.
    pub upstream_idle_timeout: Sourced<Duration>,
}

/// How misses are fetched.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// What becomes of a transfer when every client has left.
    pub abandoned: Sourced<Abandoned>,
    /// What is fetched when a client wants a range of an object that is not stored.
    pub ranges: Sourced<Ranges>,
    /// How long the bytes of a transfer that broke off are kept for the next try; zero is not at all.
    pub leftovers: Sourced<Duration>,
    /// What of an image is fetched when a client has got its manifest, from upstreams that do not
    /// say it themselves.
    pub prefetch: Sourced<Prefetch>,
}

/// What is logged to standard error, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// How lines look.
    pub format: Sourced<LogFormat>,
    /// Which events are logged.
    pub filter: Sourced<LogFilter>,
}

/// A registry that is mirrored.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// What `ns=` and the prefix of a path call it.
    pub name: String,
    /// Its other names.
    pub aliases: Sourced<Vec<String>>,
    /// Where it answers, best first. At least one.
    pub endpoints: Sourced<Vec<Endpoint>>,
    /// What stands before repository names of one segment; of the built-in docker.io alone.
    pub official_prefix: Option<&'static str>,
    /// This mirror's own; none is anonymous.
    pub credentials: Option<Credentials>,
    /// By whose rights it is pulled from.
    pub rights: Rights,
    /// How its hosts are connected to.
    pub connection: Connection,
    /// `host` or `host:port` that may get the password, and that redirects may reach even if
    /// their address is private.
    pub trusted_hosts: Sourced<Vec<String>>,
    /// How long what it says is good for.
    pub freshness: Freshness,
    /// What of an image is fetched when a client has got its manifest.
    pub prefetch: Sourced<Prefetch>,
}

/// By whose rights an upstream is pulled from. They fit its credentials.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Anybody's, this mirror's, or each client's own.
    pub access: Sourced<Access>,
    /// Which repositories everybody may see at the origin, though the mirror has credentials.
    pub public: Sourced<Vec<RepositoryPattern>>,
    /// How long it is remembered that the origin let a client in. Whole seconds.
    pub allowed_for: Sourced<Duration>,
}

/// How long what an upstream says is good for. All durations are whole seconds.
#[derive(Debug, Clone)]
pub struct Freshness {
    /// How long a tag is fresh.
    pub fresh: Sourced<Duration>,
    /// How long after that clients are answered while the origin is asked.
    pub stale_while_revalidate: Sourced<Duration>,
    /// How long after it was fresh a tag serves when the origin does not answer.
    pub stale_if_error: Sourced<Duration>,
    /// How long it is remembered that the origin does not show something.
    pub negative: Sourced<Duration>,
    /// Whether a client's `Cache-Control: no-cache` makes the origin be asked.
    pub client_no_cache: Sourced<bool>,
    /// For how long which tags are fresh instead. The first that matches counts.
    pub rules: Vec<FreshnessRule>,
}

/// For how long some tags are fresh. What is not given matches all.
#[derive(Debug, Clone)]
pub struct FreshnessRule {
    /// In which repositories.
    pub repository: Option<Sourced<RepositoryPattern>>,
    /// Which tags.
    pub tag: Option<Sourced<TagPattern>>,
    /// How long. Whole seconds.
    pub fresh: Sourced<Duration>,
}

/// Whether something may be pulled. What is not given matches all.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What clients are told that it denies.
    pub name: Sourced<RuleName>,
    /// Whether it allows or denies.
    pub action: Sourced<Action>,
    /// The upstream that it is about. It is one of [`Config::upstreams`].
    pub upstream: Option<Sourced<String>>,
    /// In which repositories.
    pub repository: Option<Sourced<RepositoryPattern>>,
    /// Which tags.
    pub tag: Option<Sourced<TagPattern>>,
    /// Which platforms of an index.
    pub platform: Option<Sourced<PlatformPattern>>,
}
