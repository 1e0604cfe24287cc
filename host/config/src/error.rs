//! What can be wrong with a configuration, and how that is said.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ledge_core::config::{PatternError, PlatformError};

use crate::provenance::{Provenance, printable};

/// Everything that is wrong with a configuration, in the order of its place.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is refused:\n{}", Lines(.0))]
pub struct Problems(pub Vec<Problem>);

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// The setting's full name, as in `server.listen`; none if it is about the whole file.
    pub setting: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(setting) = &self.setting {
            write!(f, "{setting}: ")?;
        }
        write!(f, "{}", self.fault)?;
        match self.fault.hint() {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Where a problem stands.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file as a whole.
    WholeFile(Arc<Path>),
    /// A value's place.
    Value(Provenance),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile(path) => f.write_str(&printable(path)),
            Self::Value(Provenance::File(place)) => place.fmt(f),
            Self::Value(other) => other.fmt(f),
        }
    }
}

/// What is wrong with a file or a value. Texts from outside are quoted and cut; what could hold a
/// secret (a password, a URL) is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("the file cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// The file is longer than any configuration.
    #[error("the file is longer than {most} bytes")]
    FileTooLong {
        /// How long it may be, in bytes.
        most: u64,
    },
    /// The file, or the variable, is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotUtf8,
    /// The file is no TOML.
    #[error("it is not valid TOML: {0}")]
    Syntax(String),
    /// There is no such setting or section.
    #[error("there is no such setting")]
    Unknown {
        /// What to write instead, if that can be guessed.
        hint: Option<String>,
    },
    /// The value has another TOML type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What was expected, with its article.
        expected: &'static str,
        /// The TOML type that was found.
        found: &'static str,
    },
    /// The value is empty.
    #[error("it is empty")]
    Empty,
    /// No duration.
    #[error("{0} is not a duration")]
    Duration(Quoted),
    /// A fraction of a second where whole ones are counted.
    #[error("{0} is not a whole number of seconds")]
    FractionOfSecond(Quoted),
    /// No size.
    #[error("{0} is not a size")]
    Size(Quoted),
    /// A bandwidth that nobody means.
    #[error("{given} a second is less than {least}")]
    Bandwidth {
        /// What was given.
        given: Quoted,
        /// The least that is taken.
        least: String,
    },
    /// No way to treat a transfer that every client has left.
    #[error("{0} is neither \"keep\" nor \"stop\" nor a percentage")]
    Abandoned(Quoted),
    /// No way to answer a range of what is not stored.
    #[error("{0} is neither \"whole\" nor a size")]
    Ranges(Quoted),
    /// No choice of what to fetch before it is asked for.
    #[error("{0} is neither \"off\" nor \"small\" nor \"all\"")]
    Prefetch(Quoted),
    /// No bound of the store.
    #[error("{0} is neither a size nor a percentage nor \"none\"")]
    MaxSize(Quoted),
    /// A bound of the store that nobody means.
    #[error("{given} is less than {least}")]
    SmallStore {
        /// What was given.
        given: Quoted,
        /// The least that is taken.
        least: String,
    },
    /// No space to keep free.
    #[error("{0} is neither a size nor a percentage nor \"auto\"")]
    MinFree(Quoted),
    /// No age.
    #[error("{0} is neither a duration nor \"none\"")]
    MaxAge(Quoted),
    /// No number.
    #[error("{0} is not a whole number")]
    Number(Quoted),
    /// Outside of what is sensible.
    #[error("{value} is not between {bounds}")]
    Bounds {
        /// The value.
        value: String,
        /// The least and the most that is taken, with "and" between them.
        bounds: String,
    },
    /// No address to listen on.
    #[error("{0} is not an address and a port")]
    Listen(Quoted),
    /// Neither true nor false.
    #[error("{0} is neither true nor false")]
    Boolean(Quoted),
    /// No pattern.
    #[error(transparent)]
    Pattern(PatternError),
    /// No platform.
    #[error(transparent)]
    Platform(PlatformError),
    /// No name of a rule.
    #[error("{0} cannot be the name of a rule")]
    RuleName(Quoted),
    /// Nothing that a rule does.
    #[error("{0} is neither \"allow\" nor \"deny\"")]
    Action(Quoted),
    /// A section lacks what it must say.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// No log format.
    #[error("{0} is not a log format")]
    LogFormat(Quoted),
    /// No log filter.
    #[error("{0} is not a log filter")]
    LogFilter(Quoted),
    /// The platform names no directory for data.
    #[error("there is no home directory to put the store in")]
    NoDataDirectory,
    /// No URL.
    #[error("it is not a URL: {0}")]
    Url(url::ParseError),
    /// Neither http nor https.
    #[error("the URL's scheme is {0}, neither https nor http")]
    UrlScheme(Quoted),
    /// A URL of a service that keeps no objects.
    #[error("{0} starts with none of s3://, gs:// and az://")]
    BucketScheme(Quoted),
    /// A host that DNS cannot name.
    #[error("the URL's host or port is none that can be connected to")]
    UrlHost,
    /// A password in a URL.
    #[error("the URL holds a user name or a password")]
    UrlCredentials,
    /// More than scheme, host and port.
    #[error("the URL holds a path, a query or a fragment")]
    UrlPath,
    /// No upstream's name.
    #[error("{0} is not a registry's name")]
    UpstreamName(Quoted),
    /// `[upstreams.docker.io]`, which TOML reads as a section in a section.
    #[error("a name with dots in it must stand in quotation marks")]
    Unquoted {
        /// The whole name.
        name: String,
    },
    /// No host.
    #[error("{0} is not a host, or a host and a port")]
    Host(Quoted),
    /// An upstream that is not built in says nothing of where it is.
    #[error("it has neither url nor endpoints, and it is not built in")]
    NoUrl {
        /// The name of the upstream.
        name: String,
        /// A built-in upstream that was perhaps meant.
        meant: Option<&'static str>,
    },
    /// Both ways to say one thing.
    #[error("url and endpoints cannot both be given")]
    UrlAndEndpoints,
    /// One half of a pair.
    #[error("{given} is given without {missing}")]
    HalfCredentials {
        /// The key that is there.
        given: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// A user name or password that cannot be sent (RFC 7617, section 2).
    #[error("HTTP's Basic scheme cannot carry it")]
    Credential,
    /// A token that cannot be sent (RFC 6750, section 2.1).
    #[error("HTTP's Bearer scheme cannot carry it")]
    Token,
    /// More than one way to credentials.
    #[error("it cannot be given beside {first}")]
    SeveralCredentials {
        /// The key that was given first.
        first: &'static str,
    },
    /// No way of access.
    #[error("{0} is neither \"public\" nor \"shared\" nor \"pass-through\"")]
    Access(Quoted),
    /// Shared credentials that there are not.
    #[error("the upstream has no credentials to share")]
    NothingToShare,
    /// A public upstream with credentials.
    #[error("an upstream with credentials is not public as a whole")]
    PublicWithCredentials,
    /// Two ways to be let in.
    #[error("clients cannot show their own credentials beside those of this mirror")]
    PassThroughWithCredentials,
    /// What is public of an upstream that is public, or that judges for itself.
    #[error("the upstream has no credentials, so there is nothing to tell apart")]
    PublicUnshared,
    /// No name of an environment variable. It may be the secret by mistake, so it is not repeated.
    #[error("it is not the name of an environment variable")]
    VariableName,
    /// No name of a credential helper.
    #[error("{0} is not the name of a credential helper")]
    HelperName(Quoted),
    /// One half of a client certificate.
    #[error("{given} is given without {missing}")]
    HalfIdentity {
        /// The key that is there.
        given: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// Whoever is to use it cannot. The words are theirs, with what to do about it.
    #[error("{0}")]
    Unusable(String),
    /// Two upstreams would answer to one name.
    #[error("{name} is already {holder}")]
    NameTaken {
        /// The name.
        name: Quoted,
        /// Who has it.
        holder: String,
    },
    /// The default upstream does not exist.
    #[error("no upstream {name} is configured")]
    NoSuchUpstream {
        /// The name.
        name: Quoted,
        /// An upstream that was perhaps meant.
        meant: Option<String>,
    },
}

impl Fault {
    /// What to do about it, if that can be said.
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        let fixed = match self {
            Self::Unknown { hint } => return hint.clone().map(Cow::from),
            Self::NoUrl { name, meant } => return Some(no_url(name, *meant).into()),
            Self::Unquoted { name } => return Some(format!("write [upstreams.\"{name}\"]").into()),
            Self::NoSuchUpstream { meant, .. } => {
                return meant
                    .as_ref()
                    .map(|meant| format!("did you mean {meant:?}?").into());
            }
            Self::Duration(_) => {
                r#"write a number and a unit, as in "500ms", "30s", "5m" or "1h 30m""#
            }
            Self::FractionOfSecond(_) => r#"write "1s" or more, or "0s""#,
            Self::Size(_) => r#"write a number and a unit, as in "512KiB", "64MiB" or "2GiB""#,
            Self::Bandwidth { .. } => {
                r#"write a size with its unit, as in "10MiB", or "0" for no limit"#
            }
            Self::MaxSize(_) | Self::SmallStore { .. } => {
                r#"write a size with its unit, as in "100GiB", a part of the file system, as in "80%", or "none""#
            }
            Self::MinFree(_) => {
                r#"write a size with its unit, as in "20GiB", a part of the file system, as in "5%", or "auto""#
            }
            Self::MaxAge(_) => r#"write a number and a unit, as in "30d" or "12h", or "none""#,
            Self::Abandoned(_) => r#"a percentage is written from "1%" to "99%""#,
            Self::Ranges(_) => r#"write a size with its unit, as in "64MiB", or "whole""#,
            Self::Listen(_) => {
                r#"write a numeric address and a port, as in "127.0.0.1:5000", "0.0.0.0:5000" or "[::]:5000""#
            }
            Self::Pattern(_) => {
                r#""*" stands for any characters but slashes and "**" for any, as in "library/*", "team/**" or "v*""#
            }
            Self::Platform(_) => r#"write it as in "linux/amd64", "linux/*" or "linux/arm/v7""#,
            Self::RuleName(_) => {
                "write 1 to 64 letters, digits, spaces, '.', '_', '-', '/' and ':', no space at either end"
            }
            Self::LogFormat(_) => r#"write "text" or "json""#,
            Self::LogFilter(_) => {
                r#"write error, warn, info, debug, trace or off, or pairs as in "warn,access=info""#
            }
            Self::BucketScheme(_) => {
                r#"write service, bucket and perhaps a prefix, as in "s3://images/edge""#
            }
            Self::NoDataDirectory => "set store.path in the file, LEDGE_STORE or --store",
            Self::Url(_) | Self::UrlScheme(_) | Self::UrlHost | Self::UrlPath => {
                r#"write scheme, host and port alone, as in "https://registry.example:5000""#
            }
            Self::UrlCredentials => "put them under username and password",
            Self::UpstreamName(_) => {
                r#"write a host in lowercase, with a port if it has one, as in "registry.example:5000""#
            }
            Self::Host(_) => {
                r#"write it without a scheme, as in "auth.example" or "10.0.0.5:5000""#
            }
            Self::HalfCredentials { .. } => "give both, or neither for anonymous pulls",
            Self::HalfIdentity { .. } => "give the certificate's file and its key's, or neither",
            Self::SeveralCredentials { .. } => {
                "an upstream has one way to its credentials: username with password, password_file or password_env; \
                 token, token_file or token_env; docker_config; or credential_helper"
            }
            Self::NothingToShare => "give them, or leave access out: then it is public",
            Self::PublicWithCredentials => {
                r#"list what everybody may see there, as in public = ["library/*"]"#
            }
            Self::PassThroughWithCredentials => {
                "leave them out, or access: then this mirror's own are for all its clients"
            }
            Self::PublicUnshared => "leave it out",
            Self::Token => "it is visible ASCII alone, without a space",
            Self::VariableName => {
                "write a name of letters, digits and underscores, not the secret itself"
            }
            Self::HelperName(_) => {
                r#"write what stands behind docker-credential-, as in "ecr-login""#
            }
            Self::Credential => {
                "neither may be empty or hold control characters, and a user name holds no colon"
            }
            _ => return None,
        };
        Some(fixed.into())
    }
}

fn no_url(name: &str, meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("did you mean {meant:?}? If not, add url = \"https://{name}\""),
        None => format!("add url = \"https://{name}\""),
    }
}

/// Text from outside, made harmless for a message: quoted, escaped, at most 60 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    const LONGEST: usize = 60;

    pub(crate) fn of(text: &str) -> Self {
        let kept: String = text.chars().take(Self::LONGEST).collect();
        let dots = if kept.len() < text.len() { "…" } else { "" };
        Self(format!("\"{}{dots}\"", kept.escape_debug()))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
