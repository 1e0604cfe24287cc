//! Layouts over the wire: an export is a body that goes, an import one that comes.

use std::time::SystemTime;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame};
use ledge_tend::{Export, Import, Report, Tend};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::pipe::{BLOCKS, Block, Receiving, Sending};
use crate::route::Answer;
use crate::wire::{Failure, Line};

/// The body of an export. It is cut short if that fails.
pub(crate) fn export(tend: Tend, export: Export) -> Answer {
    let (send, blocks) = mpsc::channel(BLOCKS);
    spawn_blocking(move || {
        let mut out = Sending::new(send);
        if let Err(error) = tend.export(&export, SystemTime::now(), &mut out) {
            tracing::warn!(%error, "an export failed");
            out.cut(&error.to_string());
        }
    });
    streamed(blocks)
}

/// Reads a body as an import; the answer is one line.
pub(crate) fn import<B>(tend: Tend, import: Import, body: B) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let (send, blocks) = mpsc::channel(BLOCKS);
    let (answer, line) = mpsc::channel(1);
    tokio::spawn(carry(body, send));
    spawn_blocking(move || {
        let mut from = Receiving::new(blocks);
        let line = match tend.import(&import, SystemTime::now(), &mut from) {
            Ok(report) => Line::Done(Report::Import(report)),
            Err(error) => {
                tracing::warn!(%error, "an import failed");
                Line::Failed(Failure::from(&error))
            }
        };
        // A client that has gone does not want to know.
        let _ = answer.blocking_send(Ok(Bytes::from(line.text())));
    });
    streamed(line)
}

/// Until nobody reads any more.
async fn carry<B>(body: B, to: mpsc::Sender<Block>)
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let block = match frame.map_err(std::io::Error::other) {
            Ok(frame) => frame.into_data().map(Ok),
            Err(error) => Ok(Err(error)),
        };
        // What is no data, trailers, says nothing here.
        if let Ok(block) = block
            && to.send(block).await.is_err()
        {
            return;
        }
    }
}

pub(crate) fn streamed(blocks: mpsc::Receiver<Block>) -> Answer {
    let frames = stream::unfold(blocks, async |mut blocks| {
        let block = blocks.recv().await?;
        Some((block.map(Frame::data), blocks))
    });
    StreamBody::new(frames).boxed_unsync()
}
