//! What can go wrong, in words that name hosts and no secrets.

use std::error::Error;
use std::io;

use crate::connect::DialTimeout;
use crate::rules::RuleError;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The rules do not let the request go there. Nothing was sent.
    #[error("{host} may not be reached: {why}")]
    Denied {
        /// The host, with its port if that is unusual; empty if there is none.
        host: String,
        /// The rule.
        why: DenyReason,
    },
    /// The origin sent us on too often (more than five times).
    #[error("too many redirects, the last of them to {host}")]
    TooManyRedirects {
        /// Where the last redirect led.
        host: String,
    },
    /// The origin sent us where nobody can go.
    #[error("{host} sent a redirect that cannot be followed: {why}")]
    BadRedirect {
        /// Who sent it.
        host: String,
        /// What is wrong with it.
        why: RedirectFault,
    },
    /// There was no connection: the name does not resolve, nobody listens, TLS
    /// failed, or the proxy did not let us through.
    #[error("cannot connect to {host}: {detail}")]
    Unreachable {
        /// Who was to be connected to.
        host: String,
        /// The innermost cause, for people.
        detail: String,
    },
    /// The origin was too slow.
    #[error("{host} did not {wait} in time")]
    Timeout {
        /// Who was waited for.
        host: String,
        /// For what.
        wait: Wait,
    },
    /// The origin broke off, or what it sent is not HTTP.
    #[error("{host} broke the connection: {detail}")]
    Protocol {
        /// Who did.
        host: String,
        /// The innermost cause, for people.
        detail: String,
    },
}

impl FetchError {
    /// The host that it is about.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::Denied { host, .. }
            | Self::TooManyRedirects { host }
            | Self::BadRedirect { host, .. }
            | Self::Unreachable { host, .. }
            | Self::Timeout { host, .. }
            | Self::Protocol { host, .. } => host,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The rules cannot be read.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// An extra authority is no certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Which rule a request broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DenyReason {
    /// Neither an endpoint, nor trusted, nor named by a configured origin.
    #[error("it is not a configured origin")]
    NotConfigured,
    /// Its address is for inside use.
    #[error("it has a private address and is not in trusted_hosts")]
    PrivateAddress,
    /// HTTPS led to HTTP, or no endpoint of the upstream is `http://`.
    #[error("it would be plain HTTP")]
    PlainHttp,
    /// Neither `http` nor `https`, or a relative URL.
    #[error("the URL is not http or https")]
    Scheme,
    /// The URL's host or port cannot be read.
    #[error("the URL has no valid host")]
    NoHost,
    /// The URL holds a user name.
    #[error("the URL holds a user name")]
    UserInfo,
    /// Neither GET nor HEAD.
    #[error("only GET and HEAD are sent")]
    Method,
    /// A POST, and no configured origin has named it as its token service.
    #[error("only token services are sent a POST")]
    NoTokenService,
}

/// What is wrong with a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectFault {
    /// There is not exactly one `Location`.
    #[error("it has no location")]
    NoLocation,
    /// The `Location` cannot be read.
    #[error("its location is not a URL")]
    NotUrl,
}

/// What was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// Name resolution, TCP, the way through a proxy, and TLS.
    #[error("accept a connection")]
    Connect,
    /// The answer's header.
    #[error("answer")]
    Header,
    /// The next bytes of the body.
    #[error("send more")]
    Body,
}

/// The innermost cause: what happened, without the layers that passed it on.
pub(crate) fn root(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}

/// Whether this very error is that something took too long.
pub(crate) fn is_timeout(cause: &(dyn Error + 'static)) -> bool {
    let io = cause.downcast_ref::<io::Error>();
    cause.is::<DialTimeout>() || io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
}

/// The error and its causes, outermost first.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let outer: &'a (dyn Error + 'static) = *error;
        outer.source()
    })
}
