//! `spin:variables`: a component's configuration, and what of it changes while it runs.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use wasmtime::component::{Accessor, HasData};

use crate::bindings::spin::variables::variables::{Error, Host, HostWithStore};

/// A value that is looked up whenever it is read.
pub trait LiveVariable: Send + Sync + 'static {
    /// The value now. A component waits for it, and its other requests go on.
    fn read(&self) -> Reading<'_>;
}

/// The reading of a [`LiveVariable`].
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<String, NoValue>> + Send + 'a>>;

/// There is no value now. Who looked it up has logged why; the component is told these words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoValue(pub String);

/// Names and values. Values may hold secrets, so they never print.
#[derive(Clone, Default)]
pub struct Variables(Arc<HashMap<String, Value>>);

#[derive(Clone)]
enum Value {
    Fixed(String),
    Live(Arc<dyn LiveVariable>),
}

impl Variables {
    /// Values that do not change. Names are lowercase letters, digits and `_`, as Spin wants them.
    #[must_use]
    pub fn new(values: HashMap<String, String>) -> Self {
        let values = values.into_iter();
        let values = values.map(|(name, value)| (name, Value::Fixed(value)));
        Self(Arc::new(values.collect()))
    }

    /// The same, with one that is looked up whenever it is read.
    #[must_use]
    pub fn with_live(mut self, name: String, value: Arc<dyn LiveVariable>) -> Self {
        Arc::make_mut(&mut self.0).insert(name, Value::Live(value));
        self
    }

    /// The value of that name.
    async fn get(&self, name: String) -> Result<String, Error> {
        match self.0.get(&name) {
            Some(Value::Fixed(value)) => Ok(value.clone()),
            Some(Value::Live(value)) => value.read().await.map_err(|why| Error::Provider(why.0)),
            None => Err(Error::Undefined(name)),
        }
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
        let variables = accessor.with(|mut access| access.get().clone());
        Ok(variables.get(name).await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often it is read; the third time there is no value.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl LiveVariable for Counter {
        fn read(&self) -> Reading<'_> {
            let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            Box::pin(async move {
                match count {
                    3 => Err(NoValue("not now".to_owned())),
                    _ => Ok(count.to_string()),
                }
            })
        }
    }

    fn variables() -> Variables {
        Variables::new(HashMap::from([("fixed".to_owned(), "secret".to_owned())]))
            .with_live("live".to_owned(), Arc::new(Counter::default()))
    }

    #[test]
    fn values_do_not_print() {
        let shown = format!("{:?}", variables());
        assert!(shown.contains("fixed") && shown.contains("live"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[tokio::test]
    async fn live_ones_are_looked_up_at_every_read() {
        let variables = variables();
        let read = async |name: &str| variables.get(name.to_owned()).await;
        for expected in [Ok("1"), Ok("2"), Err("not now"), Ok("4")] {
            let value = read("live").await;
            let value = value.map_err(|error| match error {
                Error::Provider(why) => why,
                other => other.to_string(),
            });
            assert_eq!(value.as_deref().map_err(String::as_str), expected);
        }
        for _ in 0..2 {
            assert_eq!(read("fixed").await.ok().as_deref(), Some("secret"));
        }
        assert!(matches!(read("other").await, Err(Error::Undefined(name)) if name == "other"));
    }
}
