//! `tags/list` in front of origins that list as they please.

use anyhow::{Context, Result, ensure};
use ledge_tests::config::Config;
use ledge_tests::http::Answer;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::registry::{Access, Registry};

use crate::site::REPOSITORY;

/// In an order that no registry should answer in.
const TAGS: [&str; 5] = ["v2", "latest", "v10", "v1", "2024"];
const SORTED: [&str; 5] = ["2024", "latest", "v1", "v10", "v2"];

fn tags(answer: &Answer) -> Result<Vec<String>> {
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text());
    let tags = answer.json()?["tags"]
        .as_array()
        .cloned()
        .context("no tags")?;
    Ok(tags
        .iter()
        .filter_map(|tag| tag.as_str())
        .map(str::to_owned)
        .collect())
}

/// The relative URL of `<…>; rel="next"`.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link");
    let (url, relation) = link.strip_prefix('<')?.split_once('>')?;
    assert!(relation.contains("rel=\"next\""), "{link}");
    assert!(url.starts_with("/v2/"), "{link} is not relative");
    Some(url.to_owned())
}

async fn filled() -> Result<Origin> {
    let origin = Origin::start().await?;
    let image = images::small(1000)?;
    for tag in TAGS {
        origin.put(REPOSITORY, tag, &image);
    }
    Ok(origin)
}

#[tokio::test]
async fn tags_are_sorted_and_paged_whatever_the_origin_does() -> Result<()> {
    for page in [None, Some(2)] {
        let origin = filled().await?;
        if let Some(length) = page {
            origin.page(length);
        }
        let ledge = Ledge::start(&Config::docker(origin.address())).await?;
        let list = |query: &str| {
            ledge
                .get(&format!("/v2/{REPOSITORY}/tags/list{query}"))
                .fetch()
        };
        let whole = list("").await?;
        assert_eq!(tags(&whole)?, SORTED, "{page:?}");
        assert_eq!(whole.json()?["name"], REPOSITORY, "{page:?}");
        assert_eq!(tags(&list("?n=0").await?)?, [""; 0], "{page:?}");
        assert_eq!(tags(&list("?n=2").await?)?, SORTED[..2], "{page:?}");
        assert_eq!(
            tags(&list("?n=2&last=latest").await?)?,
            SORTED[2..4],
            "{page:?}"
        );
        assert_eq!(tags(&list("?last=v10").await?)?, SORTED[4..], "{page:?}");
        assert_eq!(tags(&list("?n=1000").await?)?, SORTED, "{page:?}");
        assert_eq!(next(&list("?n=1000").await?), None, "{page:?}");
    }
    Ok(())
}

#[tokio::test]
async fn links_keep_the_shape_of_the_request() -> Result<()> {
    let origin = filled().await?;
    let ledge = Ledge::start(&Config::docker(origin.address())).await?;
    for (first, keeps) in [
        (
            format!("/v2/{REPOSITORY}/tags/list?n=2"),
            format!("/v2/{REPOSITORY}/tags/list?"),
        ),
        (
            format!("/v2/docker.io/{REPOSITORY}/tags/list?n=2"),
            format!("/v2/docker.io/{REPOSITORY}/tags/list?"),
        ),
        (
            format!("/v2/{REPOSITORY}/tags/list?n=2&ns=docker.io"),
            "ns=docker.io".to_owned(),
        ),
    ] {
        let (mut found, mut url, mut pages) = (Vec::new(), Some(first.clone()), 0);
        while let Some(path) = url {
            let answer = ledge.get(&path).fetch().await?;
            found.extend(tags(&answer)?);
            url = next(&answer);
            assert!(
                url.as_ref().is_none_or(|url| url.contains(&keeps)),
                "{url:?} does not keep {keeps}"
            );
            pages += 1;
        }
        assert_eq!(
            (found, pages),
            (SORTED.map(str::to_owned).to_vec(), 3),
            "{first}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn debians_registry_is_paged() -> Result<()> {
    let registry = Registry::start(Access::Open).await?;
    let image = images::small(1010)?;
    for tag in TAGS {
        registry.push(REPOSITORY, tag, &image).await?;
    }
    let ledge = Ledge::start(&Config::docker(registry.address())).await?;
    let answer = ledge
        .get(&format!("/v2/{REPOSITORY}/tags/list?n=3"))
        .fetch()
        .await?;
    assert_eq!(tags(&answer)?, SORTED[..3]);
    let answer = ledge
        .get(&next(&answer).context("a next page")?)
        .fetch()
        .await?;
    assert_eq!(tags(&answer)?, SORTED[3..]);
    assert_eq!(next(&answer), None);
    Ok(())
}
