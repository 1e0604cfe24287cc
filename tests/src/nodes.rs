//! Nodes that share records, transfers and objects.

use std::net::SocketAddr;

use anyhow::Result;

use crate::config::{Config, Upstream};
use crate::ledge::Ledge;
use crate::origin::Origin;
use crate::s3::{KEY, S3, SECRET};
use crate::valkey::{PASSWORD, Valkey};

/// What nodes have in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct Common<'a> {
    /// Records and leases.
    pub valkey: Option<&'a Valkey>,
    /// Objects.
    pub s3: Option<&'a S3>,
}

impl Common<'_> {
    /// A node with a store of its own.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn node(&self, upstream: Upstream) -> Result<Ledge> {
        Ledge::start_at(|address| self.config(upstream, address)).await
    }

    /// The same, of an origin that is public.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn public(&self, origin: &Origin) -> Result<Ledge> {
        self.at(origin.address()).await
    }

    /// The same, of an origin at this address.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn at(&self, origin: SocketAddr) -> Result<Ledge> {
        self.node(Upstream::new("docker.io", origin)).await
    }

    fn config(&self, upstream: Upstream, address: SocketAddr) -> Config {
        let advertise = format!("advertise = \"http://{address}\"");
        let mut config = Config::default()
            .head("default_upstream = \"docker.io\"")
            .setting("shared", &advertise);
        if let Some(valkey) = self.valkey {
            config = config
                .setting("shared.records", &format!("url = \"{}\"", valkey.url()))
                .head(&format!("password = \"{PASSWORD}\""));
        }
        if let Some(s3) = self.s3 {
            config = config
                .setting("shared.objects", "url = \"s3://cache/edge\"")
                .head(&format!("endpoint = \"{}\"", s3.endpoint()))
                .head(&format!("username = \"{KEY}\"\npassword = \"{SECRET}\""));
        }
        config.upstream(upstream)
    }
}
