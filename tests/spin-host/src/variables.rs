//! `spin:variables`: the application's variables, and what of them the component sees.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use wasmtime::component::{Accessor, HasData};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use crate::template::Template;

/// What an operator sets a variable with: `SPIN_VARIABLE_` and its name in capitals.
const ENVIRONMENT: &str = "SPIN_VARIABLE_";

/// A variable's name, by Spin's rules (`crates/expressions`): lowercase letters, digits and single underscores
/// between them, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(
            text.starts_with(|c: char| c.is_ascii_lowercase())
                && text.chars().all(fits)
                && !text.ends_with('_')
                && !text.contains("__"),
            "{text:?} is no name of a variable"
        );
        Ok(Self(text.to_owned()))
    }

    /// The environment's variable of this name.
    fn environment(&self) -> String {
        format!("{ENVIRONMENT}{}", self.0.to_ascii_uppercase())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The values that an application has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<Name, String>);

impl Values {
    /// Those that were declared, each with what was given for it, or its default.
    pub(crate) fn new(
        declared: &BTreeMap<Name, Option<String>>,
        given: &BTreeMap<Name, String>,
    ) -> Result<Self> {
        for name in given.keys() {
            ensure!(
                declared.contains_key(name),
                "the manifest declares no variable {name}"
            );
        }
        let mut values = BTreeMap::new();
        for (name, default) in declared {
            let value = given.get(name).cloned();
            let value = value.or_else(|| std::env::var(name.environment()).ok());
            let value = value.or_else(|| default.clone());
            let value = value.with_context(|| format!("the variable {name} is required"))?;
            values.insert(name.clone(), value);
        }
        Ok(Self(values))
    }

    /// The value of this name.
    pub(crate) fn get(&self, name: &Name) -> Result<String> {
        let value = self.0.get(name).cloned();
        value.with_context(|| format!("the manifest declares no variable {name}"))
    }
}

/// Reads `--variable` flags: `name=value`, `name=@file`, or `@file.json` with several.
pub(crate) fn given(flags: &[String]) -> Result<BTreeMap<Name, String>> {
    let mut given = BTreeMap::new();
    for flag in flags {
        if let Some(file) = flag.strip_prefix('@') {
            let values: BTreeMap<String, String> = serde_json::from_str(&read(file)?)
                .with_context(|| format!("{file} is no JSON object of texts"))?;
            for (name, value) in values {
                given.insert(Name::parse(&name)?, value);
            }
            continue;
        }
        let Some((name, value)) = flag.split_once('=') else {
            bail!("a variable is set with name=value");
        };
        let value = match value.strip_prefix('@') {
            Some(file) => read(file)?,
            None => value.to_owned(),
        };
        given.insert(Name::parse(name)?, value);
    }
    Ok(given)
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(Path::new(file)).with_context(|| file.to_owned())
}

/// What a component sees: its own names, made of the application's values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(Arc<BTreeMap<String, String>>);

impl Variables {
    pub(crate) fn new(own: &BTreeMap<String, Template>, values: &Values) -> Result<Self> {
        let mut seen = BTreeMap::new();
        for (name, template) in own {
            Name::parse(name)?;
            seen.insert(name.clone(), template.resolve(|name| values.get(name))?);
        }
        Ok(Self(Arc::new(seen)))
    }
}

pub(crate) struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = &'a Variables;
}

impl Host for &Variables {}

impl<T: Send> HostWithStore<T> for HasVariables {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        let variables = accessor.with(|mut access| access.get().clone());
        if Name::parse(&name).is_err() {
            return Ok(Err(Error::InvalidName(name)));
        }
        Ok(match variables.0.get(&name) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::Undefined(name)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Name, Values, given};

    #[test]
    fn names_are_spins() {
        for (text, is_one) in [
            ("a", true),
            ("ledge_credentials_0", true),
            ("", false),
            ("A", false),
            ("0a", false),
            ("_a", false),
            ("a_", false),
            ("a__b", false),
            ("a-b", false),
        ] {
            assert_eq!(Name::parse(text).is_ok(), is_one, "{text:?}");
        }
    }

    #[test]
    fn a_value_is_given_or_the_default_or_missing() {
        let name = |text: &str| Name::parse(text).expect(text);
        let declared = BTreeMap::from([
            (name("with_default"), Some("default".to_owned())),
            (name("without"), None),
        ]);
        let flags = ["without=a=b".to_owned()];
        let values =
            Values::new(&declared, &given(&flags).expect("flags")).expect("all have values");
        assert_eq!(
            values.get(&name("with_default")).expect("a value"),
            "default"
        );
        assert_eq!(values.get(&name("without")).expect("a value"), "a=b");
        assert!(Values::new(&declared, &BTreeMap::new()).is_err());
        let other = given(&["other=1".to_owned()]).expect("a flag");
        assert!(Values::new(&declared, &other).is_err());
        assert!(given(&["no value".to_owned()]).is_err());
    }
}
