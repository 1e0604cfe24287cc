//! An S3 server that remembers every request, and fails where a test says so.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The id of the only access key.
pub const KEY: &str = "key";

/// Its secret.
pub const SECRET: &str = "s3-hunter2";

/// The only bucket.
pub const BUCKET: &str = "cache";

/// A running server. Objects are files in its folder.
#[derive(Debug)]
pub struct S3 {
    folder: TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    service: S3Service,
    /// Method, path and query.
    seen: Mutex<Vec<String>>,
    /// Requests whose line holds this are answered 503.
    failing: Mutex<Option<String>>,
}

impl S3 {
    /// Starts one on a free port, empty.
    ///
    /// # Errors
    /// If there is no folder or no port to be had.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ledge-s3-").tempdir()?;
        fs::create_dir(folder.path().join(BUCKET))?;
        let files = FileSystem::new(folder.path());
        let files = files.map_err(|error| anyhow::anyhow!("no S3 server: {error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let shared = Arc::new(Shared {
            service: builder.build(),
            seen: Mutex::default(),
            failing: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(serve(listener, shared.clone()));
        Ok(Self {
            folder,
            address,
            shared,
        })
    }

    /// Where it listens, as an endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, or since they were forgotten: method, path and query.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        lock(&self.shared.seen).clone()
    }

    /// How many requests had such a line.
    #[must_use]
    pub fn count(&self, method: &str, part: &str) -> usize {
        let is_one = |line: &&String| line.starts_with(method) && line.contains(part);
        self.seen().iter().filter(is_one).count()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        lock(&self.shared.seen).clear();
    }

    /// From now on requests fail whose line holds this; all of them if it is empty, none without it.
    pub fn fail(&self, part: Option<&str>) {
        *lock(&self.shared.failing) = part.map(str::to_owned);
    }

    /// All files of the server: objects, and what unfinished uploads left.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let (mut found, mut folders) = (Vec::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// The file of the object whose key ends so.
    ///
    /// # Errors
    /// If there is none.
    pub fn object(&self, end: &str) -> Result<PathBuf> {
        let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(end);
        let found = self.files()?.into_iter().find(is_it);
        found.with_context(|| format!("no object ends with {end}"))
    }

    /// The folder of the bucket.
    #[must_use]
    pub fn bucket(&self) -> PathBuf {
        Path::join(self.folder.path(), BUCKET)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((socket, _)) = listener.accept().await {
        let shared = shared.clone();
        let service = service_fn(move |request| answer(shared.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    let fails = lock(&shared.failing)
        .as_ref()
        .is_some_and(|part| line.contains(part));
    lock(&shared.seen).push(line);
    let mut failed = Response::new(s3s::Body::empty());
    *failed.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    if fails {
        return Ok(failed);
    }
    let answered = shared.service.call(request.map(s3s::Body::from)).await;
    Ok(answered.unwrap_or(failed))
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
