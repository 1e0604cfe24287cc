//! Several nodes: one transfer from the origin for all of them, and objects in one bucket.

mod bucket;
mod transfers;

use std::time::Duration;

use anyhow::{Context as _, Result};
use ledge_tests::images::Image;
use ledge_tests::ledge::Ledge;
use ledge_tests::nodes::Common;
use ledge_tests::origin::Origin;
use ledge_tests::s3::S3;
use ledge_tests::valkey::Valkey;

use crate::site::{REPOSITORY, blob, is, manifest};

/// Far above what any of this takes.
const SOON: Duration = Duration::from_secs(60);

/// A public origin that has an image, and what nodes share.
struct Site {
    origin: Origin,
    s3: S3,
    valkey: Valkey,
}

impl Site {
    async fn start(image: &Image) -> Result<Self> {
        let origin = Origin::start().await?;
        origin.put(REPOSITORY, "v1", image);
        Ok(Self {
            origin,
            s3: S3::start().await?,
            valkey: Valkey::start().await?,
        })
    }

    /// Nodes that share records, transfers and objects.
    fn all(&self) -> Common<'_> {
        Common {
            valkey: Some(&self.valkey),
            s3: Some(&self.s3),
        }
    }

    /// Nodes that share objects alone.
    fn objects(&self) -> Common<'_> {
        Common {
            valkey: None,
            ..self.all()
        }
    }

    /// Nodes that share records and transfers.
    fn transfers(&self) -> Common<'_> {
        Common {
            s3: None,
            ..self.all()
        }
    }

    /// A node that has pulled the image, all of which is in the bucket then.
    async fn filled(&self, common: Common<'_>, image: &Image) -> Result<Ledge> {
        let node = common.public(&self.origin).await?;
        pull(&node, image).await?;
        kept(&self.s3, image.blobs.len() + 1).await?;
        Ok(node)
    }
}

/// Pulls an image, and compares every byte.
async fn pull(ledge: &Ledge, image: &Image) -> Result<()> {
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root()).context("the manifest")?;
    for object in &image.blobs {
        let answer = ledge.get(&blob(&object.digest)).fetch().await?;
        is(&answer, object).context(object.digest.clone())?;
    }
    Ok(())
}

/// Until the bucket has so many objects.
async fn kept(s3: &S3, count: usize) -> Result<()> {
    let kept = async {
        while s3.count("PUT", "") < count || s3.files()?.len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    let waited = tokio::time::timeout(SOON, kept).await;
    waited.with_context(|| format!("{:?}", s3.seen()))?
}
