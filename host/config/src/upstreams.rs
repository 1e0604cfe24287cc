//! `[upstreams]`: which registries are mirrored.

use std::collections::BTreeMap;

use crate::access::GivenRights;
use crate::builtin::{self, BuiltIn};
use crate::connection::{GivenConnection, Proxies};
use crate::credentials::{self, Credentials};
use crate::entries::{list, scalar};
use crate::environment::Surroundings;
use crate::error::{Fault, Place, Problem, Quoted};
use crate::file::{Entry, Section};
use crate::freshness::GivenFreshness;
use crate::layers::Layered;
use crate::name::{self, Endpoint};
use crate::provenance::{Provenance, Sourced};
use crate::suggest::nearest;
use crate::transfer::Prefetch;
use crate::types::Upstream;
use crate::value::Value;

/// The upstreams of the section, in the order of their names; the built-in ones if it names none.
/// `prefetch` is that of those that do not say it.
pub(crate) fn read(
    section: Option<Section<'_>>,
    prefetch: &Sourced<Prefetch>,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Vec<Upstream> {
    let usual = Usual {
        proxies: Proxies::of(surroundings, problems),
        prefetch,
    };
    let named = section.map(|mut section| section.take_all());
    let upstreams: Vec<Upstream> = match named {
        Some(named) if !named.is_empty() => named
            .into_iter()
            .filter_map(|(name, entry)| upstream(&name, entry, &usual, problems))
            .collect(),
        _ => builtin::ALL
            .iter()
            .map(|known| {
                let endpoints = built_in_endpoint(known);
                assemble(known.name, Some(known), endpoints, Given::default(), &usual)
            })
            .collect(),
    };
    problems.extend(names_taken(&upstreams));
    upstreams
}

/// The name, if it is that of an upstream.
pub(crate) fn named(name: &str, upstreams: &[Upstream]) -> Result<String, Fault> {
    if upstreams.iter().any(|upstream| upstream.name == name) {
        return Ok(name.to_owned());
    }
    Err(Fault::NoSuchUpstream {
        name: Quoted::of(name),
        meant: meant(name, upstreams),
    })
}

/// The upstream that has `name` as an alias, or else one that is called alike.
fn meant(name: &str, upstreams: &[Upstream]) -> Option<String> {
    let has_alias = |upstream: &&Upstream| upstream.aliases.iter().any(|alias| alias == name);
    upstreams
        .iter()
        .find(has_alias)
        .map(|upstream| upstream.name.as_str())
        .or_else(|| {
            nearest(
                name,
                upstreams.iter().map(|upstream| upstream.name.as_str()),
            )
        })
        .map(str::to_owned)
}

/// What holds of upstreams that say nothing else.
struct Usual<'a> {
    proxies: Proxies,
    prefetch: &'a Sourced<Prefetch>,
}

/// What a section says of its upstream, beside where that is.
#[derive(Default)]
struct Given {
    aliases: Option<Sourced<Vec<String>>>,
    credentials: Option<Credentials>,
    rights: GivenRights,
    connection: GivenConnection,
    trusted_hosts: Option<Sourced<Vec<String>>>,
    freshness: GivenFreshness,
    prefetch: Option<Sourced<Prefetch>>,
}

/// One upstream. If there is none, there is a problem more.
fn upstream(
    name: &str,
    entry: Entry<'_>,
    usual: &Usual<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Upstream> {
    if let Err(fault) = name::upstream_name(name) {
        problems.push(entry.key().problem(fault));
        return None;
    }
    if let Some(name) = entry.unquoted(name) {
        problems.push(entry.key().problem(Fault::Unquoted { name }));
        return None;
    }
    let key = entry.key().clone();
    let mut section = match entry.into_section() {
        Ok(section) => section,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let endpoints = endpoints(&mut section, problems);
    let credentials = credentials::read(&key, &mut section, problems);
    let given = Given {
        rights: GivenRights::read(&key, &mut section, credentials.as_ref(), problems),
        credentials,
        connection: GivenConnection::read(&key, &mut section, problems),
        aliases: list(section.take("aliases"), name::upstream_name, problems),
        trusted_hosts: list(section.take("trusted_hosts"), name::host, problems),
        freshness: GivenFreshness::read(&mut section, problems),
        prefetch: scalar(
            section.take("prefetch"),
            <Prefetch as Value>::parse,
            problems,
        ),
    };
    let known = builtin::find(name);
    let endpoints = match (endpoints, known) {
        (Layered::Said(endpoints), _) => Some(endpoints),
        (Layered::Silent, Some(known)) => Some(built_in_endpoint(known)),
        (Layered::Silent, None) => {
            problems.push(key.problem(no_url(name)));
            None
        }
        (Layered::Refused, _) => None,
    };
    problems.extend(section.finish());
    Some(assemble(name, known, endpoints?, given, usual))
}

fn built_in_endpoint(known: &BuiltIn) -> Sourced<Vec<Endpoint>> {
    Sourced::new(vec![known.endpoint()], Provenance::BuiltIn)
}

/// Fills up what is given with what is built in.
fn assemble(
    name: &str,
    known: Option<&'static BuiltIn>,
    endpoints: Sourced<Vec<Endpoint>>,
    given: Given,
    usual: &Usual<'_>,
) -> Upstream {
    // Only its own endpoints may make a built-in upstream send a password to its own token service.
    let trusted = known
        .filter(|_| endpoints.provenance == Provenance::BuiltIn)
        .map_or(&[][..], |known| known.trusted_hosts);
    Upstream {
        name: name.to_owned(),
        aliases: given
            .aliases
            .unwrap_or_else(|| built_in(known.map_or(&[], |known| known.aliases))),
        connection: given.connection.filled(&endpoints, &usual.proxies),
        endpoints,
        official_prefix: known.and_then(|known| known.official_prefix),
        rights: given.rights.filled(given.credentials.as_ref()),
        credentials: given.credentials,
        trusted_hosts: match given.trusted_hosts {
            Some(hosts) => with(hosts, trusted),
            None => built_in(trusted),
        },
        freshness: given.freshness.filled(),
        prefetch: given.prefetch.unwrap_or_else(|| usual.prefetch.clone()),
    }
}

fn built_in(values: &[&str]) -> Sourced<Vec<String>> {
    let provenance = if values.is_empty() {
        Provenance::Default
    } else {
        Provenance::BuiltIn
    };
    with(Sourced::new(Vec::new(), provenance), values)
}

/// Adds what is missing.
fn with(mut list: Sourced<Vec<String>>, more: &[&str]) -> Sourced<Vec<String>> {
    for value in more {
        if !list.iter().any(|held| held == value) {
            list.value.push((*value).to_owned());
        }
    }
    list
}

/// `url`, or `endpoints`.
fn endpoints(section: &mut Section<'_>, problems: &mut Vec<Problem>) -> Layered<Vec<Endpoint>> {
    let before = problems.len();
    let (url, several) = (section.take("url"), section.take("endpoints"));
    if let (Some(_), Some(second)) = (&url, &several) {
        problems.push(second.problem(Fault::UrlAndEndpoints));
    }
    if let Some(entry) = &several
        && entry.texts().is_ok_and(|texts| texts.is_empty())
    {
        problems.push(entry.problem(Fault::Empty));
    }
    let single = scalar(url, Endpoint::parse, problems)
        .map(|url| Sourced::new(vec![url.value], url.provenance));
    let several = list(several, Endpoint::parse, problems);
    match several.or(single) {
        _ if problems.len() > before => Layered::Refused,
        Some(endpoints) => Layered::Said(endpoints),
        None => Layered::Silent,
    }
}

fn no_url(name: &str) -> Fault {
    let alias_of = builtin::ALL
        .iter()
        .find(|known| known.aliases.contains(&name));
    Fault::NoUrl {
        name: name.to_owned(),
        meant: alias_of
            .map(|known| known.name)
            .or_else(|| nearest(name, builtin::ALL.iter().map(|known| known.name))),
    }
}

/// Every name and alias leads to one upstream.
fn names_taken(upstreams: &[Upstream]) -> Vec<Problem> {
    let mut holders: BTreeMap<&str, String> = upstreams
        .iter()
        .map(|upstream| (upstream.name.as_str(), "the name of an upstream".to_owned()))
        .collect();
    let mut problems = Vec::new();
    for upstream in upstreams {
        for alias in upstream.aliases.iter() {
            let holder = format!("an alias of {}", upstream.name);
            if let Some(first) = holders.get(alias.as_str()) {
                problems.push(Problem {
                    place: Place::Value(upstream.aliases.provenance.clone()),
                    setting: Some(format!("upstreams.\"{}\".aliases", upstream.name)),
                    fault: Fault::NameTaken {
                        name: Quoted::of(alias),
                        holder: first.clone(),
                    },
                });
            } else {
                holders.insert(alias, holder);
            }
        }
    }
    problems
}
