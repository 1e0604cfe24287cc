//! What the operator's rules refuse.

use anyhow::Result;
use ledge_tests::config::Config;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;

use crate::site::{REPOSITORY, blob, is, manifest};

#[tokio::test]
async fn the_denied_get_the_rules_name_and_the_origin_no_question() -> Result<()> {
    let image = images::small(640)?;
    let origin = Origin::start().await?;
    for repository in [REPOSITORY, "library/bad"] {
        origin.put(repository, "v1", &image);
        origin.put(repository, "nightly-1", &image);
    }
    let rules = "[[rules]]\nname = \"no nightlies\"\naction = \"deny\"\ntag = \"nightly-*\"\n\
                 [[rules]]\nname = \"bad things\"\naction = \"deny\"\nupstream = \"docker.io\"\nrepository = \"library/b*\"";
    let ledge = Ledge::start(&Config::docker(origin.address()).head(rules)).await?;
    let of_bad = |path: String| path.replace(REPOSITORY, "library/bad");
    for (path, rule) in [
        (manifest("nightly-1"), "no nightlies"),
        (of_bad(manifest("v1")), "bad things"),
        (of_bad(blob(&image.blobs[0].digest)), "bad things"),
        ("/v2/library/bad/tags/list".to_owned(), "bad things"),
    ] {
        let answer = ledge.get(&path).fetch().await?;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "DENIED"),
            "{path}"
        );
        assert!(answer.text().contains(rule), "{}", answer.text());
    }
    assert_eq!(origin.seen().len(), 0);
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())
}

#[tokio::test]
async fn a_platform_is_denied_where_its_index_is_known() -> Result<()> {
    let image = images::index(641)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let rule = "[[rules]]\nname = \"no arm\"\naction = \"deny\"\nplatform = \"linux/arm64\"";
    let ledge = Ledge::start(&Config::docker(origin.address()).head(rule)).await?;
    is(&ledge.get(&manifest("v1")).fetch().await?, image.root())?;
    let index: serde_json::Value = serde_json::from_slice(&image.root().bytes)?;
    let entries = index["manifests"].as_array().expect("an index");
    assert!(entries.len() > 1, "{index}");
    for entry in entries {
        let digest = entry["digest"].as_str().expect("a digest");
        let answer = ledge.get(&manifest(digest)).fetch().await?;
        if entry["platform"]["architecture"] == "arm64" {
            assert_eq!(answer.status, 403, "{}", answer.text());
            assert!(answer.text().contains("no arm"), "{}", answer.text());
        } else {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    Ok(())
}
