//! The buckets that the component is measured in front of.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rusty_s3::actions::S3Action as _;
use rusty_s3::{Bucket, Credentials, UrlStyle};

use crate::s3::{BUCKET, KEY, S3, SECRET};
use crate::spin::Place;
use crate::webdav::WebDav;

/// Bytes a second of a bucket that is no neighbour: 2.5 Gbit/s, more than one connection gets of any that is rented.
const NETWORK: u64 = 312_500_000;

/// How long a signed URL opens the bucket: longer than any round.
const OPEN: Duration = Duration::from_secs(3600);

/// What kind of bucket.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// An S3 server.
    S3,
    /// nginx with WebDAV, over loopback.
    Nginx,
    /// The same across a network.
    Network,
}

/// All of them.
pub(super) const KINDS: [Kind; 3] = [Kind::S3, Kind::Nginx, Kind::Network];

impl Kind {
    /// The case's name in reports.
    pub(super) const fn case(self) -> &'static str {
        match self {
            Self::S3 => "spin-s3",
            Self::Nginx => "spin-nginx",
            Self::Network => "spin-network",
        }
    }
}

/// A bucket that runs.
#[derive(Debug)]
pub(super) enum Server {
    S3(S3),
    Nginx(WebDav),
}

impl Server {
    /// Starts one that is empty.
    pub(super) async fn start(kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::S3 => Self::S3(S3::start().await?),
            Kind::Nginx => Self::Nginx(WebDav::start(None).await?),
            Kind::Network => Self::Nginx(WebDav::start(Some(NETWORK)).await?),
        })
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::S3(server) => Place::bucket(server),
            Self::Nginx(server) => Place::folder(server),
        }
    }

    pub(super) const fn address(&self) -> SocketAddr {
        match self {
            Self::S3(server) => server.address(),
            Self::Nginx(server) => server.address(),
        }
    }

    /// What anybody GETs an object by: a path, and what opens it.
    pub(super) fn path(&self, digest: &str) -> Result<String> {
        let hex = digest.strip_prefix("sha256:").context("a SHA-256")?;
        let key = format!("blobs/sha256/{}/{hex}", &hex[..2]);
        let Self::S3(server) = self else {
            return Ok(format!("/{key}"));
        };
        let endpoint = server.endpoint().parse()?;
        let bucket = Bucket::new(endpoint, UrlStyle::Path, BUCKET, "us-east-1")?;
        let credentials = Credentials::new(KEY, SECRET);
        let signed = bucket.get_object(Some(&credentials), &key).sign(OPEN);
        let query = signed.query().context("a signature")?;
        Ok(format!("{}?{query}", signed.path()))
    }
}
