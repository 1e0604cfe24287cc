//! One line for every request, written when its body has ended; and the bounds of bodies.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

/// What the line says of a request.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) path: String,
}

/// What the line says of its answer.
#[derive(Debug)]
struct Answered {
    line: Line,
    status: u16,
    cache: String,
    sent: u64,
}

pin_project_lite::pin_project! {
    /// A response's body that is counted, and cut off where a platform cuts it off.
    pub(crate) struct Counted {
        body: WasiBody,
        answered: Answered,
        most: u64,
        #[pin]
        deadline: Option<Sleep>,
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        println!(
            "INFO access: method=\"{}\" path=\"{}\" status={} bytes={} cache=\"{}\"",
            self.line.method, self.line.path, self.status, self.sent, self.cache
        );
    }
}

/// The response, to be counted.
pub(crate) fn counted(
    line: Line,
    response: Response<WasiBody>,
    most: u64,
    deadline: Option<Instant>,
) -> Response<Counted> {
    let cache = response.headers().get("cache-status");
    let cache = cache.and_then(|cache| cache.to_str().ok());
    let answered = Answered {
        line,
        status: response.status().as_u16(),
        cache: cache.unwrap_or_default().to_owned(),
        sent: 0,
    };
    response.map(|body| Counted {
        body,
        answered,
        most,
        deadline: deadline.map(sleep_until),
    })
}

impl Body for Counted {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.project();
        if let Some(deadline) = this.deadline.as_pin_mut()
            && deadline.poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        let frame = Pin::new(this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            this.answered.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            if this.answered.sent > *this.most {
                return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(*this.most)))));
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
