//! An nginx that takes PUT, DELETE and MOVE.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::files;
use crate::process::Process;

/// How often a port may turn out to be somebody else's.
const TRIES: u32 = 3;

/// A running server. Dropping it removes its folder.
#[derive(Debug)]
pub struct WebDav {
    _process: Process,
    folder: TempDir,
    address: SocketAddr,
}

impl WebDav {
    /// Starts one with an empty folder. It sends each client at most so many bytes a second, if that is said.
    ///
    /// # Errors
    /// If it is not installed or does not start.
    pub async fn start(rate: Option<u64>) -> Result<Self> {
        let mut tries = 1;
        loop {
            match Self::launch(rate).await {
                Err(error) if tries == TRIES => return Err(error),
                Err(_) => tries += 1,
                started => return started,
            }
        }
    }

    async fn launch(rate: Option<u64>) -> Result<Self> {
        let program = files::program("nginx").context("nginx is not installed")?;
        let folder = tempfile::Builder::new().prefix("ledge-webdav-").tempdir()?;
        // nginx cannot say which port it got, so one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(&folder, address, rate))?;
        fs::create_dir(folder.path().join("data"))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config);
        let process = Process::spawn("nginx", &mut command)?;
        process.line("using the \"").await?;
        // It has one process, which has bound its port before it says that.
        Ok(Self {
            _process: process,
            folder,
            address,
        })
    }

    /// Where it listens, as a URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it keeps, by path.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let data = self.folder.path().join("data");
        let files = files::under(&data).into_iter();
        files
            .filter_map(|path| path.strip_prefix(&data).ok().map(PathBuf::from))
            .collect()
    }
}

fn configuration(folder: &TempDir, address: SocketAddr, rate: Option<u64>) -> String {
    let folder = folder.path().display();
    // 0 is no limit.
    let rate = rate.unwrap_or_default();
    format!(
        r#"daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    limit_rate {rate};
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        root {folder}/data;
        location / {{
            dav_methods PUT DELETE MOVE;
            create_full_put_path on;
        }}
    }}
}}
"#
    )
}
