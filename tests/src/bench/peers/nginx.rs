//! nginx with `proxy_cache` and `proxy_cache_lock`, set up as well as it can be.

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

/// A running nginx with a folder of its own.
#[derive(Debug)]
pub struct Nginx {
    // Ended before its folder is removed.
    process: Process,
    _folder: TempDir,
    address: SocketAddr,
}

impl Nginx {
    /// Starts one with an empty cache, and waits until it listens.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub(super) async fn start(upstream: SocketAddr, settings: &Settings) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::launch(upstream, settings).await {
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
                started => return started,
            }
        }
    }

    async fn launch(upstream: SocketAddr, settings: &Settings) -> Result<Self> {
        let program = files::program("nginx").context("nginx is not installed")?;
        let folder = tempfile::Builder::new().prefix("ledge-nginx-").tempdir()?;
        // nginx cannot say which port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("nginx.conf");
        fs::write(
            &config,
            configuration(folder.path(), address, upstream, settings),
        )?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config);
        let nginx = Self {
            process: Process::spawn("nginx", &mut command)?,
            _folder: folder,
            address,
        };
        nginx.process.line("start worker process ").await?;
        Ok(nginx)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn id(&self) -> i32 {
        self.process.id()
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
fn configuration(
    folder: &Path,
    address: SocketAddr,
    upstream: SocketAddr,
    settings: &Settings,
) -> String {
    let folder = folder.display();
    let idle = settings.idle.map_or(IDLE_SECONDS, |idle| idle.as_secs());
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
    proxy_cache_path {folder}/cache levels=1:2 keys_zone=blobs:16m max_size=64g inactive=1d use_temp_path=off;
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
    }}
}}
"
    )
}
