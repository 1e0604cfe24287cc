//! What goes over the wire.

use ledge_tend::{Command, Event, Import, Report, TendError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What paths begin with.
const PREFIX: &str = "/v1/";

/// Where a layout is taken from.
pub(crate) const EXPORT: &str = "/v1/export";

/// Where one is brought to.
pub(crate) const IMPORT: &str = "/v1/import";

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// Something that is told meanwhile.
    Event(Event),
    /// The last line.
    Done(Report),
    /// The last line of what was not done.
    Failed(Failure),
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In words.
    pub message: String,
    /// Whether the request was wrong, rather than the store.
    pub refused: bool,
}

impl From<&TendError> for Failure {
    fn from(error: &TendError) -> Self {
        Self {
            message: error.to_string(),
            refused: error.is_refusal(),
        }
    }
}

impl Line {
    /// As a line of text.
    pub(crate) fn text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The path and the body of a command.
pub(crate) fn request(command: &Command) -> Option<(String, String)> {
    let Ok(Value::Object(named)) = serde_json::to_value(command) else {
        return None;
    };
    let (name, body) = named.into_iter().next()?;
    Some((format!("{PREFIX}{name}"), body.to_string()))
}

/// The path of an import, with what it says of it.
pub(crate) fn import_path(import: &Import) -> String {
    let size = import.size.map(|size| format!("&size={size}"));
    format!(
        "{IMPORT}?public={}{}",
        import.public,
        size.unwrap_or_default()
    )
}

/// The import of a query.
pub(crate) fn import(query: Option<&str>) -> Result<Import, String> {
    let mut import = Import::default();
    let pairs = query.unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let wrong = || format!("{pair:?} says nothing of an import");
        match pair.split_once('=').ok_or_else(wrong)? {
            ("public", value) => import.public = value.parse().map_err(|_| wrong())?,
            ("size", value) => import.size = Some(value.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    Ok(import)
}

/// The command of a path and a body. An empty body is one that says nothing.
pub(crate) fn command(path: &str, body: &[u8]) -> Result<Command, String> {
    let name = path.strip_prefix(PREFIX).ok_or("there is no such path")?;
    let body: Map<String, Value> = match body {
        [] => Map::new(),
        body => serde_json::from_slice(body).map_err(|error| error.to_string())?,
    };
    let named = Map::from_iter([(name.to_owned(), Value::Object(body))]);
    serde_json::from_value(Value::Object(named)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ledge_tend::{Fsck, Purge, Selector};

    use super::*;

    #[test]
    fn commands_are_read_as_they_are_written() {
        let selector: Selector =
            serde_json::from_str(r#"{"upstream":"docker.io"}"#).expect("right");
        let commands = [
            ("/v1/list", Command::List(Selector::default())),
            ("/v1/stats", Command::Stats {}),
            ("/v1/fsck", Command::Fsck(Fsck::default())),
            (
                "/v1/purge",
                Command::Purge(Purge {
                    selector,
                    pinned: true,
                    dry_run: false,
                }),
            ),
            ("/v1/gc", Command::Gc {}),
        ];
        for (expected, sent) in commands {
            let (path, body) = request(&sent).expect("a request");
            assert_eq!(path, expected);
            assert_eq!(command(&path, body.as_bytes()), Ok(sent));
        }
        assert_eq!(command("/v1/stats", b""), Ok(Command::Stats {}));
    }

    #[test]
    fn imports_are_read_as_they_are_written() {
        for (public, size) in [(true, None), (false, Some(u64::MAX))] {
            let sent = Import { public, size };
            let path = import_path(&sent);
            let query = path.strip_prefix("/v1/import?");
            assert_eq!(import(query), Ok(sent), "{path}");
        }
        assert_eq!(import(None), Ok(Import::default()));
        for query in ["public", "public=1", "size=-1", "a=b"] {
            assert!(import(Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn other_requests_are_refused() {
        for (path, body) in [
            ("/", "{}"),
            ("/v1/", "{}"),
            ("/v1/nothing", "{}"),
            ("/v1/fsck", "[]"),
            ("/v1/fsck", "{\"rat\":1}"),
            ("/v1/purge", ""),
            ("/v1/list", "{"),
        ] {
            assert!(command(path, body.as_bytes()).is_err(), "{path} {body}");
        }
    }
}
