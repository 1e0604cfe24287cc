//! `spin:variables`: a component's configuration.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasData};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};

/// Names and values. Values may hold secrets, so they never print.
#[derive(Clone, Default)]
pub struct Variables(Arc<HashMap<String, String>>);

impl Variables {
    /// Names are lowercase letters, digits and `_`, as Spin wants them.
    #[must_use]
    pub fn new(values: HashMap<String, String>) -> Self {
        Self(Arc::new(values))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
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
        Ok(accessor.with(|mut access| match access.get().0.get(&name) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::Undefined(name)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_print() {
        let variables = Variables::new(HashMap::from([("name".into(), "secret".into())]));
        assert_eq!(format!("{variables:?}"), r#"{"name"}"#);
    }
}
