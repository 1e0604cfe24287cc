//! A response's body on its way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::BoxError;
use crate::access::Record;

/// How much of a mapped file is read at once: half of what a stream may hold (`connection::STREAMS`).
const READ: usize = 128 * 1024;

pin_project! {
    /// What a response carries.
    #[project = ContentProjected]
    pub(crate) enum Content<B> {
        /// The handler's body.
        Handler { #[pin] body: B },
        /// A text of the server's own.
        Text { text: Option<Bytes> },
        /// Nothing, whatever `Content-Length` says.
        Nothing,
    }
}

pin_project! {
    /// A body that tells the record what became of it, when it is dropped at the latest.
    pub(crate) struct Sent<B> {
        #[pin]
        content: Content<B>,
        // What of a mapped file is still to be read, where it cannot be sent unread.
        mapped: Bytes,
        reads: bool,
        record: Record,
    }
}

impl<B> Sent<B> {
    pub(crate) fn new(content: Content<B>, record: Record) -> Self {
        Self {
            content,
            mapped: Bytes::new(),
            reads: false,
            record,
        }
    }

    /// Has it give no mapped files: HTTP/2 reads what it puts into frames.
    pub(crate) fn read(mut self) -> Self {
        self.reads = true;
        self
    }
}

impl<B> Body for Sent<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = if this.mapped.is_empty() {
            ready!(this.content.poll_frame(cx))
        } else {
            Some(Ok(Frame::data(std::mem::take(this.mapped))))
        };
        let frame = match frame {
            Some(Ok(frame)) if *this.reads => Some(read(frame, this.mapped)),
            frame => frame,
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.record.sent(data.len());
                }
            }
            Some(Err(error)) => this.record.failed(error),
            None => this.record.finished(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        if !self.mapped.is_empty() {
            return false;
        }
        match &self.content {
            Content::Handler { body } => body.is_end_stream(),
            Content::Text { text } => text.is_none(),
            Content::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Handler { body } => longer(body.size_hint(), self.mapped.len() as u64),
            Content::Text { text } => SizeHint::with_exact(text_length(text)),
            // Not zero: that would be taken for the length of what HEAD describes.
            Content::Nothing => SizeHint::default(),
        }
    }
}

impl<B> Content<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            ContentProjected::Handler { body } => body
                .poll_frame(cx)
                .map(|frame| frame.map(|f| f.map_err(Into::into))),
            ContentProjected::Text { text } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(text))))
            }
            ContentProjected::Nothing => Poll::Ready(None),
        }
    }
}

/// The frame; if it is a mapped file, its first bytes are read, and the rest is put into `left`. The kernel had them in
/// memory a moment ago, so that this waits for no disk.
fn read(frame: Frame<Bytes>, left: &mut Bytes) -> Result<Frame<Bytes>, BoxError> {
    let Some(found) = frame.data_ref().and_then(|data| ledge_sendfile::find(data)) else {
        return Ok(frame);
    };
    let mut data = frame.into_data().unwrap_or_default();
    let bytes = found.copy(data.len().min(READ))?;
    *left = data.split_off(bytes.len());
    Ok(Frame::data(bytes))
}

/// The same with so many bytes before it.
fn longer(hint: SizeHint, bytes: u64) -> SizeHint {
    let mut longer = SizeHint::new();
    longer.set_lower(hint.lower() + bytes);
    if let Some(upper) = hint.upper() {
        longer.set_upper(upper + bytes);
    }
    longer
}

fn text_length(text: &Option<Bytes>) -> u64 {
    text.as_ref().map_or(0, |text| text.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{self, Write};
    use std::net::SocketAddr;
    use std::sync::Arc;

    use http::Request;
    use http_body_util::{BodyExt as _, Full};
    use ledge_sendfile::Mapped;

    use super::*;
    use crate::activity::Activity;

    const LENGTH: usize = 300_000;

    fn mapped() -> (Vec<u8>, Mapped) {
        let bytes: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
        let mut file: File = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        let mapped = Mapped::new(Arc::new(file), LENGTH as u64).expect("mapped");
        (bytes, mapped)
    }

    fn sent(mapped: &Mapped) -> Sent<impl Body<Data = Bytes, Error = io::Error> + use<>> {
        let record = Record::begin(
            Arc::new(Activity::new()),
            &Request::new(()),
            SocketAddr::from(([127, 0, 0, 1], 1)),
        );
        let body = Full::new(mapped.slice(0..LENGTH)).map_err(|never| match never {});
        Sent::new(Content::Handler { body }, record)
    }

    #[tokio::test]
    async fn a_mapped_file_goes_on_as_it_is_or_is_read_in_pieces() {
        let (bytes, mapped) = mapped();
        let mut body = sent(&mapped);
        let frame = body.frame().await.expect("a frame").expect("no error");
        let data = frame.into_data().expect("bytes");
        assert!(ledge_sendfile::find(&data).is_some(), "it was read");

        let mut body = sent(&mapped).read();
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.expect("no error").into_data().expect("bytes");
            assert!(ledge_sendfile::find(&data).is_none(), "it is mapped");
            assert!(data.len() <= READ, "{}", data.len());
            all.extend_from_slice(&data);
            let left = (LENGTH - all.len()) as u64;
            assert_eq!(body.size_hint().exact(), Some(left));
            assert_eq!(body.is_end_stream(), left == 0);
        }
        assert!(all == bytes, "other bytes");
    }
}
