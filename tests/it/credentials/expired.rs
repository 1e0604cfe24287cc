//! An origin that answers 403, not 401, to a password that has expired.

use anyhow::{Context, Result, ensure};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Auth;

use super::sources::{Stage, helper, printed, until};
use crate::site::{blob, is, manifest};

#[tokio::test]
async fn a_helper_is_asked_again_when_access_was_denied() -> Result<()> {
    let expiring = |password: &str| Auth::Expiring(format!("puller:{password}"));
    let stage = Stage::new(780, expiring("one")).await?;
    stage.write("answer", &printed("one"))?;
    let variables = [("PATH", helper(&stage)?)];
    let config = stage.config(&["credential_helper = \"edge\"".to_owned()]);
    let ledge = Ledge::start_with(&config, &variables).await?;
    let tag = manifest("v1");
    is(&ledge.get(&tag).fetch().await?, stage.image.root())?;

    // By GET: a blob.
    stage.origin.authenticate(expiring("two"));
    stage.write("answer", &printed("two"))?;
    let path = blob(&stage.image.blobs[0].digest);
    let mut said = until(&ledge, &path, |answer| answer.status == 200).await?;
    is(&said.pop().context("an answer")?, &stage.image.blobs[0])?;
    // Meanwhile the helper was not to be asked yet, and what the origin said was said.
    let other = said
        .iter()
        .find(|answer| (answer.status, answer.code()) != (403, "DENIED".to_owned()));
    ensure!(other.is_none(), "{other:?}");

    // By HEAD: a tag.
    stage.origin.authenticate(expiring("three"));
    stage.write("answer", &printed("three"))?;
    let mut said = until(&ledge, &tag, |answer| answer.status == 200).await?;
    is(&said.pop().context("an answer")?, stage.image.root())
}
