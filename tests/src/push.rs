//! Pushes images into a registry over its HTTP API (OCI distribution
//! specification 1.1, "Push").

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use http::Method;

use crate::http::{Answer, Request};
use crate::images::{Image, Object};

/// A registry to push to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The value of the Authorization header, if it wants one.
    pub authorization: Option<String>,
}

impl Target {
    /// Pushes everything that `image` needs, and tags it.
    ///
    /// # Errors
    /// If the registry refuses a part of it.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<()> {
        for blob in &image.blobs {
            self.blob(repository, blob).await?;
        }
        for manifest in &image.manifests {
            self.manifest(repository, &manifest.digest, manifest)
                .await?;
        }
        self.manifest(repository, tag, image.root()).await
    }

    /// Pushes one manifest under a tag or its digest.
    ///
    /// # Errors
    /// If the registry refuses it.
    pub async fn manifest(
        &self,
        repository: &str,
        reference: &str,
        manifest: &Object,
    ) -> Result<()> {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let request = self
            .request(Method::PUT, &path)
            .header("content-type", &manifest.media_type);
        created(&request.body(manifest.bytes.clone()).fetch().await?, &path)
    }

    async fn blob(&self, repository: &str, blob: &Object) -> Result<()> {
        let opened = self
            .request(Method::POST, &format!("/v2/{repository}/blobs/uploads/"))
            .fetch()
            .await?;
        let location = opened.header("location");
        // It may be absolute or relative; the path and query are what counts.
        let path = location
            .find("/v2/")
            .map(|start| &location[start..])
            .context("no upload location")?;
        let path = format!(
            "{path}{}digest={}",
            if path.contains('?') { '&' } else { '?' },
            blob.digest
        );
        let request = self
            .request(Method::PUT, &path)
            .header("content-type", "application/octet-stream");
        created(&request.body(blob.bytes.clone()).fetch().await?, &path)
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let request = Request::new(method, self.address, path);
        match &self.authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        }
    }
}

fn created(answer: &Answer, path: &str) -> Result<()> {
    ensure!(
        answer.status == 201,
        "PUT {path}: {} {}",
        answer.status,
        answer.text()
    );
    Ok(())
}
