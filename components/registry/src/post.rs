//! Sending a form to a token service.

use crate::ask::field;
use crate::bindings::wasi::http::types::{Fields as Headers, Method, Request, Scheme as WitScheme};
use crate::bindings::{wit_future, wit_stream};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::uri::{HttpUri, Scheme};

/// A POST of a form.
///
/// # Errors
/// The URI cannot stand in a request.
pub(crate) fn form(uri: &HttpUri, form: String) -> Result<Request, ApiError> {
    let fields = [
        field("accept", "application/json"),
        field("content-type", "application/x-www-form-urlencoded"),
        field("content-length", &form.len().to_string()),
    ];
    let headers = Headers::from_list(&fields).map_err(|_| broken())?;
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (mut writer, body) = wit_stream::new();
    let (request, _) = Request::new(headers, Some(body), trailers, None);
    let scheme = match uri.endpoint().scheme() {
        Scheme::Http => WitScheme::Http,
        Scheme::Https => WitScheme::Https,
    };
    let place = uri.endpoint().authority().as_str();
    request
        .set_method(&Method::Post)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(place)))
        .and_then(|()| request.set_path_with_query(Some(uri.path_and_query())))
        .map_err(|()| broken())?;
    // It is read once the request is sent. Whoever does not read it to its end has answered already.
    wit_bindgen::spawn_local(async move {
        writer.write_all(form.into_bytes()).await;
    });
    Ok(request)
}

fn broken() -> ApiError {
    ApiError::new(
        ErrorKind::Internal,
        "the request to the token service could not be made",
    )
}
