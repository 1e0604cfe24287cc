//! A component that misbehaves on demand: the path says how.
//!
//! | path | what it does |
//! |---|---|
//! | `/spin` | computes for ever |
//! | `/eat` | takes memory for ever |
//! | `/trap` | panics |
//! | `/wait` | waits for ever, as for an origin |
//! | others | 204 |
//!
//! A ticket to renew says it in the same words; of others there is nothing to renew.

mod bindings;

use bindings::exports::ledge::edge::origins;
use bindings::exports::wasi::http::handler;
use bindings::ledge::edge::blobs::Refusal;
use bindings::ledge::edge::flights;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::wit_future;

/// How much memory `/eat` takes at a time.
const BITE: usize = 1 << 20;

/// What the component exports.
#[derive(Debug)]
pub struct Guest;

impl handler::Guest for Guest {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        match request.get_path_with_query().as_deref() {
            Some("/spin") => spin(),
            Some("/eat") => eat(),
            Some("/trap") => panic!("as asked"),
            Some("/wait") => wait().await,
            _ => no_content(),
        }
    }
}

impl origins::Guest for Guest {
    async fn renew(ticket: Vec<u8>, _: Refusal) -> Result<Request, String> {
        match ticket.as_slice() {
            b"/spin" => spin(),
            b"/eat" => eat(),
            b"/trap" => panic!("as asked"),
            b"/wait" => wait().await,
            _ => Err("there is nothing to renew".to_owned()),
        }
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn eat() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; BITE]);
        std::hint::black_box(&eaten);
    }
}

/// Waits for a flight that nobody lands: a guest that waits for nothing at all is
/// a deadlock, and traps.
async fn wait() -> ! {
    let _held = flights::join("wait".to_owned()).await;
    loop {
        flights::join("wait".to_owned()).await;
    }
}

fn no_content() -> Result<Response, ErrorCode> {
    // Dropping the writer ends the trailers: there are none.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), None, trailers);
    match response.set_status_code(204) {
        Ok(()) => Ok(response),
        Err(()) => Err(ErrorCode::InternalError(None)),
    }
}
