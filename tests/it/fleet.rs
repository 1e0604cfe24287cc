//! Several nodes: one transfer from the origin for all of them, and objects in one bucket.

mod bucket;
mod transfers;

use std::time::Duration;

use anyhow::{Context as _, Result};
use ledge_tests::images::Image;
use ledge_tests::ledge::Ledge;
use ledge_tests::s3::S3;

use crate::site::{blob, is, manifest};

/// Far above what any of this takes.
const SOON: Duration = Duration::from_secs(60);

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
