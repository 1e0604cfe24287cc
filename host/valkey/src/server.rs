//! The connection to a server, or to a cluster of them.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisError, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};

use crate::address::Address;
use crate::label::Label;
use crate::lease::Leases;

/// A record is asked for in the middle of a pull: what takes longer is as good as away.
const ANSWER: Duration = Duration::from_millis(500);

/// As towards origins, less what a second try takes.
const CONNECT: Duration = Duration::from_secs(2);

/// How a server is reached. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Options {
    /// One server, or some nodes of a cluster. At least one.
    pub nodes: Vec<Address>,
    /// Who this is, where the server has more users than one.
    pub username: Option<String>,
    /// The password, if it wants one.
    pub password: Option<SecretString>,
    /// Authorities to believe instead of the system's (PEM).
    pub authorities: Option<Vec<u8>>,
    /// What stands before every key, so that others can use the server too.
    pub prefix: String,
}

/// Why a server cannot be used. The text holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be used: {source}")]
pub struct ServerError {
    name: String,
    source: Box<RedisError>,
}

/// A server, or a cluster. Clones share its connections.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    connection: Connection,
    name: String,
    prefix: String,
}

#[derive(Clone)]
enum Connection {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Server {
    /// Prepares the connection. A single server need not be there yet; of a cluster a node must be.
    ///
    /// # Errors
    /// [`ServerError`]: certificates that are none, or a cluster that does not answer.
    pub async fn connect(options: Options) -> Result<Self, ServerError> {
        // Ours is the only provider of cryptography; whoever was first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let names: Vec<_> = options.nodes.iter().map(ToString::to_string).collect();
        let name = names.join(", ");
        let connection = match options.nodes.as_slice() {
            [node] => one(node, &options).map(Connection::One),
            nodes => cluster(nodes, &options).await.map(Connection::Cluster),
        };
        match connection {
            Ok(connection) => Ok(Self(Arc::new(Inner {
                connection,
                name,
                prefix: options.prefix,
            }))),
            Err(error) => Err(ServerError {
                name,
                source: Box::new(error),
            }),
        }
    }

    /// The records of a label; those of every other one are apart.
    #[must_use]
    pub fn label(&self, label: &str) -> Label {
        Label::new(self.clone(), &self.0.prefix, label)
    }

    /// The leases of all nodes that share the server.
    #[must_use]
    pub fn leases(&self) -> Leases {
        Leases::new(self.clone(), &self.0.prefix)
    }

    /// As its URLs, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Sends a command, and reads its answer.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        match self.0.connection.clone() {
            Connection::One(mut connection) => exchange(&mut connection, command).await,
            Connection::Cluster(mut connection) => exchange(&mut connection, command).await,
        }
    }
}

async fn exchange<T: FromRedisValue>(
    connection: &mut impl ConnectionLike,
    command: &Cmd,
) -> Result<T, RedisError> {
    let answer = tokio::time::timeout(ANSWER, command.query_async(connection)).await;
    answer.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

fn one(node: &Address, options: &Options) -> Result<ConnectionManager, RedisError> {
    let info = information(node, options)?;
    let client = match certificates(options) {
        Some(certificates) if node.tls => Client::build_with_tls(info, certificates)?,
        _ => Client::open(info)?,
    };
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
        // Who asks does not wait for more: the next one tries again.
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(client, config)
}

async fn cluster(nodes: &[Address], options: &Options) -> Result<ClusterConnection, RedisError> {
    let nodes: Result<Vec<_>, _> = nodes
        .iter()
        .map(|node| information(node, options))
        .collect();
    let mut builder = ClusterClient::builder(nodes?)
        .connection_timeout(CONNECT)
        .response_timeout(ANSWER)
        .retries(1);
    if let Some(certificates) = certificates(options) {
        builder = builder.certs(certificates);
    }
    builder.build()?.get_async_connection().await
}

fn information(node: &Address, options: &Options) -> Result<ConnectionInfo, RedisError> {
    let address = if node.tls {
        ConnectionAddr::TcpTls {
            host: node.host.clone(),
            port: node.port,
            insecure: false,
            tls_params: None,
        }
    } else {
        ConnectionAddr::Tcp(node.host.clone(), node.port)
    };
    let mut login = RedisConnectionInfo::default().set_db(i64::from(node.database));
    if let Some(username) = &options.username {
        login = login.set_username(username);
    }
    if let Some(password) = &options.password {
        login = login.set_password(password.expose_secret());
    }
    Ok(address.into_connection_info()?.set_redis_settings(login))
}

fn certificates(options: &Options) -> Option<TlsCertificates> {
    options.authorities.as_ref().map(|pem| TlsCertificates {
        client_tls: None,
        root_cert: Some(pem.clone()),
    })
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Server").field(&self.0.name).finish()
    }
}
