//! What the scripted origin sends, as a client without Ledge sees it.

use anyhow::Result;

use super::*;
use crate::http::{self, Request as Get};
use crate::images;

async fn site() -> Result<(Origin, Object)> {
    let origin = Origin::start().await?;
    let image = images::layered(7, &[200_000])?;
    origin.put("a", "v1", &image);
    Ok((origin, image.blobs[0].clone()))
}

fn get(origin: &Origin, blob: &Object) -> Get {
    http::get(origin.address(), &format!("/v2/a/blobs/{}", blob.digest))
}

#[tokio::test]
async fn a_range_is_honoured_when_the_validator_matches() -> Result<()> {
    let (origin, blob) = site().await?;
    let whole = get(&origin, &blob).fetch().await?;
    let etag = whole.header("etag").to_owned();
    assert_eq!((whole.status, &whole.body), (200, &blob.bytes));
    let ranged = |validator: &str| {
        get(&origin, &blob)
            .header("range", "bytes=1000-1999")
            .header("if-range", validator)
    };
    let part = ranged(&etag).fetch().await?;
    assert_eq!(
        (part.status, part.body.clone()),
        (206, blob.bytes.slice(1000..2000))
    );
    let expected = format!("bytes 1000-1999/{}", blob.bytes.len());
    assert_eq!(part.header("content-range"), expected);
    assert_eq!(ranged("\"other\"").fetch().await?.status, 200);
    origin.rule(Rule::new(&blob.digest, Act::Etag(Some("\"new\""))).times(1));
    assert_eq!(ranged(&etag).fetch().await?.body, blob.bytes);
    origin.rule(Rule::new(&blob.digest, Act::IgnoreRange).times(1));
    assert_eq!(ranged(&etag).fetch().await?.body, blob.bytes);
    origin.ignore_ranges();
    let ignored = ranged(&etag).fetch().await?;
    assert_eq!((ignored.status, ignored.body), (200, blob.bytes));
    Ok(())
}

#[tokio::test]
async fn bodies_lie_about_their_length_or_break() -> Result<()> {
    let (origin, blob) = site().await?;
    let size = blob.bytes.len();
    for act in [
        Act::Length(size as u64 + 10),
        Act::Reset(1000),
        Act::Truncate(1000),
        Act::HangUp,
    ] {
        let what = format!("{act:?}");
        origin.rule(Rule::new(&blob.digest, act).times(1));
        get(&origin, &blob).fetch().await.expect_err(&what);
    }
    origin.rule(Rule::new(&blob.digest, Act::Length(10)).times(1));
    let short = get(&origin, &blob).fetch().await?;
    assert_eq!(short.body, blob.bytes.slice(..10));
    origin.rule(Rule::new(&blob.digest, Act::Chunked).times(1));
    let chunked = get(&origin, &blob).fetch().await?;
    assert_eq!(
        (chunked.header("content-length"), &chunked.body),
        ("", &blob.bytes)
    );
    origin.idle().await;
    Ok(())
}

#[tokio::test]
async fn bytes_before_a_cut_arrive() -> Result<()> {
    let origin = Origin::start().await?;
    let blob = Object::new("", vec![7; 6 << 20]);
    origin.put_blob("a", &blob);
    // More than the system holds between the two; what it holds is lost in a reset.
    for (act, count) in [(Act::Truncate(5 << 20), 5 << 20), (Act::Reset(1000), 1000)] {
        let what = format!("{act:?}");
        origin.rule(Rule::new(&blob.digest, act).times(1));
        let mut cut = get(&origin, &blob).send().await?;
        let all = cut.at_least(count).await.expect(&what);
        assert!(all == blob.bytes.slice(..count), "{what}");
        cut.chunk().await.expect_err(&what);
    }
    Ok(())
}

/// One connection, on which a second request can be tried.
#[tokio::test]
async fn a_connection_is_closed_without_a_word() -> Result<()> {
    let (origin, blob) = site().await?;
    origin.rule(Rule::new(&blob.digest, Act::Close).times(1));
    let request = format!(
        "GET /v2/a/blobs/{} HTTP/1.1\r\nhost: origin\r\n\r\n",
        blob.digest
    );
    let bound = std::time::Duration::from_secs(10);
    let answer = crate::raw::exchange(origin.address(), request.as_bytes(), bound).await?;
    assert!(answer.ends_with(&blob.bytes));
    let header = String::from_utf8_lossy(&answer[..answer.len() - blob.bytes.len()]);
    assert!(!header.to_lowercase().contains("connection"), "{header}");
    Ok(())
}

#[tokio::test]
async fn an_origin_goes_down_and_comes_back_to_its_port() -> Result<()> {
    let (origin, blob) = site().await?;
    origin.rule(Rule::new(&blob.digest, Act::Stall(1000, crate::gate::Gate::held())).times(1));
    let mut cut = get(&origin, &blob).send().await?;
    cut.at_least(1000).await?;
    origin.down().await?;
    cut.rest().await.expect_err("it is cut");
    get(&origin, &blob).send().await.expect_err("it is down");
    origin.up().await?;
    assert_eq!(get(&origin, &blob).fetch().await?.body, blob.bytes);
    origin.idle().await;
    Ok(())
}
