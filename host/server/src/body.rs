//! A response's body on its way out.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::BoxError;
use crate::access::Record;

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
        record: Record,
    }
}

impl<B> Sent<B> {
    pub(crate) fn new(content: Content<B>, record: Record) -> Self {
        Self { content, record }
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
        let frame = ready!(this.content.poll_frame(cx));
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
        match &self.content {
            Content::Handler { body } => body.is_end_stream(),
            Content::Text { text } => text.is_none(),
            Content::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Handler { body } => body.size_hint(),
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

fn text_length(text: &Option<Bytes>) -> u64 {
    text.as_ref().map_or(0, |text| text.len() as u64)
}
