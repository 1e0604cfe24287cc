//! How long a client waits for an origin, with all that is tried: endpoints, tokens, a HEAD and
//! then a GET. Each has its own bound in the host; their sum has this one.

use crate::bindings::wasi::clocks::monotonic_clock::{Mark, now, wait_until};
use crate::failure::late;
use ledge_core::error::ApiError;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// When a request has to be answered, whatever its origin does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Mark);

impl Deadline {
    /// So long from now on.
    pub(crate) fn after(patience: Duration) -> Self {
        let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        Self(now().saturating_add(patience))
    }

    /// What asking an upstream brings, if that is in time. Else it is dropped, and nobody waits
    /// for its requests any more.
    ///
    /// # Errors
    /// Those of `asking`, and an outage: it was late.
    pub(crate) async fn bound<T, E: From<ApiError>>(
        self,
        upstream: &str,
        asking: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if now() >= self.0 {
            return Err(late(upstream).into());
        }
        let (mut asking, mut over) = (pin!(asking), pin!(wait_until(self.0)));
        poll_fn(|context| match asking.as_mut().poll(context) {
            Poll::Ready(found) => Poll::Ready(found),
            Poll::Pending => over
                .as_mut()
                .poll(context)
                .map(|()| Err(late(upstream).into())),
        })
        .await
    }
}
