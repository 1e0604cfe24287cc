//! The connections that wait to be used again, and who may use which.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::ClientOptions;
use crate::connect::Dialer;
use crate::connection::Connection;
use crate::lookup::Lookup;
use crate::proxy::Proxy;
use crate::rules::{Line, Reach};
use crate::tls::Authorities;

/// The largest header set of an answer, the same as the server takes of a
/// request. For HTTP/1.1 it is the size from which hyper reads no further: up to
/// twice as much may have come with the last read.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Shorter than the 60 s after which common load balancers drop idle
/// connections (AWS's, nginx's), so that we are the one who closes.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Finds out that an HTTP/2 connection is dead before many requests have waited on it.
const H2_PING_EVERY: Duration = Duration::from_secs(20);
const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What an origin may send on one stream before we have read it: enough for
/// 400 Mbit/s at 80 ms, where the protocol's 64 KiB would give 6.
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;

/// The same for a connection: a few such streams.
const H2_CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

pub(crate) type Pool = legacy::Client<Dialer, Full<Bytes>>;

/// A set of pools for every [`Connection`].
pub(crate) struct Pools(Vec<Settings>);

struct Settings {
    anonymous: Reaches,
    identified: Option<Reaches>,
}

/// Two, so that a connection to a private address is never used by who may not
/// have one.
struct Reaches {
    public: Pool,
    any: Pool,
}

/// What all pools are made with.
struct Maker<'a> {
    system: Authorities,
    options: &'a ClientOptions,
    lookup: Arc<dyn Lookup>,
}

impl Pools {
    /// Reads the system's certificates.
    pub(crate) fn new(
        connections: &[Connection],
        options: &ClientOptions,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, rustls::Error> {
        let maker = Maker {
            system: Authorities::of_the_system(),
            options,
            lookup,
        };
        let settings = connections.iter().map(|one| maker.settings(one));
        Ok(Self(settings.collect::<Result<_, _>>()?))
    }

    pub(crate) fn of(&self, line: Line) -> &Pool {
        let settings = &self.0[line.connection];
        let identified = settings.identified.as_ref().filter(|_| line.identified);
        let reaches = identified.unwrap_or(&settings.anonymous);
        match line.reach {
            Reach::Public => &reaches.public,
            Reach::Any => &reaches.any,
        }
    }
}

impl Maker<'_> {
    fn settings(&self, connection: &Connection) -> Result<Settings, rustls::Error> {
        let authorities = self.system.and(&connection.extra_roots)?;
        let anonymous = authorities.client(None)?;
        // A proxy is not shown the certificate either.
        let proxy = connection.proxy.as_ref();
        let proxy = proxy.map(|proxy| (proxy.clone(), anonymous.clone()));
        let identity = connection.identity.as_ref();
        let identified = identity.map(|identity| authorities.client(Some(identity)));
        let identified = identified.transpose()?;
        Ok(Settings {
            identified: identified.map(|tls| self.reaches(&tls, proxy.as_ref())),
            anonymous: self.reaches(&anonymous, proxy.as_ref()),
        })
    }

    fn reaches(&self, tls: &ClientConfig, proxy: Option<&(Proxy, ClientConfig)>) -> Reaches {
        let pool = |reach| {
            let lookup = Arc::clone(&self.lookup);
            let limit = self.options.connect_timeout;
            let dialer = Dialer::new(lookup, reach, tls.clone(), proxy.cloned(), limit);
            pool(dialer, self.options)
        };
        Reaches {
            public: pool(Reach::Public),
            any: pool(Reach::Any),
        }
    }
}

fn pool(dialer: Dialer, options: &ClientOptions) -> Pool {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(options.max_idle_per_host)
        .http1_max_buf_size(MAX_HEADER_BYTES as usize)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_initial_stream_window_size(H2_STREAM_WINDOW)
        .http2_initial_connection_window_size(H2_CONNECTION_WINDOW)
        .http2_keep_alive_interval(H2_PING_EVERY)
        .http2_keep_alive_timeout(H2_PING_TIMEOUT)
        .build(dialer)
}
