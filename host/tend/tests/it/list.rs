//! `list` and `stats`.

use std::fs;

use ledge_core::fact::Fact;
use ledge_core::record::{Grant, Ground};
use ledge_tend::{Event, Gone, Selector, TendError};

use crate::kit::{Image, Site, now, place};

#[test]
fn images_are_listed_with_what_is_stored_of_them() {
    let site = Site::new();
    let (one, other) = (Image::of(&["first", "shared"]), Image::of(&["shared"]));
    let index = Image::index(&[&one, &other]);
    site.pulled("docker.io/library/b", "v1", &one);
    site.pulled("docker.io/library/b/sub", "v1", &one);
    site.pulled("docker.io/library/b", "v0", &index);
    site.pulled("docker.io/library/a", "latest", &one);
    site.granted("ghcr.io/team/app", &other);
    fs::remove_file(site.object(&other.objects[0].digest)).expect("removed");
    let rows = site.list("{}");
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.image.as_str(), row.stored, row.objects))
        .collect();
    let by_digest = format!("ghcr.io/team/app@{}", other.root().digest);
    let expected = [
        ("docker.io/library/a:latest", 3, 4),
        ("docker.io/library/b:v0", 6, 7),
        ("docker.io/library/b:v1", 3, 4),
        ("docker.io/library/b/sub:v1", 3, 4),
        (by_digest.as_str(), 2, 3),
    ];
    assert_eq!(seen, expected);
    let first = &rows[0];
    assert_eq!(first.digest, one.root().digest.as_str());
    assert_eq!(first.checked, Some(1_700_000_000));
    assert!(first.used.is_some() && !first.pinned);
    let sizes = one.objects.iter().map(|blob| blob.bytes.len() as u64);
    assert_eq!(first.bytes, sizes.sum::<u64>() - "shared".len() as u64);
}

#[test]
fn selectors_are_all_to_be_true() {
    let site = Site::new();
    let (one, other) = (Image::of(&["one"]), Image::of(&["other"]));
    site.pulled("docker.io/library/a", "v1", &one);
    site.pulled("docker.io/library/a", "v2", &other);
    site.pulled("docker.io/team/b", "v1", &one);
    site.pulled("ghcr.io/team/b", "v1", &other);
    let layer = &one.objects[0].digest;
    let root = &one.root().digest;
    let table: [(String, &[&str]); 9] = [
        (
            r#"{"images":["a:v1"]}"#.to_owned(),
            &["docker.io/library/a:v1"],
        ),
        (
            r#"{"images":["index.docker.io/a:v2","ghcr.io/team/b:v1"]}"#.to_owned(),
            &["docker.io/library/a:v2", "ghcr.io/team/b:v1"],
        ),
        (
            format!(r#"{{"images":["a@{root}"]}}"#),
            &["docker.io/library/a:v1"],
        ),
        (
            r#"{"repository":"team/*"}"#.to_owned(),
            &["docker.io/team/b:v1", "ghcr.io/team/b:v1"],
        ),
        (
            r#"{"repository":"team/*","upstream":"index.docker.io"}"#.to_owned(),
            &["docker.io/team/b:v1"],
        ),
        (
            format!(r#"{{"digest":"{layer}"}}"#),
            &["docker.io/library/a:v1", "docker.io/team/b:v1"],
        ),
        (
            format!(r#"{{"digest":"{layer}","upstream":"ghcr.io"}}"#),
            &[],
        ),
        (r#"{"unused":3600}"#.to_owned(), &[]),
        (
            r#"{"unused":1,"upstream":"ghcr.io"}"#.to_owned(),
            &["ghcr.io/team/b:v1"],
        ),
    ];
    for (selector, expected) in table {
        assert_eq!(site.names(&selector), expected, "{selector}");
    }
}

#[test]
fn an_upstream_that_is_configured_no_more_is_listed() {
    let site = Site::new();
    site.pulled("gone.io/a", "v1", &Image::of(&["x"]));
    assert_eq!(site.names(r#"{"upstream":"gone.io"}"#), ["gone.io/a:v1"]);
}

#[test]
fn a_tag_without_a_grant_is_listed_once() {
    let site = Site::new();
    let image = Image::of(&["x"]);
    for (at, tags) in [
        ("docker.io/a", ["v1", "v2"]),
        ("docker.io/a/t", ["v1", "v2"]),
    ] {
        for tag in tags {
            site.pulled(at, tag, &image);
        }
        for blob in &image.objects {
            let fact = Fact::Grant(place(at), blob.digest.clone());
            site.file
                .label("default")
                .delete(&fact.key())
                .expect("deleted");
        }
    }
    let expected = [
        "docker.io/a/t:v1",
        "docker.io/a/t:v2",
        "docker.io/a:v1",
        "docker.io/a:v2",
    ];
    let mut names = site.names("{}");
    names.sort();
    assert_eq!(names, expected);
}

#[test]
fn what_hostile_manifests_say_is_bounded() {
    let site = Site::new();
    // An index that lists a hundred thousand, of which none is there, and itself.
    let entry = |n: u32| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:{n:064x}"}}"#
        )
    };
    let entries: Vec<String> = (0..20_000).map(entry).collect();
    let mut image = Image::of(&[]);
    image.objects = vec![crate::kit::Blob::new(format!(
        r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
        entries.join(",")
    ))];
    image.kind = ledge_core::media_type::OCI_INDEX;
    site.pulled("docker.io/a", "v1", &image);
    let rows = site.list("{}");
    assert_eq!((rows[0].stored, rows[0].objects), (1, 1025));
}

#[test]
fn who_has_gone_stops_it() {
    let site = Site::new();
    site.pulled("docker.io/a", "v1", &Image::of(&["x"]));
    let mut gone = |_: Event| Err(Gone);
    let stopped = site.tend.list(&Selector::default(), now(), &mut gone);
    assert!(matches!(stopped, Err(TendError::Gone)));
}

#[test]
fn stats_count() {
    let site = Site::new();
    let image = Image::of(&["one", "two"]);
    site.pulled("docker.io/library/a", "v1", &image);
    site.pulled("docker.io/library/a", "v2", &image);
    site.pulled("ghcr.io/b", "v1", &image);
    let grant = Grant {
        ground: Ground::Listed,
        media_type: None,
        size: None,
        platform: None,
    };
    let elsewhere = Fact::Grant(place("ghcr.io/c"), image.objects[0].digest.clone());
    site.set(&elsewhere, grant.encode());
    let stats = site.tend.stats().expect("counted");
    assert_eq!((stats.objects, stats.stored), (4, 4 * 4096));
    assert!(stats.used > stats.stored && stats.max_size.is_none());
    // Three tags, nine grants, the sources of two upstreams, two entries of the catalog.
    assert_eq!(stats.records, 3 + 9 + 8 + 2);
    let upstreams: Vec<_> = stats
        .upstreams
        .iter()
        .map(|u| (u.upstream.as_str(), u.repositories, u.tags, u.grants))
        .collect();
    assert_eq!(upstreams, [("docker.io", 1, 2, 4), ("ghcr.io", 2, 1, 5)]);
}
