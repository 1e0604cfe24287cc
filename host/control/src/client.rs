//! The other side of the socket.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ledge_tend::{Command, Event, Export, Gone, Import, Report};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::layouts::streamed;
use crate::path::SocketPath;
use crate::pipe::{BLOCKS, Block, Sending};
use crate::route::Answer;
use crate::wire::{self, Failure, Line};

/// The longest line of an answer, in bytes: far longer than those of our own mirrors.
const MAX_LINE: usize = 4 << 20;

/// Why a mirror did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is nobody at the socket.
    #[error("the store {} is in use by a process that takes no commands ({why}): it is starting or ending, or an older version; try again soon", directory.display())]
    Nobody {
        /// The store.
        directory: PathBuf,
        /// What the operating system says.
        why: io::Error,
    },
    /// The connection broke.
    #[error("the mirror hung up before it was done: {0}")]
    Broken(#[source] hyper::Error),
    /// The answer is none that this version knows.
    #[error("the mirror's answer is none that is known here; it may be of another version")]
    Strange,
    /// It says why.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// Whoever watched has gone.
    #[error("it was stopped before it was done")]
    Gone,
    /// What was to be sent cannot be read.
    #[error("the layout cannot be read: {0}")]
    Read(#[source] io::Error),
    /// What came cannot be written.
    #[error("the layout cannot be written: {0}")]
    Write(#[source] io::Error),
}

/// The way to a mirror that has a store open.
#[derive(Clone, Debug)]
pub struct Client {
    directory: PathBuf,
}

impl Client {
    /// The mirror that has this directory's store open.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Has a command done, and tells `watch` what is told.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn run(
        &self,
        command: &Command,
        watch: &mut (dyn FnMut(Event) -> Result<(), Gone> + Send),
    ) -> Result<Report, ClientError> {
        let (path, body) = wire::request(command).ok_or(ClientError::Strange)?;
        let response = self.send(&path, text(body)).await?;
        report(response, watch).await
    }

    /// Has a layout written to `out`, as a tar.
    ///
    /// # Errors
    /// [`ClientError`]; what was written is no layout then.
    pub async fn export(
        &self,
        export: &Export,
        out: &mut (dyn Write + Send),
    ) -> Result<(), ClientError> {
        let body = serde_json::to_string(export).map_err(|_| ClientError::Strange)?;
        let response = self.send(wire::EXPORT, text(body)).await?;
        if response.status() != StatusCode::OK {
            return report(response, &mut |_| Ok(())).await.map(drop);
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(ClientError::Broken)?;
            let bytes = frame.data_ref().map_or(&[][..], |bytes| bytes);
            out.write_all(bytes).map_err(ClientError::Write)?;
        }
        Ok(())
    }

    /// Brings a layout, as a tar.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn import(
        &self,
        import: &Import,
        from: impl Read + Send + 'static,
    ) -> Result<Report, ClientError> {
        let (send, blocks) = mpsc::channel(BLOCKS);
        let reading = spawn_blocking(move || send_all(from, send));
        let path = wire::import_path(import);
        let answered = async {
            let response = self.send(&path, streamed(blocks)).await?;
            report(response, &mut |_| Ok(())).await
        };
        match (answered.await, reading.await) {
            (Err(ClientError::Broken(_)), Ok(Err(error))) => Err(ClientError::Read(error)),
            (answered, _) => answered,
        }
    }

    async fn send(&self, path: &str, body: Answer) -> Result<Response<Incoming>, ClientError> {
        let request = Request::post(path)
            .header("host", "ledge")
            .body(body)
            .map_err(|_| ClientError::Strange)?;
        let nobody = |why| ClientError::Nobody {
            directory: self.directory.clone(),
            why,
        };
        let path = SocketPath::of(&self.directory).map_err(nobody)?;
        let stream = UnixStream::connect(path.get()).await.map_err(nobody)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Broken)?;
        // Ends with the answer; what breaks is told there.
        tokio::spawn(connection);
        sender
            .send_request(request)
            .await
            .map_err(ClientError::Broken)
    }
}

fn text(body: String) -> Answer {
    let body = Full::new(Bytes::from(body));
    body.map_err(|never: Infallible| match never {})
        .boxed_unsync()
}

/// Sends all that there is, for as long as somebody takes it.
fn send_all(mut from: impl Read, to: mpsc::Sender<Block>) -> io::Result<()> {
    let mut out = Sending::new(to);
    let sent = io::copy(&mut from, &mut out).and_then(|_| out.flush());
    match sent {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            out.cut(&error.to_string());
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

/// Reads an answer to its last line.
async fn report(
    response: Response<Incoming>,
    watch: &mut (dyn FnMut(Event) -> Result<(), Gone> + Send),
) -> Result<Report, ClientError> {
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(ClientError::Broken)?;
        read.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let line = read.split_to(end + 1);
            match serde_json::from_slice(&line).map_err(|_| ClientError::Strange)? {
                Line::Event(event) => watch(event).map_err(|Gone| ClientError::Gone)?,
                Line::Done(report) => return Ok(report),
                Line::Failed(failure) => return Err(ClientError::Failed(failure)),
            }
        }
        if read.len() > MAX_LINE {
            break;
        }
    }
    Err(ClientError::Strange)
}
