//! All layers together: what [`Config::load`] does.

use crate::builtin;
use crate::environment::Surroundings;
use crate::error::{Place, Problem, Problems};
use crate::file::{self, Section};
use crate::flags::Flags;
use crate::layers::{Layered, Layers};
use crate::provenance::{Provenance, Sourced};
use crate::rules;
use crate::setting;
use crate::shared;
use crate::transfer::Prefetch;
use crate::types::{Config, Limits, Log, Server, Store, Transfer, Upstream};
use crate::upstreams;
use crate::value::Shape;
use std::path::PathBuf;

impl Config {
    /// Reads the file and lays variables and flags over it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once. A file that cannot be read or is no TOML hides the rest.
    pub fn load(flags: &Flags, surroundings: &Surroundings) -> Result<Self, Problems> {
        let alone = |problem: Problem| Problems(vec![problem]);
        let text = file::read(flags, surroundings).map_err(alone)?;
        let root = match &text {
            Some(text) => text.parse().map_err(alone)?,
            None => Section::default(),
        };
        let mut layers = Layers::new(surroundings, flags);
        let config = read(root, &mut layers);
        let mut problems = layers.problems;
        match config {
            Some(config) if problems.is_empty() => Ok(Self {
                file: text.as_ref().map(|text| text.path.clone()),
                component: component(flags, surroundings),
                ..config
            }),
            _ => {
                problems.sort_by_key(|problem| rank(&problem.place));
                Err(Problems(problems))
            }
        }
    }
}

/// The file's problems first, from its top to its bottom.
fn rank(place: &Place) -> (u8, usize, usize) {
    match place {
        Place::WholeFile(_) => (0, 0, 0),
        Place::Value(Provenance::File(place)) => (1, place.line, place.column),
        Place::Value(Provenance::Environment(_)) => (2, 0, 0),
        Place::Value(Provenance::Flag(_)) => (3, 0, 0),
        Place::Value(Provenance::Default | Provenance::BuiltIn) => (4, 0, 0),
    }
}

/// Nothing only if there are problems.
fn read(mut root: Section<'_>, layers: &mut Layers<'_>) -> Option<Config> {
    let server = part(&mut root, layers, "server", server);
    let store = part(&mut root, layers, "store", store);
    let limits = part(&mut root, layers, "limits", limits);
    let transfer = part(&mut root, layers, "transfer", transfer);
    let log = part(&mut root, layers, "log", log);
    let shared = part(&mut root, layers, "shared", shared::read);
    let named = subsection(&mut root, layers, "upstreams");
    let usual = transfer.as_ref().map_or_else(
        // Refused, and that is told already.
        || Sourced::new(Prefetch::Off, Provenance::Default),
        |transfer| transfer.prefetch.clone(),
    );
    let upstreams = upstreams::read(named, &usual, layers.surroundings, &mut layers.problems);
    let default_upstream = default_upstream(&mut root, layers, &upstreams);
    let rules = rules::read(root.take("rules"), &upstreams, &mut layers.problems);
    layers.problems.extend(root.finish());
    Some(Config {
        file: None,
        component: None,
        default_upstream,
        server: server?,
        store: store?,
        limits: limits?,
        transfer: transfer?,
        log: log?,
        shared,
        upstreams,
        rules,
    })
}

/// Reads one section, which may be missing: variables and flags speak all the same.
fn part<T>(
    root: &mut Section<'_>,
    layers: &mut Layers<'_>,
    name: &'static str,
    read: impl FnOnce(&mut Section<'_>, &mut Layers<'_>) -> T,
) -> T {
    let mut section = subsection(root, layers, name).unwrap_or_default();
    let part = read(&mut section, layers);
    layers.problems.extend(section.finish());
    part
}

fn subsection<'a>(
    root: &mut Section<'a>,
    layers: &mut Layers<'_>,
    name: &'static str,
) -> Option<Section<'a>> {
    match root.take(name)?.into_section() {
        Ok(section) => Some(section),
        Err(problem) => {
            layers.problems.push(problem);
            None
        }
    }
}

fn server(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Option<Server> {
    let listen = layers.setting(section, &setting::LISTEN);
    let drain = layers.setting(section, &setting::DRAIN);
    let max_connections = layers.setting(section, &setting::MAX_CONNECTIONS);
    let header_timeout = layers.setting(section, &setting::HEADER_TIMEOUT);
    let write_timeout = layers.setting(section, &setting::WRITE_TIMEOUT);
    let answers = layers.setting(section, &setting::ANSWERS);
    Some(Server {
        listen: listen?,
        drain: drain?,
        max_connections: max_connections?,
        header_timeout: header_timeout?,
        write_timeout: write_timeout?,
        answers: answers?,
    })
}

fn store(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Option<Store> {
    let path = layers.setting(section, &setting::STORE_PATH);
    let memory = layers.setting(section, &setting::STORE_MEMORY);
    let max_size = layers.setting(section, &setting::MAX_SIZE);
    let min_free = layers.setting(section, &setting::MIN_FREE);
    let max_age = layers.setting(section, &setting::MAX_AGE);
    Some(Store {
        path: path?,
        memory: memory?,
        max_size: max_size?,
        min_free: min_free?,
        max_age: max_age?,
    })
}

fn limits(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Option<Limits> {
    let requests = layers.setting(section, &setting::REQUESTS);
    let transfers = layers.setting(section, &setting::TRANSFERS);
    let per_origin = layers.setting(section, &setting::TRANSFERS_PER_ORIGIN);
    let bandwidth = layers.setting(section, &setting::BANDWIDTH);
    let bandwidth_per_origin = layers.setting(section, &setting::BANDWIDTH_PER_ORIGIN);
    let instance_memory = layers.setting(section, &setting::INSTANCE_MEMORY);
    let instances = layers.setting(section, &setting::INSTANCES);
    let request_timeout = layers.setting(section, &setting::REQUEST_TIMEOUT);
    let connect = layers.setting(section, &setting::CONNECT_TIMEOUT);
    let header = layers.setting(section, &setting::UPSTREAM_HEADER_TIMEOUT);
    let idle = layers.setting(section, &setting::IDLE_TIMEOUT);
    Some(Limits {
        requests: requests?,
        transfers: transfers?,
        transfers_per_origin: per_origin?,
        bandwidth: bandwidth?,
        bandwidth_per_origin: bandwidth_per_origin?,
        instance_memory: instance_memory?,
        instances: instances?,
        request_timeout: request_timeout?,
        upstream_connect_timeout: connect?,
        upstream_header_timeout: header?,
        upstream_idle_timeout: idle?,
    })
}

fn transfer(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Option<Transfer> {
    let abandoned = layers.setting(section, &setting::ABANDONED);
    let ranges = layers.setting(section, &setting::RANGES);
    let leftovers = layers.setting(section, &setting::LEFTOVERS);
    let prefetch = layers.setting(section, &setting::PREFETCH);
    Some(Transfer {
        abandoned: abandoned?,
        ranges: ranges?,
        leftovers: leftovers?,
        prefetch: prefetch?,
    })
}

fn log(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Option<Log> {
    let format = layers.setting(section, &setting::LOG_FORMAT);
    let filter = layers.setting(section, &setting::LOG_FILTER);
    Some(Log {
        format: format?,
        filter: filter?,
    })
}

/// docker.io unless something else is said, and none if docker.io is not configured.
fn default_upstream(
    root: &mut Section<'_>,
    layers: &mut Layers<'_>,
    upstreams: &[Upstream],
) -> Option<Sourced<String>> {
    let exists = |name: &str| upstreams.iter().any(|upstream| upstream.name == name);
    let parse = |text: &str| upstreams::named(text, upstreams);
    match layers.layered(root, &setting::DEFAULT_UPSTREAM, Shape::Text, parse) {
        Layered::Said(name) => Some(name),
        Layered::Silent if exists(builtin::DEFAULT_UPSTREAM) => Some(Sourced::new(
            builtin::DEFAULT_UPSTREAM.to_owned(),
            Provenance::Default,
        )),
        Layered::Silent | Layered::Refused => None,
    }
}

/// Which component to run. It has no place in the file: which code runs is said where Ledge is started.
fn component(flags: &Flags, surroundings: &Surroundings) -> Option<Sourced<PathBuf>> {
    let flag = flags.component.clone();
    flag.map(|path| Sourced::new(path, Provenance::Flag("--component")))
        .or_else(|| {
            let path = surroundings.path("LEDGE_COMPONENT")?;
            Some(Sourced::new(
                path,
                Provenance::Environment("LEDGE_COMPONENT"),
            ))
        })
}
