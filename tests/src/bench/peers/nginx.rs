//! nginx with `proxy_cache` and `proxy_cache_lock`, set up as well as it can be; and nginx that serves the
//! files of Ledge's own store.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::Settings;
use crate::bench::memory;
use crate::files;
use crate::process::Process;

/// nginx's own default for `proxy_read_timeout`.
const IDLE_SECONDS: u64 = 60;

/// How often a port may turn out to be somebody else's.
const TRIES: u32 = 3;

/// What it is started with: its folder, and where it listens.
pub(in crate::bench) type Configuration<'a> = dyn Fn(&Path, SocketAddr) -> String + Sync + 'a;

/// A running nginx with a folder of its own.
#[derive(Debug)]
pub struct Nginx {
    // Ended before its folder is removed.
    process: Process,
    folder: TempDir,
    address: SocketAddr,
}

impl Nginx {
    /// Starts one with an empty cache, and waits until it listens.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub(super) async fn start(upstream: SocketAddr, settings: &Settings) -> Result<Self> {
        Self::serve(&|folder, address| cache(folder, address, upstream, settings)).await
    }

    /// Starts one that answers with the objects of a store's directory, by their digests.
    ///
    /// # Errors
    /// As of [`Nginx::start`].
    pub(in crate::bench) async fn of_files(store: &Path) -> Result<Self> {
        Self::serve(&|folder, address| files_of(folder, address, store)).await
    }

    /// Starts one with this configuration, which is told its folder, and where to listen. It must say
    /// notices on standard error.
    ///
    /// # Errors
    /// As of [`Nginx::start`].
    pub(in crate::bench) async fn serve(configuration: &Configuration<'_>) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::launch(configuration).await {
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
                started => return started,
            }
        }
    }

    async fn launch(configuration: &Configuration<'_>) -> Result<Self> {
        let program = files::program("nginx").context("nginx is not installed")?;
        let folder = tempfile::Builder::new().prefix("ledge-nginx-").tempdir()?;
        // nginx cannot say which port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), address))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config);
        let nginx = Self {
            process: Process::spawn("nginx", &mut command)?,
            folder,
            address,
        };
        nginx.process.line("start worker process ").await?;
        Ok(nginx)
    }

    pub(in crate::bench) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::bench) fn id(&self) -> i32 {
        self.process.id()
    }

    /// The folder of its files.
    pub(in crate::bench) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Nginx {
    /// Workers would outlive a master that is killed, and hold its output.
    fn drop(&mut self) {
        // The master comes first: it would start workers again.
        for process in memory::family(self.process.id()) {
            if let Some(process) = Pid::from_raw(process) {
                // One that has ended by itself is what was wanted.
                let _ = rustix::process::kill_process(process, Signal::KILL);
            }
        }
    }
}

/// Connections to the origin are kept; requests for one blob wait for the first as long as it takes.
fn cache(folder: &Path, address: SocketAddr, upstream: SocketAddr, settings: &Settings) -> String {
    let idle = settings.idle.map_or(IDLE_SECONDS, |idle| idle.as_secs());
    let store = folder.display();
    let http = format!(
        r"proxy_cache_path {store}/cache levels=1:2 keys_zone=blobs:16m max_size=64g inactive=1d use_temp_path=off;
    upstream origin {{ server {upstream}; keepalive 64; }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_read_timeout {idle}s;
            proxy_cache blobs;
            proxy_cache_key $uri;
            proxy_cache_valid 200 206 1h;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 1h;
            proxy_cache_lock_age 1h;
        }}
    }}"
    );
    around(folder, &http)
}

/// A path's end is a digest, and that is a file's name.
fn files_of(folder: &Path, address: SocketAddr, store: &Path) -> String {
    let store = store.display();
    let http = format!(
        r#"server {{
        listen {address};
        root {store}/blobs;
        location ~ "/sha256:([0-9a-f][0-9a-f])([0-9a-f]{{62}})$" {{
            try_files /sha256/$1/$1$2 =404;
        }}
    }}"#
    );
    around(folder, &http)
}

/// What all have.
fn around(folder: &Path, http: &str) -> String {
    let folder = folder.display();
    format!(
        r"daemon off;
master_process on;
user root;
worker_processes auto;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"
    )
}
