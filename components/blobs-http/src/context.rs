//! What an instance knows: its settings, read once, and the time.

use crate::bindings::exports::ledge::edge::blobs::Error;
use crate::bindings::spin::variables::variables;
use crate::secrets::{self, Secrets};
use crate::settings::{self, Settings};
use jiff::Timestamp;
use secrecy::SecretString;
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::SystemTime;

thread_local! {
    static SETTINGS: OnceCell<Rc<Settings>> = const { OnceCell::new() };
}

/// The settings.
///
/// # Errors
/// They are missing or cannot be used; the log says why.
pub(crate) async fn settings() -> Result<Rc<Settings>, Error> {
    if let Some(known) = SETTINGS.with(|cell| cell.get().cloned()) {
        return Ok(known);
    }
    let json = variables::get(settings::VARIABLE.to_owned()).await;
    let json = json.map_err(|error| unconfigured(&error))?;
    let secrets = Secrets {
        key: secret(secrets::KEY).await,
        secret: secret(secrets::SECRET).await,
        token: secret(secrets::TOKEN).await,
    };
    let parsed = Settings::parse(&json, &secrets).map_err(|error| unconfigured(&error))?;
    Ok(SETTINGS.with(|cell| cell.get_or_init(|| Rc::new(parsed)).clone()))
}

/// A secret that need not be there. An empty one is none: a manifest's default may be empty.
async fn secret(name: &str) -> Option<SecretString> {
    let value = variables::get(name.to_owned()).await.ok()?;
    (!value.is_empty()).then(|| value.into())
}

fn unconfigured(error: &dyn std::error::Error) -> Error {
    eprintln!(
        "the variable {} cannot be used: {error}",
        settings::VARIABLE
    );
    Error::Other("the store is not configured".to_owned())
}

/// Seconds since the Unix epoch; 0 if the clock stands before it.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |age| age.as_secs())
}

/// The moment that signatures name.
pub(crate) fn moment() -> Timestamp {
    let seconds = i64::try_from(now()).unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or_default()
}
