//! `spin.toml`, version 2, and the runtime configuration: as much of both as one component of the HTTP trigger has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::template::Template;
use crate::variables::Name;

/// The store that Spin provides without being told how.
const DEFAULT_STORE: &str = "default";

/// An application of one component.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) routes: Vec<String>,
    /// Each with its default; one without is required.
    pub(crate) variables: BTreeMap<Name, Option<String>>,
    /// What the component sees, by its own names.
    pub(crate) own_variables: BTreeMap<String, Template>,
    pub(crate) allowed_hosts: Vec<Template>,
    pub(crate) stores: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    spin_manifest_version: u32,
    #[serde(rename = "application")]
    _application: ApplicationTable,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationTable {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "version")]
    _version: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    #[serde(rename = "description")]
    _description: Option<String>,
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default, rename = "secret")]
    _secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    http: Vec<HttpTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    route: String,
    component: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Component {
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "source")]
    _source: String,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(rename = "build")]
    _build: Option<Build>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    #[serde(rename = "command")]
    _command: String,
    #[serde(default, rename = "watch")]
    _watch: Vec<String>,
}

/// What of a runtime configuration is looked at: which stores it has.
#[derive(Debug, Default, Deserialize)]
struct RuntimeConfig {
    #[serde(default)]
    key_value_store: BTreeMap<String, toml::Table>,
}

impl Application {
    /// Reads a manifest, and the runtime configuration that its stores need.
    pub(crate) fn read(manifest: &Path, runtime_config: Option<&Path>) -> Result<Self> {
        let runtime_config = match runtime_config {
            Some(path) => parse::<RuntimeConfig>(path)?,
            None => RuntimeConfig::default(),
        };
        let application = Self::new(parse(manifest)?);
        let application = application.with_context(|| manifest.display().to_string())?;
        for label in &application.stores {
            ensure!(
                label == DEFAULT_STORE || runtime_config.key_value_store.contains_key(label),
                "the runtime configuration has no key-value store {label:?}"
            );
        }
        Ok(application)
    }

    fn new(manifest: Manifest) -> Result<Self> {
        let version = manifest.spin_manifest_version;
        ensure!(version == 2, "it is a manifest of version {version}");
        let mut components = manifest.component.into_iter();
        let (Some((id, component)), None) = (components.next(), components.next()) else {
            bail!("it has not one component");
        };
        let mut routes = Vec::new();
        for trigger in manifest.trigger.http {
            ensure!(
                trigger.component == id,
                "no component is called {}",
                trigger.component
            );
            routes.push(trigger.route);
        }
        Ok(Self {
            routes,
            variables: declared(manifest.variables)?,
            own_variables: component
                .variables
                .into_iter()
                .map(|(name, text)| Ok((name, Template::parse(&text)?)))
                .collect::<Result<_>>()?,
            allowed_hosts: component
                .allowed_outbound_hosts
                .iter()
                .map(|text| Template::parse(text))
                .collect::<Result<_>>()?,
            stores: component.key_value_stores,
        })
    }
}

fn declared(variables: BTreeMap<String, Variable>) -> Result<BTreeMap<Name, Option<String>>> {
    let variables = variables.into_iter().map(|(name, variable)| {
        ensure!(
            variable.required != variable.default.is_some(),
            "the variable {name} is either required or has a default"
        );
        Ok((Name::parse(&name)?, variable.default))
    });
    variables.collect()
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Application;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [variables]
        host = { default = "https://a" }
        secret = { required = true, secret = true }
        [[trigger.http]]
        route = "/v2/..."
        component = "c"
        [component.c]
        source = "c.wasm"
        allowed_outbound_hosts = ["{{ host }}"]
        key_value_stores = ["default", "other"]
        [component.c.variables]
        seen = "{{ secret }}"
    "#;

    fn read(manifest: &str, runtime_config: Option<&str>) -> anyhow::Result<Application> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("spin.toml");
        fs::write(&path, manifest)?;
        let other = folder.path().join("runtime-config.toml");
        if let Some(text) = runtime_config {
            fs::write(&other, text)?;
        }
        Application::read(&path, runtime_config.map(|_| other.as_path()))
    }

    #[test]
    fn an_application_is_read() {
        let stores = "[key_value_store.other]\ntype = \"spin\"\npath = \"x\"\n";
        let application = read(MANIFEST, Some(stores)).expect("an application");
        assert_eq!(application.routes, ["/v2/..."]);
        assert_eq!(application.variables.len(), 2);
        assert_eq!(application.own_variables.len(), 1);
        assert_eq!(application.allowed_hosts.len(), 1);
        assert_eq!(application.stores.len(), 2);
    }

    #[test]
    fn what_spin_would_refuse_is_refused() {
        let error = read(MANIFEST, None).expect_err("a store is not configured");
        assert!(error.to_string().contains("\"other\""), "{error}");
        for (from, to) in [
            ("= 2", "= 1"),
            ("component = \"c\"", "component = \"d\""),
            ("{ default = \"https://a\" }", "{}"),
            ("host = {", "Host = {"),
            ("name = \"a\"", "name = \"a\"\nnaem = \"b\""),
            ("\"{{ host }}\"", "\"{{ host\""),
        ] {
            let manifest = MANIFEST.replace(from, to).replace(", \"other\"", "");
            assert!(read(&manifest, None).is_err(), "{to}");
        }
    }
}
