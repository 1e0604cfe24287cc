//! `up`: an application that serves.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};
use wasmtime::component::Linker;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::access::{Counted, Line, counted};
use crate::arguments::{Limits, Up};
use crate::client::Client;
use crate::compile::{self, told};
use crate::egress::Allowed;
use crate::instance::Equipment;
use crate::instances::Instances;
use crate::key_value::Stores;
use crate::linker::link;
use crate::manifest::Application;
use crate::memory::Peaks;
use crate::records::Records;
use crate::routes::Routes;
use crate::variables::{Values, Variables, given};

/// What Spin answers itself (`spin-docs`, "Reserved Routes").
const HEALTH: &str = "/.well-known/spin/health";

/// Serves until the process is killed.
pub(crate) fn up(up: &Up) -> Result<()> {
    let application = Application::read(&up.from, up.runtime_config_file.as_deref())?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let host = Arc::new(Host::new(up, &application)?);
        let listener = TcpListener::bind(up.listen).await?;
        println!("listening on http://{}", listener.local_addr()?);
        loop {
            let (socket, peer) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let host = host.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| host.clone().answer(request, peer));
                let server = auto::Builder::new(TokioExecutor::new());
                let ended = server.serve_connection(TokioIo::new(socket), service).await;
                if let Err(error) = ended {
                    eprintln!("a connection broke: {error:#}");
                }
            });
        }
    })
}

struct Host {
    routes: Routes,
    handler: ProxyHandler<Instances>,
    limits: Limits,
}

impl Host {
    fn new(up: &Up, application: &Application) -> Result<Self> {
        let values = Values::new(&application.variables, &given(&up.variables)?)?;
        let hosts = application.allowed_hosts.iter();
        let hosts = hosts.map(|host| host.resolve(|name| values.get(name)));
        let allowed = Allowed::parse(&hosts.collect::<Result<Vec<_>>>()?)?;
        let engine = compile::engine()?;
        compile::tick(&engine);
        let component = compile::load(&engine, &up.compiled)?;
        let mut linker = Linker::new(&engine);
        link(&mut linker).map_err(told)?;
        let linked = linker.instantiate_pre(&component).map_err(told)?;
        let instances = Instances {
            component: ServicePre::new(linked).map_err(told)?,
            equipment: Equipment {
                engine,
                client: Client::new(allowed)?,
                stores: stores(up, application)?,
                variables: Variables::new(&application.own_variables, &values)?,
                peaks: Arc::new(Peaks::default()),
            },
            reuse: up.reuse,
            request_timeout: up.limits.request_timeout,
        };
        Ok(Self {
            routes: Routes::new(application.routes.iter().map(String::as_str)),
            handler: ProxyHandler::new(instances),
            limits: up.limits,
        })
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<Counted>, Infallible> {
        let line = Line {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
        };
        let deadline = self
            .limits
            .request_timeout
            .map(|limit| Instant::now() + limit);
        let response = self.respond(request, peer, deadline).await;
        Ok(counted(line, response, self.limits.max_response, deadline))
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        deadline: Option<Instant>,
    ) -> Response<WasiBody> {
        if request.uri().path() == HEALTH {
            return Response::new(
                Full::new(Bytes::from_static(b"OK"))
                    .map_err(never)
                    .boxed_unsync(),
            );
        }
        let Some(request) = self.routed(request, peer) else {
            return nothing(StatusCode::NOT_FOUND);
        };
        let answer = self.handler.handle((), request);
        let far = Instant::now() + Duration::from_secs(24 * 3600);
        match timeout_at(deadline.unwrap_or(far), answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                eprintln!("the component failed: {error:#}");
                nothing(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Err(_) => nothing(StatusCode::GATEWAY_TIMEOUT),
        }
    }

    /// The request as the component gets it, if it is the component's: with an absolute URL, and what Spin says of it in
    /// fields of its own (`spin-docs`, "Additional Request Information").
    fn routed(&self, request: Request<Incoming>, peer: SocketAddr) -> Option<Request<WasiBody>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let (base, rest) = self.routes.find(&path)?;
        head.uri = absolute(&head.uri, head.headers.get(header::HOST))?;
        for (name, value) in [
            ("spin-full-url", head.uri.to_string()),
            ("spin-path-info", rest.to_owned()),
            ("spin-matched-route", format!("{base}/...")),
            ("spin-raw-component-route", format!("{base}/...")),
            ("spin-component-route", base.to_owned()),
            ("spin-client-addr", peer.to_string()),
        ] {
            head.headers
                .insert(name, HeaderValue::try_from(value).ok()?);
        }
        let body = body.map_err(wasmtime_wasi_http::Error::from).boxed_unsync();
        Some(Request::from_parts(head, body))
    }
}

fn absolute(uri: &Uri, host: Option<&HeaderValue>) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    if parts.authority.is_none() {
        parts.authority = Some(Authority::try_from(host?.as_bytes()).ok()?);
    }
    parts.scheme = Some(Scheme::HTTP);
    let root = PathAndQuery::from_static("/");
    parts.path_and_query = Some(parts.path_and_query.unwrap_or(root));
    Uri::from_parts(parts).ok()
}

fn stores(up: &Up, application: &Application) -> Result<Stores> {
    let mut by_label = BTreeMap::new();
    for label in &application.stores {
        let records = match &up.state_dir {
            Some(folder) => {
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
                Records::open(&folder.join(label))?
            }
            None => Records::default(),
        };
        by_label.insert(label.clone(), Arc::new(records));
    }
    Ok(Stores {
        by_label: Arc::new(by_label),
        limits: up.limits,
    })
}

/// Spin's own answers have no body.
fn nothing(status: StatusCode) -> Response<WasiBody> {
    let mut response = Response::new(Empty::new().map_err(never).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn never(never: Infallible) -> wasmtime_wasi_http::Error {
    match never {}
}
