//! The components that are built are asked, and a token service that is scripted.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use ledge_origin::{Client, ClientOptions, EgressRules, UpstreamEgress};
use ledge_store::{BlobStore, Bounds, MemoryKv, StoreOptions, local};
use ledge_transfer::{Abandoned, Ranges, Retries, Source, TransferOptions, Transfers};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wasmtime::component::Linker;

use super::*;
use crate::capabilities::Capabilities;
use crate::engine::{Engine, EngineOptions};
use crate::flights::Flights;
use crate::key_value::Stores;
use crate::linker::link;
use crate::runtime::tick;
use crate::variables::Variables;

/// Far above what a call takes.
const LONG: Duration = Duration::from_secs(60);

const PATH: &str = "/v2/library/app/blobs/sha256:\
                    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A service that gives `token-1`, `token-2`, …; or what `status` says.
struct Tokens {
    url: String,
    given: Arc<AtomicUsize>,
}

impl Tokens {
    async fn serve(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let given = Arc::new(AtomicUsize::new(0));
        let counter = given.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                give(connection, status, &counter).await;
            }
        });
        Self { url, given }
    }

    fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }

    /// What an origin says to a token that it takes no more.
    fn refusal(&self, status: StatusCode, origin: usize) -> Refusal {
        let challenge = format!(
            "Bearer realm=\"{}/token\",service=\"test\",scope=\"repository:library/app:pull\"",
            self.url
        );
        let challenge = HeaderValue::try_from(challenge).expect("a header value");
        Refusal {
            status,
            headers: HeaderMap::from_iter([(WWW_AUTHENTICATE, challenge)]),
            body: bytes::Bytes::new(),
            origin,
        }
    }
}

async fn give(mut connection: TcpStream, status: &str, given: &AtomicUsize) {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => header.push(byte),
            Err(_) => return,
        }
    }
    let number = given.fetch_add(1, Ordering::SeqCst) + 1;
    let json = format!(r#"{{"token":"token-{number}","expires_in":300}}"#);
    let length = json.len();
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{json}");
    // Who asked may have gone: that is theirs to complain of.
    drop(connection.write_all(answer.as_bytes()).await);
}

/// A component, an engine with one place beside those for renewals, and no origin but `url`.
struct Bench {
    equipment: Equipment,
    component: InstancePre<InstanceState>,
    _directory: TempDir,
}

impl Bench {
    fn new(variable: &str, file: &str, url: &str) -> Self {
        let options = EngineOptions {
            instances: 1,
            instance_memory: 16 << 20,
        };
        let engine = Engine::new(options).expect("an engine");
        let component = engine.load(&built(variable, file)).expect("a component");
        let mut linker = Linker::new(&engine.0);
        link(&mut linker).expect("it links");
        tick(&engine.0);
        let directory = TempDir::new().expect("a directory");
        Self {
            component: linker.instantiate_pre(&component).expect("it fits"),
            equipment: Equipment {
                engine: engine.0,
                capabilities: capabilities(&directory, url),
                memory: options.instance_memory,
            },
            _directory: directory,
        }
    }

    fn renewer(&self, timeout: Duration) -> Renewer {
        Renewer::new(self.equipment.clone(), self.component.clone(), timeout).expect("it renews")
    }
}

/// A component as `cargo xtask test` has built it, or as an earlier build left it.
fn built(variable: &str, file: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let own = std::env::current_exe().expect("a path");
    let mut folders = own.ancestors().map(|folder| folder.join("components"));
    let found = folders.find_map(|folder| Some(folder.join(file)).filter(|path| path.is_file()));
    found.unwrap_or_else(|| panic!("no {file}: run `cargo xtask test`, or set {variable}"))
}

fn capabilities(directory: &TempDir, url: &str) -> Capabilities {
    let store = BlobStore::open(&StoreOptions {
        path: directory.path().to_owned(),
        memory: 0,
        leftovers: Duration::ZERO,
        bounds: Bounds::NONE,
    });
    let rules = EgressRules::new(vec![UpstreamEgress {
        name: "example.org".to_owned(),
        endpoints: vec![url::Url::parse(url).expect("a URL")],
        trusted_hosts: Vec::new(),
    }]);
    let client = Client::new(rules, ClientOptions::default()).expect("a client");
    let options = TransferOptions {
        running: 1,
        running_per_origin: 1,
        waiting: 1,
        bandwidth: 0,
        bandwidth_per_origin: 0,
        abandoned: Abandoned::Keep,
        ranges: Ranges::Whole,
        retries: Retries::default(),
    };
    let labels = ["default", "catalog", "volatile"];
    let stores = labels.map(|label| {
        let store = Arc::new(MemoryKv::new(1 << 20));
        (label.to_owned(), local(store))
    });
    let registry = format!(r#"{{"upstreams":[{{"name":"example.org","endpoints":["{url}"]}}]}}"#);
    Capabilities {
        transfers: Transfers::new(store.expect("a store"), client.clone(), options),
        flights: Flights::default(),
        stores: Stores::new(HashMap::from(stores)),
        variables: Variables::new(HashMap::from([("ledge_registry".to_owned(), registry)])),
        client,
    }
}

/// A ticket as the registry component writes it.
fn ticket(upstream: &str) -> Vec<u8> {
    let digest = PATH.rsplit('/').next().expect("a digest");
    format!("2\n{upstream}\nlibrary/app\nblob\n{digest}\n0").into_bytes()
}

fn registry(url: &str) -> Bench {
    Bench::new("LEDGE_COMPONENT_WASM", "ledge_registry.wasm", url)
}

#[tokio::test]
async fn a_ticket_becomes_a_request_with_a_fresh_token() {
    let tokens = Tokens::serve("200 OK").await;
    let bench = registry(&tokens.url);
    let source = bench.renewer(LONG).bind(ticket("example.org"));
    let (expired, moved) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
    // A token that is refused is replaced; a URL that expired is asked for with the same token.
    for (status, token, given) in [
        (expired, "Bearer token-1", 1),
        (expired, "Bearer token-2", 2),
        (moved, "Bearer token-2", 2),
    ] {
        let renewed = source.renew(tokens.refusal(status, 0)).await;
        let request = renewed.expect("a request");
        assert_eq!(request.method(), http::Method::GET);
        let url = format!("{}{PATH}?ns=example.org", tokens.url);
        assert_eq!(request.uri().to_string(), url);
        assert_eq!(request.headers()[AUTHORIZATION], token);
        assert_eq!(tokens.given(), given);
        let source = Source {
            origins: vec![request],
            renew: Some(source.clone()),
            ..Source::default()
        };
        assert!(!format!("{source:?}").contains("token-"), "{source:?}");
    }
}

#[tokio::test]
async fn why_there_is_no_request_is_said_in_words() {
    let tokens = Tokens::serve("503 Service Unavailable").await;
    let bench = registry(&tokens.url);
    let renewer = bench.renewer(LONG);
    let rows = [
        (b"?".to_vec(), 0, "the ticket is not readable"),
        (
            ticket("example.com"),
            0,
            "the upstream is configured no more",
        ),
        (
            ticket("example.org"),
            1,
            "the upstream has no such endpoint",
        ),
        (
            ticket("example.org"),
            0,
            "upstream example.org is not available (status 503)",
        ),
    ];
    for (ticket, origin, expected) in rows {
        let why = tokens.refusal(StatusCode::UNAUTHORIZED, origin);
        let words = renewer.bind(ticket).renew(why).await;
        assert_eq!(words.expect_err("no request"), expected);
    }
}

#[tokio::test]
async fn a_component_that_breaks_or_hangs_is_an_error_and_takes_no_place() {
    let tokens = Tokens::serve("200 OK").await;
    let bench = Bench::new(
        "LEDGE_HOSTILE_WASM",
        "ledge_hostile_guest.wasm",
        &tokens.url,
    );
    let (patient, hasty) = (
        bench.renewer(LONG),
        bench.renewer(Duration::from_millis(50)),
    );
    let late = "the component did not answer in time";
    let broken = "the component failed";
    for (ticket, renewer, expected) in [
        ("/trap", &patient, broken),
        ("/eat", &patient, broken),
        ("/spin", &hasty, late),
        ("/wait", &hasty, late),
    ] {
        // More often than there are instances.
        for _ in 0..RENEWALS + 2 {
            let why = tokens.refusal(StatusCode::UNAUTHORIZED, 0);
            let words = renewer.bind(ticket.into()).renew(why).await;
            assert_eq!(words.expect_err("no request"), expected, "{ticket}");
            assert_eq!(renewer.0.turns.available_permits(), RENEWALS as usize);
        }
    }
    let why = tokens.refusal(StatusCode::UNAUTHORIZED, 0);
    let words = patient.bind(b"/".to_vec()).renew(why).await;
    assert_eq!(words.expect_err("no request"), "there is nothing to renew");
}
