//! The effective configuration, printed as a file that could be read again.

use std::fmt;

use ledge_core::config::{Access, Action};
use toml::Value as Toml;

use crate::access;
use crate::connection::{Connection, Identity, Proxy};
use crate::credentials::{Credentials, Text};
use crate::provenance::{Provenance, Sourced, printable};
use crate::setting::{self, Setting};
use crate::shared::{Shared, SharedObjects, SharedRecords};
use crate::types::{Config, Freshness, Rights, Rule, Upstream};
use crate::value::Value;

/// What stands where a secret would.
const HIDDEN: &str = "***";

impl Config {
    /// Prints every value with where it came from. It is TOML, and reads back as the same
    /// configuration but for passwords, which are hidden.
    pub fn show(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }
}

struct Shown<'a>(&'a Config);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        head(f, config)?;
        server(f, config)?;
        store(f, config)?;
        limits(f, config)?;
        transfer(f, config)?;
        log(f, config)?;
        shared(f, &config.shared)?;
        config
            .upstreams
            .iter()
            .try_for_each(|each| upstream(f, each))?;
        config.rules.iter().try_for_each(|each| rule(f, each))
    }
}

fn head(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    match &config.file {
        Some(path) => writeln!(f, "# file: {}", printable(path))?,
        None => writeln!(f, "# file: none")?,
    }
    match &config.component {
        Some(component) => {
            let path = printable(component);
            writeln!(f, "# component: {path} ({})", component.provenance)?;
        }
        None => writeln!(f, "# component: built in")?,
    }
    match &config.default_upstream {
        Some(name) => line(f, "default_upstream", &text(name), &name.provenance),
        None => writeln!(f, "# default_upstream: none"),
    }
}

fn server(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let server = &config.server;
    writeln!(f, "\n[server]")?;
    value(f, &setting::LISTEN, &server.listen)?;
    value(f, &setting::DRAIN, &server.drain)?;
    value(f, &setting::MAX_CONNECTIONS, &server.max_connections)?;
    value(f, &setting::HEADER_TIMEOUT, &server.header_timeout)?;
    value(f, &setting::WRITE_TIMEOUT, &server.write_timeout)?;
    value(f, &setting::ANSWERS, &server.answers)
}

fn store(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    writeln!(f, "\n[store]")?;
    value(f, &setting::STORE_PATH, &config.store.path)?;
    value(f, &setting::STORE_MEMORY, &config.store.memory)?;
    value(f, &setting::MAX_SIZE, &config.store.max_size)?;
    value(f, &setting::MIN_FREE, &config.store.min_free)?;
    value(f, &setting::MAX_AGE, &config.store.max_age)
}

fn limits(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let limits = &config.limits;
    writeln!(f, "\n[limits]")?;
    value(f, &setting::REQUESTS, &limits.requests)?;
    value(f, &setting::TRANSFERS, &limits.transfers)?;
    let per_origin = &limits.transfers_per_origin;
    value(f, &setting::TRANSFERS_PER_ORIGIN, per_origin)?;
    value(f, &setting::BANDWIDTH, &limits.bandwidth)?;
    let per_origin = &limits.bandwidth_per_origin;
    value(f, &setting::BANDWIDTH_PER_ORIGIN, per_origin)?;
    value(f, &setting::INSTANCE_MEMORY, &limits.instance_memory)?;
    value(f, &setting::INSTANCES, &limits.instances)?;
    value(f, &setting::REQUEST_TIMEOUT, &limits.request_timeout)?;
    let connect = &limits.upstream_connect_timeout;
    value(f, &setting::CONNECT_TIMEOUT, connect)?;
    let header = &limits.upstream_header_timeout;
    value(f, &setting::UPSTREAM_HEADER_TIMEOUT, header)?;
    let idle = &limits.upstream_idle_timeout;
    value(f, &setting::IDLE_TIMEOUT, idle)
}

fn transfer(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let transfer = &config.transfer;
    writeln!(f, "\n[transfer]")?;
    value(f, &setting::ABANDONED, &transfer.abandoned)?;
    value(f, &setting::RANGES, &transfer.ranges)?;
    value(f, &setting::LEFTOVERS, &transfer.leftovers)?;
    value(f, &setting::PREFETCH, &transfer.prefetch)
}

fn log(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    writeln!(f, "\n[log]")?;
    value(f, &setting::LOG_FORMAT, &config.log.format)?;
    value(f, &setting::LOG_FILTER, &config.log.filter)
}

fn shared(f: &mut fmt::Formatter<'_>, shared: &Shared) -> fmt::Result {
    if shared.advertise.is_some() {
        writeln!(f, "\n[shared]")?;
        given(f, "advertise", shared.advertise.as_ref())?;
    }
    if let Some(records) = &shared.records {
        shared_records(f, records)?;
    }
    shared
        .objects
        .as_ref()
        .map_or(Ok(()), |objects| shared_objects(f, objects))
}

fn shared_objects(f: &mut fmt::Formatter<'_>, objects: &SharedObjects) -> fmt::Result {
    writeln!(f, "\n[shared.objects]")?;
    line(f, "url", &text(&objects.url), &objects.url.provenance)?;
    given(f, "endpoint", objects.endpoint.as_ref())?;
    given(f, "region", objects.region.as_ref())?;
    given(f, "username", objects.username.as_ref())?;
    if let Some(password) = &objects.password {
        secret(f, "password", password)?;
    }
    match &objects.ca_file {
        Some(file) => line(f, "ca_file", &file.to_toml(), &file.provenance),
        None => Ok(()),
    }
}

fn shared_records(f: &mut fmt::Formatter<'_>, records: &SharedRecords) -> fmt::Result {
    writeln!(f, "\n[shared.records]")?;
    line(f, "url", &list(&records.url), &records.url.provenance)?;
    given(f, "username", records.username.as_ref())?;
    if let Some(password) = &records.password {
        secret(f, "password", password)?;
    }
    if let Some(file) = &records.ca_file {
        line(f, "ca_file", &file.to_toml(), &file.provenance)?;
    }
    line(
        f,
        "prefix",
        &text(&records.prefix),
        &records.prefix.provenance,
    )
}

fn upstream(f: &mut fmt::Formatter<'_>, upstream: &Upstream) -> fmt::Result {
    writeln!(f, "\n[upstreams.{}]", text(&upstream.name))?;
    let endpoints = &upstream.endpoints;
    line(f, "endpoints", &list(endpoints), &endpoints.provenance)?;
    let aliases = &upstream.aliases;
    line(f, "aliases", &list(aliases), &aliases.provenance)?;
    if let Some(given) = &upstream.credentials {
        credentials(f, given)?;
    }
    rights(f, &upstream.rights)?;
    let trusted = &upstream.trusted_hosts;
    line(f, "trusted_hosts", &list(trusted), &trusted.provenance)?;
    connection(f, &upstream.connection)?;
    let prefetch = &upstream.prefetch;
    line(f, "prefetch", &prefetch.to_toml(), &prefetch.provenance)?;
    freshness(f, &upstream.name, &upstream.freshness)
}

fn rights(f: &mut fmt::Formatter<'_>, rights: &Rights) -> fmt::Result {
    let Rights {
        access,
        public,
        allowed_for,
    } = rights;
    line(
        f,
        "access",
        &text(access::name(access.value)),
        &access.provenance,
    )?;
    if !public.is_empty() {
        line(f, "public", &list(public), &public.provenance)?;
    }
    if access.value == Access::PassThrough || allowed_for.provenance != Provenance::Default {
        let value = allowed_for.to_toml();
        line(f, "allowed_for", &value, &allowed_for.provenance)?;
    }
    Ok(())
}

fn credentials(f: &mut fmt::Formatter<'_>, credentials: &Credentials) -> fmt::Result {
    match credentials {
        Credentials::Password { username, password } => {
            line(f, "username", &text(username), &username.provenance)?;
            secret(f, "password", password)
        }
        Credentials::Token(token) => secret(f, "token", token),
        Credentials::DockerConfig(path) => {
            let value = path
                .as_ref()
                .map_or(Toml::Boolean(true), |path| path.to_toml());
            line(f, "docker_config", &value, &path.provenance)
        }
        Credentials::Helper(name) => line(f, "credential_helper", &text(name), &name.provenance),
    }
}

fn secret(f: &mut fmt::Formatter<'_>, key: &str, secret: &Text) -> fmt::Result {
    match secret {
        Text::Inline(hidden) => line(f, key, &text(HIDDEN), &hidden.provenance),
        Text::File(path) => line(f, &format!("{key}_file"), &path.to_toml(), &path.provenance),
        Text::Environment(name) => line(f, &format!("{key}_env"), &text(name), &name.provenance),
    }
}

fn connection(f: &mut fmt::Formatter<'_>, connection: &Connection) -> fmt::Result {
    if let Some(files) = &connection.ca_file {
        let values = files.iter().map(Value::to_toml).collect();
        line(f, "ca_file", &Toml::Array(values), &files.provenance)?;
    }
    if let Some(Identity { certificate, key }) = &connection.identity {
        line(
            f,
            "client_certificate",
            &certificate.to_toml(),
            &certificate.provenance,
        )?;
        line(f, "client_key", &key.to_toml(), &key.provenance)?;
    }
    if let Some(Proxy { url, exempt }) = &connection.proxy {
        line(f, "proxy", &text(&url.to_string()), &url.provenance)?;
        given(f, "no_proxy", exempt.as_ref())?;
    }
    Ok(())
}

fn freshness(f: &mut fmt::Formatter<'_>, upstream: &str, freshness: &Freshness) -> fmt::Result {
    let durations = [
        ("fresh", &freshness.fresh),
        ("stale_while_revalidate", &freshness.stale_while_revalidate),
        ("stale_if_error", &freshness.stale_if_error),
        ("negative", &freshness.negative),
    ];
    for (key, duration) in durations {
        line(f, key, &duration.to_toml(), &duration.provenance)?;
    }
    let no_cache = &freshness.client_no_cache;
    line(
        f,
        "client_no_cache",
        &no_cache.to_toml(),
        &no_cache.provenance,
    )?;
    for rule in &freshness.rules {
        writeln!(f, "\n[[upstreams.{}.freshness]]", text(upstream))?;
        given(f, "repository", rule.repository.as_ref())?;
        given(f, "tag", rule.tag.as_ref())?;
        line(f, "fresh", &rule.fresh.to_toml(), &rule.fresh.provenance)?;
    }
    Ok(())
}

fn rule(f: &mut fmt::Formatter<'_>, rule: &Rule) -> fmt::Result {
    writeln!(f, "\n[[rules]]")?;
    line(f, "name", &text(rule.name.as_str()), &rule.name.provenance)?;
    let action = match rule.action.value {
        Action::Allow => "allow",
        Action::Deny => "deny",
    };
    line(f, "action", &text(action), &rule.action.provenance)?;
    given(f, "upstream", rule.upstream.as_ref())?;
    given(f, "repository", rule.repository.as_ref())?;
    given(f, "tag", rule.tag.as_ref())?;
    given(f, "platform", rule.platform.as_ref())
}

/// What may be left out.
fn given<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    value: Option<&Sourced<T>>,
) -> fmt::Result {
    match value {
        Some(given) => line(f, key, &text(&given.value.to_string()), &given.provenance),
        None => Ok(()),
    }
}

fn value<T: Value>(
    f: &mut fmt::Formatter<'_>,
    setting: &Setting<T>,
    value: &Sourced<T>,
) -> fmt::Result {
    line(f, setting.name.key, &value.to_toml(), &value.provenance)
}

fn line(f: &mut fmt::Formatter<'_>, key: &str, value: &Toml, from: &Provenance) -> fmt::Result {
    writeln!(f, "{key} = {value} # {from}")
}

fn text(text: &str) -> Toml {
    Toml::String(text.to_owned())
}

fn list<T: ToString>(values: &[T]) -> Toml {
    Toml::Array(
        values
            .iter()
            .map(|value| Toml::String(value.to_string()))
            .collect(),
    )
}
