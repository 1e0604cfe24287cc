//! `spin.toml` and the runtime configurations beside it, compared with what the components ask for.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use ledge_core::config::{Registry, VARIABLE, credentials};
use ledge_core::key;
use ledge_tests::spin;
use toml::{Table, Value};

use crate::imports::component;

/// How many upstreams can have credentials there.
const CREDENTIALS: usize = 8;

/// What the data plane reads.
const OF_BLOBS: [&str; 4] = [
    "ledge_blobs",
    "ledge_blobs_key",
    "ledge_blobs_secret",
    "ledge_blobs_token",
];

/// Kinds of key-value stores that Spin has (its documentation, "Key Value Store Runtime Configuration"), and what each
/// has to be told.
const BACKENDS: [(&str, &[&str]); 4] = [
    ("spin", &["path"]),
    ("redis", &["url"]),
    ("azure_cosmos", &["account", "key", "database", "container"]),
    ("aws_dynamo", &["region", "table"]),
];

fn read(path: &str) -> Result<Table> {
    let text = fs::read_to_string(spin::top()?.join(path)).with_context(|| path.to_owned())?;
    text.parse().with_context(|| path.to_owned())
}

/// The table or value at `path`.
fn at<'a>(table: &'a Table, path: &[&str]) -> Result<&'a Value> {
    let (first, rest) = path.split_first().context("a path has a beginning")?;
    let first = table
        .get(*first)
        .with_context(|| format!("there is no {first}"))?;
    rest.iter().try_fold(first, |value, key| {
        value.get(key).with_context(|| format!("there is no {key}"))
    })
}

fn texts(value: &Value) -> Result<Vec<String>> {
    let texts = value.as_array().context("no list")?.iter();
    let texts = texts.map(|text| Ok(text.as_str().context("no text")?.to_owned()));
    texts.collect()
}

/// The variable that a text is nothing but.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix("{{ ")?.strip_suffix(" }}")
}

#[test]
fn the_component_is_what_the_build_writes() -> Result<()> {
    let manifest = read("spin.toml")?;
    let source = at(&manifest, &["component", "ledge", "source"])?;
    let source = source.as_str().context("the source is a file")?;
    let build = fs::read_to_string(spin::top()?.join("xtask/src/spin.rs"))?;
    assert!(build.contains(&format!("\"{source}\"")), "{source}");
    let command = at(&manifest, &["component", "ledge", "build", "command"])?;
    assert_eq!(command.as_str(), Some("cargo xtask build --spin"));
    let triggers = at(&manifest, &["trigger", "http"])?
        .as_array()
        .context("no list")?;
    let routes: Vec<_> = triggers
        .iter()
        .map(|trigger| trigger["route"].as_str())
        .collect();
    assert_eq!(
        routes,
        [Some("/v2/...")],
        "the registry's API and nothing else"
    );
    Ok(())
}

#[test]
fn the_variables_are_those_that_the_components_read() -> Result<()> {
    let manifest = read("spin.toml")?;
    let own = at(&manifest, &["component", "ledge", "variables"])?;
    let own = own.as_table().context("no table")?;
    let mut read = BTreeSet::from([VARIABLE.to_owned()]);
    for number in 0..CREDENTIALS {
        let variable = credentials::variable(number);
        read.extend([credentials::fresh(&variable), variable]);
    }
    read.extend(OF_BLOBS.map(str::to_owned));
    assert_eq!(own.keys().cloned().collect::<BTreeSet<_>>(), read);

    let wasm = fs::read(component("LEDGE_SPIN_WASM", "ledge_spin.wasm")?)?;
    for name in OF_BLOBS.into_iter().chain([VARIABLE]) {
        let is_there = wasm
            .windows(name.len())
            .any(|bytes| bytes == name.as_bytes());
        assert!(is_there, "no component reads {name}");
    }

    let declared = at(&manifest, &["variables"])?
        .as_table()
        .context("no table")?;
    let mut used = BTreeSet::new();
    for value in own.values() {
        let name = variable(value.as_str().context("no text")?).context("no variable")?;
        used.insert(name.to_owned());
    }
    let hosts = texts(at(
        &manifest,
        &["component", "ledge", "allowed_outbound_hosts"],
    )?)?;
    for host in &hosts {
        let name = variable(host).with_context(|| format!("{host} is for everybody"))?;
        assert!(used.insert(name.to_owned()), "{name} is used twice");
    }
    assert_eq!(declared.keys().cloned().collect::<BTreeSet<_>>(), used);
    Ok(())
}

#[test]
fn secrets_are_called_so_and_have_no_default() -> Result<()> {
    let manifest = read("spin.toml")?;
    let declared = at(&manifest, &["variables"])?
        .as_table()
        .context("no table")?;
    for (name, variable) in declared {
        let is_secret = variable.get("secret").and_then(Value::as_bool) == Some(true);
        let holds_one =
            name.starts_with("ledge_credentials_") || OF_BLOBS[1..].contains(&name.as_str());
        assert_eq!(is_secret, holds_one, "{name}");
        let default = variable.get("default").and_then(Value::as_str);
        assert!(!is_secret || default == Some(""), "{name}");
    }
    Ok(())
}

#[test]
fn what_is_mirrored_unless_it_is_said_can_be_reached() -> Result<()> {
    let manifest = read("spin.toml")?;
    let default = |name: &str| {
        let value = at(&manifest, &["variables", name, "default"])?;
        value.as_str().context("no text").map(str::to_owned)
    };
    let json = default("ledge_registry")?;
    assert!(Registry::parse(&json).is_ok());
    let registry: Registry = serde_json::from_str(&json)?;
    let hosts: Vec<_> = (1..=16)
        .map(|number| default(&format!("ledge_host_{number}")))
        .collect::<Result<_>>()?;
    for upstream in &registry.upstreams {
        let trusted = upstream
            .trusted_hosts
            .iter()
            .map(|host| format!("https://{host}"));
        for host in upstream.endpoints.iter().cloned().chain(trusted) {
            assert!(hosts.contains(&host), "{host} is not allowed");
        }
    }
    Ok(())
}

#[test]
fn each_example_has_every_store() -> Result<()> {
    let labels = BTreeSet::from([key::DEFAULT_STORE, key::CATALOG_STORE, key::VOLATILE_STORE]);
    let granted = texts(at(
        &read("spin.toml")?,
        &["component", "ledge", "key_value_stores"],
    )?)?;
    assert_eq!(
        granted.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        labels
    );
    for kind in ["sqlite", "redis", "azure", "aws"] {
        let example = read(&format!("examples/spin/runtime-config.{kind}.toml"))?;
        let stores = at(&example, &["key_value_store"])?
            .as_table()
            .context("no table")?;
        assert_eq!(
            stores.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            labels,
            "{kind}"
        );
        for (label, store) in stores {
            let kind = store["type"].as_str().context("no type")?;
            let (_, keys) = BACKENDS
                .iter()
                .find(|(name, _)| *name == kind)
                .with_context(|| format!("Spin has no stores of type {kind}"))?;
            for key in *keys {
                assert!(store.get(key).is_some(), "{kind}: {label} has no {key}");
            }
        }
    }
    Ok(())
}
