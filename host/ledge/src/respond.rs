//! The one place where a component's failure becomes a response.
//!
//! The client is told in the specification's error shape (OCI distribution
//! specification 1.1, "Error Codes"), in words that name no internals; the log is told the rest.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use ledge_runtime::{HandleError, ResponseBody};

/// Seconds after which a client that was turned away asks again. containerd retries
/// a 429 at once, and goes on to the next mirror after a 503: hence never 429.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("5");

/// The response to a request that the component did not answer.
pub(crate) fn failed(error: &HandleError) -> Response<ResponseBody> {
    match error {
        HandleError::Busy => {
            let mut response = problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "this mirror has as many requests as it takes: ask again soon",
            );
            response.headers_mut().insert(RETRY_AFTER, ASK_AGAIN);
            response
        }
        HandleError::Timeout => problem(
            StatusCode::GATEWAY_TIMEOUT,
            "this mirror had no answer in time: its log names the upstream",
        ),
        HandleError::Failed(_) => {
            tracing::error!("{error:#}");
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "this mirror failed: its log says why",
            )
        }
    }
}

fn problem(status: StatusCode, message: &'static str) -> Response<ResponseBody> {
    let body = format!(r#"{{"errors":[{{"code":"UNKNOWN","message":"{message}"}}]}}"#);
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn overload_is_503_with_a_time_and_the_specifications_shape() {
        let response = failed(&HandleError::Busy);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        let body = response.into_body().collect().await.expect("a whole body");
        let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
        assert_eq!(body["errors"][0]["code"], "UNKNOWN");
    }

    #[test]
    fn a_slow_component_is_504_never_500() {
        assert_eq!(failed(&HandleError::Timeout).status(), 504);
    }
}
