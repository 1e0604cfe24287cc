//! Whether a request is sent once more, and after how long: GET and HEAD are safe to repeat
//! (RFC 9110, section 9.2.1).

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::client::Fetched;
use crate::error::FetchError;

/// Whether the next try may well end better: a proxy's word that who is behind it is away, or a
/// connection that could not be made or broke. Who was too slow will not be faster, and who says
/// when to come back means it.
pub(crate) fn may_help(ended: &Result<Fetched, FetchError>) -> bool {
    match ended {
        Ok(fetched) => {
            let response = &fetched.response;
            matches!(
                response.status(),
                StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ) && !response.headers().contains_key(RETRY_AFTER)
        }
        Err(FetchError::Unreachable { .. } | FetchError::Protocol { .. }) => true,
        Err(_) => false,
    }
}

/// Between `wait` and half of it: who failed together shall not return together.
pub(crate) fn jittered(wait: Duration) -> Duration {
    let waits = ExponentialBuilder::default()
        .with_min_delay(wait / 2)
        .with_max_times(1)
        .with_jitter();
    waits.build().next().unwrap_or(wait)
}
