//! A server in a folder of its own, ended with the test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ledge_valkey::{Address, Options, Server};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Far above what it takes to start.
const READY: Duration = Duration::from_secs(30);

/// The server's password.
pub(crate) const PASSWORD: &str = "hunter2";

pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: TempDir,
    process: Option<Child>,
}

impl Redis {
    /// `None` where there is no such program, which never passes in CI.
    pub(crate) async fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let mut redis = Self {
            port,
            folder: tempfile::tempdir().expect("a folder"),
            process: None,
        };
        let is_up = redis.up().await;
        let is_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
        assert!(
            is_up || !is_ci,
            "neither valkey-server nor redis-server is installed"
        );
        is_up.then_some(redis)
    }

    /// Starts it, and waits until it answers. False if there is no such program.
    pub(crate) async fn up(&mut self) -> bool {
        let config = self.folder.path().join("server.conf");
        let text = format!(
            "port {}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nsave \"\"\nappendonly no\ndir {}\n",
            self.port,
            self.folder.path().display()
        );
        fs::write(&config, text).expect("written");
        let started = ["valkey-server", "redis-server"].iter().find_map(|name| {
            let mut command = Command::new(name);
            command.arg(&config).stdout(Stdio::null()).process_group(0);
            command.spawn().ok()
        });
        let Some(process) = started else { return false };
        self.process = Some(process);
        let answers = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(READY, answers)
            .await
            .expect("the server answers");
        true
    }

    pub(crate) fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// A connection as somebody with this password.
    pub(crate) async fn connect(&self, password: &str) -> Server {
        let address: Address = format!("redis://127.0.0.1:{}", self.port)
            .parse()
            .expect("an address");
        let options = Options {
            nodes: vec![address],
            username: None,
            password: Some(password.into()),
            authorities: None,
            prefix: "ledge:".to_owned(),
        };
        Server::connect(options).await.expect("a server")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.down();
    }
}
