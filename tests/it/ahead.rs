//! Ranges of a blob that is not stored: answered at once, and no byte is fetched twice.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ledge_tests::config::Config;
use ledge_tests::files;
use ledge_tests::gate::Gate;
use ledge_tests::http::{Answer, Method};
use ledge_tests::images::Object;
use ledge_tests::origin::Origin;
use ledge_tests::script::{Act, Rule};

use crate::ranges::is_multipart;
use crate::site::{Site, asked, blob, error, hit, is, noise};

/// Five of containerd's pieces, the last one short.
const SIZE: usize = 36_000_000;

/// What containerd 2.1 reads of each connection.
const PIECE: usize = 8 << 20;

/// Far behind the start, and no multiple of anything.
const FAR: usize = 30_000_001;

/// The span of an object of this size that a Range field names; all of it if there is none.
fn span(range: &str, size: usize) -> Result<Range<usize>> {
    if range.is_empty() {
        return Ok(0..size);
    }
    let ends = range.strip_prefix("bytes=").and_then(|r| r.split_once('-'));
    Ok(match ends.with_context(|| format!("'{range}'"))? {
        ("", last) => size - last.parse::<usize>()?..size,
        (first, "") => first.parse()?..size,
        (first, last) => first.parse()?..last.parse::<usize>()? + 1,
    })
}

/// Fails unless every byte was asked for once.
pub(crate) fn once(origin: &Origin, object: &Object) -> Result<()> {
    let size = object.bytes.len();
    let asked = asked(origin, object);
    let spans: Result<Vec<_>> = asked.iter().map(|range| span(range, size)).collect();
    let mut spans = spans?;
    spans.sort_by_key(|span| span.start);
    let mut at = 0;
    for span in &spans {
        ensure!(span.start == at, "twice, or not at all: {spans:?}");
        at = span.end;
    }
    ensure!(at == size, "not all of it: {spans:?}");
    Ok(())
}

/// Fails unless the answer has these bytes of the object.
fn is_part(answer: &Answer, object: &Object, span: Range<usize>) -> Result<()> {
    ensure!(answer.status == 206, "{} {}", answer.status, answer.text());
    let expected = format!(
        "bytes {}-{}/{}",
        span.start,
        span.end - 1,
        object.bytes.len()
    );
    let found = answer.header("content-range");
    ensure!(found == expected, "{found}");
    ensure!(
        answer.body == object.bytes.slice(span),
        "other bytes than {expected}"
    );
    Ok(())
}

fn field(span: &Range<usize>) -> String {
    format!("bytes={}-{}", span.start, span.end - 1)
}

/// A whole pull that stands still at its start.
fn stalled(site: &Site, object: &Object) -> Gate {
    let gate = Gate::held();
    let rule = Rule::new(&object.digest, Act::Stall(100_000, gate.clone()));
    site.origin.rule(rule.method(Method::GET).times(1));
    gate
}

/// PEERS 4.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_far_ahead_does_not_wait_for_the_whole() -> Result<()> {
    // So few bytes stop nobody; so many are not brought a second time.
    for (seed, length, behind) in [(1200, 1000, false), (1201, 1_000_000, true)] {
        let object = noise(seed, SIZE);
        let site = Site::of(&object, |config| config).await?;
        let gate = stalled(&site, &object);
        let mut whole = site.ledge.get(&blob(&object.digest)).send().await?;
        let start = whole.at_least(100_000).await?.len();
        let span = FAR..FAR + length;
        let answer = site.range(&object, &field(&span)).fetch().await?;
        is_part(&answer, &object, span.clone())?;
        assert_eq!(answer.header("cache-status"), "ledge; fwd=miss; collapsed");
        assert_eq!(asked(&site.origin, &object), [String::new(), field(&span)]);
        gate.release();
        assert_eq!(whole.rest().await?.body, object.bytes.slice(start..));
        is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
        let mut expected = vec![String::new(), field(&span)];
        if behind {
            expected.push(field(&(span.end..SIZE)));
        }
        assert_eq!(asked(&site.origin, &object), expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_bytes_of_a_stalled_blob_are_had_at_once() -> Result<()> {
    let object = noise(1210, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let gate = stalled(&site, &object);
    let mut whole = site.ledge.get(&blob(&object.digest)).send().await?;
    let start = whole.at_least(100_000).await?.len();
    for (range, span) in [
        ("bytes=-7", SIZE - 7..SIZE),
        ("bytes=35999000-", 35_999_000..SIZE),
    ] {
        let answer = site.range(&object, range).fetch().await?;
        is_part(&answer, &object, span).context(range)?;
    }
    let several = format!("bytes=0-9,{FAR}-{}", FAR + 9);
    let answer = site.range(&object, &several).fetch().await?;
    is_multipart(&answer, &object, &[(0, 10), (FAR, FAR + 10)])?;
    gate.release();
    assert_eq!(whole.rest().await?.body, object.bytes.slice(start..));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_range_of_their_own_waits_for_the_whole() -> Result<()> {
    let object = noise(1215, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let gate = stalled(&site, &object);
    let refusal = Act::Status(404, "{}");
    site.origin
        .rule(Rule::new(&object.digest, refusal).times(1));
    let mut whole = site.ledge.get(&blob(&object.digest)).send().await?;
    let start = whole.at_least(100_000).await?.len();
    let span = FAR..FAR + 1000;
    let part = site.range(&object, &field(&span)).send().await?;
    site.ledge.line("nobody is sent ahead any more").await?;
    gate.release();
    is_part(&part.rest().await?, &object, span.clone())?;
    assert_eq!(whole.rest().await?.body, object.bytes.slice(start..));
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    assert_eq!(asked(&site.origin, &object), [String::new(), field(&span)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lazy_puller_s_ranges_are_brought_for_themselves() -> Result<()> {
    let object = noise(1220, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let probe = site.range(&object, "bytes=0-1").fetch().await?;
    is_part(&probe, &object, 0..2)?;
    assert_eq!(asked(&site.origin, &object)[0], "bytes=0-1");
    // They lie in one another's pieces, some near and some far, and overlap.
    let wanted: Vec<_> = (0..12)
        .map(|n| n * 2_900_000 + 11..n * 2_900_000 + 1_500_011)
        .collect();
    let ranges = try_join_all(wanted.iter().map(async |span| {
        let answer = site.range(&object, &field(span)).fetch().await?;
        is_part(&answer, &object, span.clone())
    }));
    ranges.await?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    let asked = asked(&site.origin, &object);
    assert!(!asked.contains(&String::new()), "{asked:?}");
    Ok(())
}

/// PEERS 4.
#[tokio::test(flavor = "multi_thread")]
async fn containerd_s_abandoned_ranges_cost_no_byte_twice() -> Result<()> {
    let object = noise(1230, SIZE);
    let site = Site::of(&object, |config| config).await?;
    // Each range is open at its end, on a connection of its own, which is dropped after a piece.
    let pieces = (0..SIZE).step_by(PIECE).map(async |start| {
        let open = format!("bytes={start}-");
        let mut answer = site.range(&object, &open).send().await?;
        assert_eq!(answer.status, 206, "{open}");
        let end = SIZE.min(start + PIECE);
        let bytes = answer.at_least(end - start).await?.slice(..end - start);
        ensure!(bytes == object.bytes.slice(start..end), "{open}");
        Ok(())
    });
    try_join_all(pieces).await?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    once(&site.origin, &object)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_one_open_range_gets_all_of_it() -> Result<()> {
    let object = noise(1240, SIZE);
    let site = Site::of(&object, |config| config).await?;
    let answer = site.range(&object, "bytes=0-").fetch().await?;
    is_part(&answer, &object, 0..SIZE)?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    once(&site.origin, &object)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_blob_only_the_ranges_are_fetched_if_so_configured() -> Result<()> {
    let settings = |config: Config| config.setting("transfer", "ranges = \"1MiB\"");
    let object = noise(1250, SIZE);
    let site = Site::of(&object, settings).await?;
    let wanted = [FAR..FAR + 1000, 5_000_000..7_000_000, 0..2];
    for span in &wanted {
        let answer = site.range(&object, &field(span)).fetch().await?;
        is_part(&answer, &object, span.clone())?;
    }
    // What came is not fetched again.
    let again = site.range(&object, &field(&wanted[0])).fetch().await?;
    is_part(&again, &object, wanted[0].clone())?;
    assert_eq!(asked(&site.origin, &object), wanted.each_ref().map(field));
    let stored = files::under(&site.ledge.store().join("blobs"));
    assert!(stored.is_empty(), "{stored:?}");
    // Who wants the whole gets it, and only what was missing is fetched.
    is(&site.blob(&object.digest).await?, &object)?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    once(&site.origin, &object)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_blob_is_fetched_whole_for_a_range() -> Result<()> {
    let settings = |config: Config| config.setting("transfer", "ranges = \"1MiB\"");
    let object = noise(1260, 1 << 20);
    let site = Site::of(&object, settings).await?;
    let answer = site.range(&object, "bytes=7-9").fetch().await?;
    is_part(&answer, &object, 7..10)?;
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    once(&site.origin, &object)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsatisfiable_range_fetches_the_blob_all_the_same() -> Result<()> {
    let object = noise(1270, 3_000_000);
    let site = Site::of(&object, |config| config).await?;
    let answer = site.range(&object, "bytes=3000000-").fetch().await?;
    error(&answer, 416, "RANGE_INVALID")?;
    assert_eq!(answer.header("content-range"), "bytes */3000000");
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    let asked = asked(&site.origin, &object);
    assert_eq!((asked.len(), asked[1].as_str()), (2, ""), "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_without_ranges_is_read_once() -> Result<()> {
    let object = noise(1280, SIZE);
    let site = Site::of(&object, |config| config).await?;
    site.origin.ignore_ranges();
    for (range, span) in [
        ("bytes=0-1", 0..2),
        ("bytes=30000001-30000010", FAR..FAR + 10),
        ("bytes=-7", SIZE - 7..SIZE),
    ] {
        let answer = site.range(&object, range).fetch().await?;
        is_part(&answer, &object, span).context(range)?;
    }
    is(&hit(&site.ledge, &blob(&object.digest)).await?, &object)?;
    assert_eq!(asked(&site.origin, &object), ["bytes=0-1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_tampered_blob_are_not_stored() -> Result<()> {
    let object = noise(1290, SIZE);
    let site = Site::of(&object, |config| config).await?;
    // Each part's last byte is another one.
    site.origin.rule(Rule::new(&object.digest, Act::Tamper));
    let open = site.range(&object, "bytes=0-").fetch().await;
    open.expect_err("a range that is the whole is cut");
    let stored = files::under(&site.ledge.store().join("blobs"));
    assert!(stored.is_empty(), "{stored:?}");
    site.origin.behave();
    is(&site.blob(&object.digest).await?, &object)
}
