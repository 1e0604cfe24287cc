//! Objects behind an HTTP server, by PUT alone and by MOVE.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use ledge_tests::images::{self, Image};
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};
use ledge_tests::webdav::WebDav;
use serde_json::json;

use super::{Spin, key};
use crate::site::{REPOSITORY, blob, is, manifest};

struct Site {
    origin: Origin,
    server: WebDav,
    spin: Spin,
}

impl Site {
    async fn start(image: &Image, commit: &str) -> Result<Self> {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", image);
        let server = WebDav::start(None).await?;
        let settings = json!({ "store": {
            "kind": "http", "url": format!("{}/mirror", server.endpoint()), "commit": commit,
        } });
        let spin = Spin::start(&[origin.address()], &server.endpoint(), &settings, &[]).await?;
        Ok(Self {
            origin,
            server,
            spin,
        })
    }
}

#[tokio::test]
async fn a_server_keeps_objects_as_a_bucket_does() -> Result<()> {
    for commit in ["put", "move"] {
        let image = images::layered(6200, &[70_000, 3_000_000])?;
        let site = Site::start(&image, commit).await?;
        site.spin.pull(&image).await?;
        let objects = image.blobs.iter().chain(&image.manifests);
        let mut expected: Vec<_> = objects
            .map(|object| Path::new("mirror").join(key(object)))
            .collect();
        expected.sort();
        assert_eq!(site.server.files(), expected, "{commit}");

        site.origin.forget();
        site.spin.pull(&image).await?;
        let layer = &image.blobs[1];
        let part = site.spin.range(layer, "bytes=100-199").fetch().await?;
        assert_eq!(
            (part.status, &part.body),
            (206, &layer.bytes.slice(100..200))
        );
        let header = site.spin.head(&blob(&layer.digest)).fetch().await?;
        ensure!(header.header("content-length") == layer.bytes.len().to_string());
        assert_eq!(site.origin.seen().len(), 0, "{:?}", site.origin.seen());
    }
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_leave_nothing_at_a_server() -> Result<()> {
    for commit in ["put", "move"] {
        let image = images::layered(6201, &[3_000_000])?;
        let site = Site::start(&image, commit).await?;
        is(&site.spin.get(&manifest("v1")).fetch().await?, image.root())?;
        let manifest = Path::new("mirror").join(key(image.root()));
        let layer = &image.blobs[0];
        for act in [Act::Tamper, Act::Truncate(1_000_000)] {
            site.origin.rule(Rule::new(&layer.digest, act).times(1));
            let answer = site.spin.get(&blob(&layer.digest)).fetch().await;
            assert!(answer.is_err(), "{commit}");
        }
        let left: Vec<PathBuf> = site.server.files();
        assert_eq!(left, [manifest], "{commit}");
        is(&site.spin.get(&blob(&layer.digest)).fetch().await?, layer)?;
    }
    Ok(())
}
