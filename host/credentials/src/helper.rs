//! `docker-credential-NAME get`: the server's key on its standard input, JSON on its standard output.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use crate::error::Position;
use crate::secret::{Form, Secret, Unusable};

/// How long a helper may take. Clients give up on a header after 30 s at the soonest (containerd 2.3), and the token
/// service and the origin are yet to be asked.
const LIMIT: Duration = Duration::from_secs(10);
/// How much it may say. The passwords that clouds give for their registries are signed tokens of a few KiB.
const OUTPUT_BYTES: u64 = 64 * 1024;
/// How much of what it complains about is looked at for a first line.
const COMPLAINT_BYTES: usize = 4096;
/// How much of that line is told.
const COMPLAINT_CHARS: usize = 200;
/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// What helpers print when they have nothing, and exit with an error (docker-credential-helpers, `credentials/error.go`).
const NOT_FOUND: &[u8] = b"credentials not found in native keychain";

/// A helper's name, without the `docker-credential-` before it: letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperName(String);

/// The text is no helper's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a credential helper: letters, digits, '.', '_' and '-' only, without docker-credential-"
)]
pub struct HelperNameError(String);

impl HelperName {
    /// Reads a name, `ecr-login` for example.
    ///
    /// # Errors
    ///
    /// If it is empty or has other characters, a path's for example.
    pub fn parse(name: &str) -> Result<Self, HelperNameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if !name.is_empty() && name.bytes().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            // It may be a whole file by mistake.
            Err(HelperNameError(name.chars().take(64).collect()))
        }
    }

    /// The program's name.
    pub(crate) fn program(&self) -> String {
        format!("docker-credential-{}", self.0)
    }
}

impl fmt::Display for HelperName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong with a helper. What it printed is no part of it, for that may be the secret; what it complained
/// about is.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HelperFault {
    /// There is no such program.
    #[error("no such program in PATH")]
    NotFound,
    /// There is one that may not be run.
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// The system does not start it.
    #[error("cannot be started: {0}")]
    Start(Arc<io::Error>),
    /// Its pipes broke.
    #[error("cannot be spoken to: {0}")]
    Pipe(Arc<io::Error>),
    /// It took too long, and was killed.
    #[error("did not end within {} s, and was killed", LIMIT.as_secs())]
    Timeout,
    /// It said too much, and was killed.
    #[error("printed more than {OUTPUT_BYTES} bytes, and was killed")]
    TooLong,
    /// It failed.
    #[error("failed ({status}): {complaint}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// The first line that it wrote to standard error: printable, at most 200 characters.
        complaint: String,
    },
    /// It printed something else than credentials.
    #[error("did not print credentials: the JSON is wrong at {0}")]
    NotJson(Position),
    /// What it printed cannot be sent.
    #[error("printed what cannot be sent: {0}")]
    Unusable(#[from] Unusable),
}

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    username: String,
    secret: SecretString,
}

/// What a helper did.
struct Heard {
    status: ExitStatus,
    output: Zeroizing<Vec<u8>>,
    complaint: Vec<u8>,
}

/// Asks the program for a server's credentials; none if it has none.
pub(crate) async fn ask(program: &Path, server: &str) -> Result<Option<Secret>, HelperFault> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it started ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| HelperFault::Start(Arc::new(error)))?;
    let group = child.id();
    let heard = timeout(LIMIT, converse(&mut child, server))
        .await
        .unwrap_or(Err(HelperFault::Timeout));
    if heard.is_err() {
        kill(group);
    }
    read(&heard?)
}

/// Ends the helper and what it started. `converse` waits for the helper last of all, so whenever it fails the helper is
/// not yet reaped and its number is still its own.
fn kill(group: Option<u32>) {
    let group = group
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    if let Some(group) = group {
        // It fails if the group has ended by itself.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
}

async fn converse(child: &mut Child, server: &str) -> Result<Heard, HelperFault> {
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(pipe(io::ErrorKind::BrokenPipe.into()));
    };
    let (_, output, complaint) = tokio::try_join!(tell(stdin, server), hear(stdout), async {
        Ok(overhear(stderr).await)
    })?;
    let status = child.wait().await.map_err(pipe)?;
    Ok(Heard {
        status,
        output,
        complaint,
    })
}

fn pipe(error: io::Error) -> HelperFault {
    HelperFault::Pipe(Arc::new(error))
}

/// A helper for one server only need not read which it is.
async fn tell(mut stdin: ChildStdin, server: &str) -> Result<(), HelperFault> {
    match stdin.write_all(server.as_bytes()).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(pipe(error)),
        _ => Ok(()),
    }
}

async fn hear(mut from: impl AsyncRead + Unpin) -> Result<Zeroizing<Vec<u8>>, HelperFault> {
    // All of it at once: a vector that grows leaves copies behind.
    let room = usize::try_from(OUTPUT_BYTES + 1).unwrap_or(usize::MAX);
    let mut output = Zeroizing::new(vec![0; room]);
    let mut filled = 0;
    while filled < room {
        match from.read(&mut output[filled..]).await.map_err(pipe)? {
            0 => {
                output.truncate(filled);
                return Ok(output);
            }
            count => filled += count,
        }
    }
    Err(HelperFault::TooLong)
}

/// The beginning; the rest is read and forgotten, so that the helper need not wait.
async fn overhear(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut complaint = Vec::new();
    let mut buffer = [0; 1024];
    // An error is an end: this is for people only.
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let room = COMPLAINT_BYTES - complaint.len();
        complaint.extend_from_slice(&buffer[..count.min(room)]);
    }
    complaint
}

fn read(heard: &Heard) -> Result<Option<Secret>, HelperFault> {
    if !heard.status.success() {
        if heard.output.trim_ascii() == NOT_FOUND {
            return Ok(None);
        }
        return Err(HelperFault::Failed {
            status: heard.status,
            complaint: first_line(&heard.complaint),
        });
    }
    let printed: Printed = serde_json::from_slice(&heard.output)
        .map_err(|error| HelperFault::NotJson(Position::from(&error)))?;
    // Some helpers say so that they have nothing.
    if printed.username.is_empty() && printed.secret.expose_secret().is_empty() {
        return Ok(None);
    }
    let form = if printed.username == TOKEN_USER {
        Form::IdentityToken
    } else {
        Form::Password {
            username: printed.username,
        }
    };
    Ok(Some(form.secret(printed.secret)?))
}

/// The first line that is not blank, without what a terminal would obey.
fn first_line(complaint: &[u8]) -> String {
    let text = String::from_utf8_lossy(complaint);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it gave no reason on standard error")
        .chars()
        .take(COMPLAINT_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{COMPLAINT_CHARS, HelperName, first_line};

    #[test]
    fn names() {
        for name in ["ecr-login", "gcloud", "a.b_C-9", "..", "acr"] {
            let parsed = HelperName::parse(name).expect("a name");
            assert_eq!(parsed.to_string(), name);
            assert_eq!(parsed.program(), format!("docker-credential-{name}"));
        }
        for name in ["", "a/b", "/bin/sh", "a b", "a\n", "ä", "a;b", "a\0"] {
            assert!(HelperName::parse(name).is_err(), "{name:?}");
        }
        let long = "/".repeat(1000);
        let error = HelperName::parse(&long).expect_err("no name");
        assert!(error.to_string().len() < 250, "{error}");
    }

    #[test]
    fn complaints_are_short_and_printable() {
        assert_eq!(
            first_line(b"\n  \nno  key\x1b[31m\r\nmore"),
            "no  key\u{fffd}[31m"
        );
        assert_eq!(first_line(b"\xff"), "\u{fffd}");
        assert_eq!(
            first_line("ä".repeat(1000).as_bytes()).chars().count(),
            COMPLAINT_CHARS
        );
        assert_eq!(first_line(b""), "it gave no reason on standard error");
    }
}
