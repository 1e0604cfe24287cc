//! Requests and answers, between values and the border's resources.

use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields as Headers, Method, Request, RequestOptions, Response, Scheme, Trailers,
};
use crate::bindings::{wit_future, wit_stream};
use crate::call::{Call, Fields, Verb};
use futures::channel::oneshot;
use std::time::Duration;
use url::Url;
use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult, StreamWriter};

/// How long a connection may take: as towards origins elsewhere, two lost packets are survived.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer's header may take: ten seconds for each of an origin and a bucket are what
/// a platform must allow (`platform`).
const HEADER: Duration = Duration::from_secs(10);

/// A bucket puts the parts of a large object together before it answers.
const COMPLETION: Duration = Duration::from_secs(60);

/// As long as its body is taken, an upload may last: as long as Spin waits of itself. A slow client
/// slows it down, and hosts count an answer's wait from the request's start.
const UPLOAD: Duration = Duration::from_secs(600);

/// How many bytes are taken at once. Each transfer holds a few of these: more makes no transfer
/// faster, and a hundred of them must fit beside each other.
pub(crate) const PIECE: usize = 128 << 10;

/// An answer, its body unread.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Fields,
    response: Response,
}

/// A body that comes in.
pub(crate) struct Body {
    stream: StreamReader<u8>,
    /// None when it was asked.
    end: Option<FutureReader<Result<Option<Trailers>, ErrorCode>>>,
}

/// A body that goes out. Dropped before [`Outgoing::finish`] it breaks off, so that nobody takes
/// it for whole.
pub(crate) struct Outgoing {
    stream: StreamWriter<u8>,
    end: FutureWriter<Result<Option<Trailers>, ErrorCode>>,
}

/// The other end of an [`Outgoing`].
type Incoming = (
    StreamReader<u8>,
    FutureReader<Result<Option<Trailers>, ErrorCode>>,
);

/// The answer to a request whose body is still being sent.
pub(crate) type Awaited = oneshot::Receiver<Result<Reply, ErrorCode>>;

impl Reply {
    pub(crate) fn new(response: Response) -> Self {
        Self {
            status: response.get_status_code(),
            fields: response.get_headers().copy_all(),
            response,
        }
    }

    /// The answer as it came.
    pub(crate) fn into_response(self) -> Response {
        self.response
    }

    pub(crate) fn body(self) -> Body {
        // Dropping the writer says that the body is welcome.
        let (_, taken) = wit_future::new(|| Ok(()));
        let (stream, end) = Response::consume_body(self.response, taken);
        Body {
            stream,
            end: Some(end),
        }
    }
}

impl Body {
    /// The next bytes, at most [`PIECE`]; `None` at the end.
    ///
    /// # Errors
    /// It broke off.
    pub(crate) async fn piece(&mut self) -> Result<Option<Vec<u8>>, ErrorCode> {
        loop {
            let (state, piece) = self.stream.read(Vec::with_capacity(PIECE)).await;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            if state == StreamResult::Dropped {
                // The stream's end says nothing; the trailers tell whether it was cut.
                if let Some(end) = self.end.take() {
                    end.await?;
                }
                return Ok(None);
            }
        }
    }

    /// All of it, if it has at most `max` bytes; else `Ok(None)`.
    ///
    /// # Errors
    /// It broke off.
    pub(crate) async fn whole(mut self, max: u64) -> Result<Option<Vec<u8>>, ErrorCode> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            whole.extend_from_slice(&piece);
            if whole.len() as u64 > max {
                return Ok(None);
            }
        }
        Ok(Some(whole))
    }

    /// The same body as the body of a response, unread.
    pub(crate) fn into_response(self, status: u16, fields: &Fields) -> Option<Response> {
        respond(status, fields, Some((self.stream, self.end?)))
    }
}

impl Outgoing {
    pub(crate) fn new() -> (Self, Incoming) {
        let (stream, reader) = wit_stream::new();
        let (end, ended) = wit_future::new(|| Err(ErrorCode::HttpResponseIncomplete));
        (Self { stream, end }, (reader, ended))
    }

    /// Sends bytes; false if nobody takes them any more.
    pub(crate) async fn write(&mut self, bytes: Vec<u8>) -> bool {
        self.stream.write_all(bytes).await.is_empty()
    }

    /// That was all.
    pub(crate) fn finish(self) {
        drop(self.stream);
        wit_bindgen::spawn_local(async move {
            // Who has gone does not ask whether it was whole.
            drop(self.end.write(Ok(None)).await);
        });
    }
}

/// A response.
pub(crate) fn respond(status: u16, fields: &Fields, body: Option<Incoming>) -> Option<Response> {
    let headers = Headers::from_list(fields).ok()?;
    let (stream, end) = match body {
        Some((stream, end)) => (Some(stream), end),
        None => (None, wit_future::new(|| Ok(None)).1),
    };
    let (response, _) = Response::new(headers, stream, end);
    response.set_status_code(status).ok()?;
    Some(response)
}

/// What somebody else's GET or HEAD says, so that it can be sent more than once.
pub(crate) fn understood(request: &Request) -> Option<Call> {
    let verb = match request.get_method() {
        Method::Get => Verb::Get,
        Method::Head => Verb::Head,
        _ => return None,
    };
    let scheme = match request.get_scheme() {
        Some(Scheme::Http) => "http",
        Some(Scheme::Https) | None => "https",
        Some(Scheme::Other(_)) => return None,
    };
    let authority = request.get_authority()?;
    let path = request.get_path_with_query().unwrap_or_default();
    let url = Url::parse(&format!("{scheme}://{authority}{path}")).ok()?;
    Some(Call {
        verb,
        url,
        fields: request.get_headers().copy_all(),
    })
}

/// Sends a request without a body.
pub(crate) async fn send(call: &Call) -> Result<Reply, ErrorCode> {
    let ended = wit_future::new(|| Ok(None)).1;
    let request = match call.verb {
        Verb::Get | Verb::Head => request(call, None, ended, HEADER)?,
        // Unless its length is said, the host sends an empty body in chunks. nginx takes no body
        // with DELETE or MOVE, whatever is in it (status 415).
        _ => request(
            &call.clone().with("content-length", "0"),
            None,
            ended,
            HEADER,
        )?,
    };
    Ok(Reply::new(client::send(request).await?))
}

/// Sends a request with a body that is all there.
pub(crate) async fn send_with(call: &Call, body: String) -> Result<Reply, ErrorCode> {
    let (mut outgoing, answer) = open(call, body.len() as u64, COMPLETION)?;
    if outgoing.write(body.into_bytes()).await {
        outgoing.finish();
    }
    answered(answer).await
}

/// Begins a request with a body of `length` bytes.
pub(crate) fn put(call: &Call, length: u64) -> Result<(Outgoing, Awaited), ErrorCode> {
    open(call, length, UPLOAD)
}

/// The answer to what was sent.
pub(crate) async fn answered(answer: Awaited) -> Result<Reply, ErrorCode> {
    answer.await.unwrap_or(Err(ErrorCode::HttpProtocolError))
}

fn open(call: &Call, length: u64, wait: Duration) -> Result<(Outgoing, Awaited), ErrorCode> {
    let call = call.clone().with("content-length", length.to_string());
    let (outgoing, (stream, end)) = Outgoing::new();
    let request = request(&call, Some(stream), end, wait)?;
    let (sender, answer) = oneshot::channel();
    wit_bindgen::spawn_local(async move {
        // Whoever gave the request up does not want the answer.
        drop(sender.send(client::send(request).await.map(Reply::new)));
    });
    Ok((outgoing, answer))
}

fn request(
    call: &Call,
    body: Option<StreamReader<u8>>,
    ended: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    wait: Duration,
) -> Result<Request, ErrorCode> {
    let malformed = || ErrorCode::HttpRequestUriInvalid;
    let headers = Headers::from_list(&call.fields).map_err(|_| malformed())?;
    let (request, _) = Request::new(headers, body, ended, Some(options(wait)));
    let scheme = if call.url.scheme() == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let path = &call.url[url::Position::BeforePath..url::Position::AfterQuery];
    request
        .set_method(&method(call.verb))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority(&call.url))))
        .and_then(|()| request.set_path_with_query(Some(path)))
        .map_err(|()| malformed())?;
    Ok(request)
}

fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

fn options(header: Duration) -> RequestOptions {
    let options = RequestOptions::new();
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).ok();
    // A host that knows no such bounds has its own.
    drop(options.set_connect_timeout(nanoseconds(CONNECT)));
    drop(options.set_first_byte_timeout(nanoseconds(header)));
    options
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::Get,
        Verb::Head => Method::Head,
        Verb::Put => Method::Put,
        Verb::Post => Method::Post,
        Verb::Delete => Method::Delete,
        Verb::Move => Method::Other("MOVE".to_owned()),
    }
}
