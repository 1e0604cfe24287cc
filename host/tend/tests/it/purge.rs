//! `purge`.

use std::sync::atomic::Ordering;

use ledge_core::digest::Digest;
use ledge_core::fact::Fact;
use ledge_core::name::Tag;
use ledge_core::record::ListRecord;
use ledge_store::Class;
use ledge_tend::{Purge, PurgeReport, TendError};

use crate::kit::{Image, Site, gather, now, place, quietly};

fn request(selector: &str, dry_run: bool) -> Purge {
    Purge {
        selector: serde_json::from_str(selector).expect("right"),
        pinned: false,
        dry_run,
    }
}

/// Purges, after a look at what would go: both are to say the same.
fn purge(site: &Site, selector: &str) -> (PurgeReport, Vec<String>) {
    let (mut would, mut did) = (Vec::new(), Vec::new());
    let objects = site.tend.stats().expect("counted").objects;
    let run = |dry, rows: &mut Vec<_>| {
        let purged = site
            .tend
            .purge(&request(selector, dry), now(), &mut gather(rows));
        purged.expect("purged")
    };
    let dry = run(true, &mut would);
    assert_eq!(site.tend.stats().expect("counted").objects, objects);
    let wet = run(false, &mut did);
    assert_eq!(would, did);
    let (expected, left) = (
        PurgeReport {
            dry_run: false,
            ..dry
        },
        site.tend.stats().expect("counted").objects,
    );
    assert_eq!(wet, expected);
    assert_eq!(objects - left, wet.objects);
    (wet, did.into_iter().map(|row| row.image).collect())
}

fn stored(site: &Site, image: &Image) -> Vec<bool> {
    let stores = |digest: &Digest| site.stores(digest);
    image.objects.iter().map(|o| stores(&o.digest)).collect()
}

#[test]
fn an_image_goes_and_what_others_need_stays() {
    let site = Site::new();
    let (old, new) = (Image::of(&["base", "old"]), Image::of(&["base", "new"]));
    site.pulled("docker.io/library/a", "v1", &old);
    site.pulled("docker.io/library/a", "v2", &new);
    let (report, images) = purge(&site, r#"{"images":["a:v1"]}"#);
    assert_eq!(images, ["docker.io/library/a:v1"]);
    // The layer "old" and the manifest; both images have one configuration.
    assert_eq!(stored(&site, &old), [true, false, true, false]);
    assert_eq!(stored(&site, &new), [true; 4]);
    assert_eq!((report.objects, report.bytes, report.records), (2, 8192, 3));
    assert_eq!(site.names("{}"), ["docker.io/library/a:v2"]);
    let old_layer = old.objects[1].digest.clone();
    let at = place("docker.io/library/a");
    assert!(!site.has(&Fact::Grant(at, old_layer.clone())));
    assert!(!site.has(&Fact::Source("docker.io".to_owned(), old_layer)));
    assert_eq!(site.changed.load(Ordering::Relaxed), 1);
}

#[test]
fn what_another_repository_may_show_stays() {
    let site = Site::new();
    let image = Image::of(&["base", "own"]);
    site.pulled("docker.io/library/a", "v1", &image);
    site.pulled("ghcr.io/a", "v1", &image);
    let (report, _) = purge(&site, r#"{"upstream":"docker.io"}"#);
    assert_eq!((report.objects, report.needed), (0, 4));
    assert_eq!(site.names("{}"), ["ghcr.io/a:v1"]);
    let (report, _) = purge(&site, r#"{"upstream":"ghcr.io"}"#);
    assert_eq!((report.objects, report.needed), (4, 0));
    assert_eq!(site.names("{}"), [""; 0]);
}

#[test]
fn a_pattern_takes_whole_repositories_with_their_lists() {
    let site = Site::new();
    let (one, other) = (Image::of(&["one"]), Image::of(&["other"]));
    site.pulled("docker.io/team/a", "v1", &one);
    site.granted("docker.io/team/a", &other);
    site.pulled("docker.io/team/deep/a", "v1", &one);
    let list = ListRecord {
        checked_at: 1,
        ask_at: 0,
        json: b"[]".to_vec(),
    };
    let (at, digest) = (place("docker.io/team/a"), one.root().digest.clone());
    let lists = [Fact::Tags(at.clone()), Fact::Referrers(at, digest)];
    for fact in &lists {
        site.set(fact, list.encode());
    }
    let (report, images) = purge(&site, r#"{"repository":"team/*"}"#);
    assert_eq!((report.images, images.len()), (2, 2));
    // Of the other image the configuration is that of the first one.
    assert_eq!(stored(&site, &one), [true; 3]);
    assert_eq!(stored(&site, &other), [false, true, false]);
    assert!(!site.has(&lists[0]) && !site.has(&lists[1]));
    let catalog = site.file.label("catalog").keys().expect("keys");
    assert_eq!(catalog, ["docker.io/team/deep/a"]);
}

#[test]
fn a_named_digest_goes_even_if_it_is_needed() {
    let site = Site::new();
    let image = Image::of(&["base", "wrong"]);
    site.pulled("docker.io/library/a", "v1", &image);
    site.pulled("ghcr.io/a", "v1", &image);
    let wrong = image.objects[1].digest.clone();
    let (report, images) = purge(&site, &format!(r#"{{"digest":"{wrong}"}}"#));
    assert_eq!((report.objects, report.records, images.len()), (1, 2, 0));
    assert_eq!(stored(&site, &image), [true, false, true, true]);
    // A root takes with it what nothing else needs.
    let root = image.root().digest.clone();
    let (report, images) = purge(&site, &format!(r#"{{"digest":"{root}"}}"#));
    assert_eq!((report.objects, images.len()), (3, 2));
}

#[test]
fn what_is_unused_goes_by_age() {
    let site = Site::new();
    site.pulled("docker.io/a", "v1", &Image::of(&["one"]));
    assert_eq!(purge(&site, r#"{"unused":3600}"#).0.images, 0);
    assert_eq!(purge(&site, r#"{"unused":1}"#).0.images, 1);
}

#[test]
fn pinned_images_stay_unless_they_are_meant() {
    let site = Site::new();
    let image = Image::of(&["one"]);
    site.pulled("docker.io/a", "v1", &image);
    site.put(image.root(), Class::Pinned);
    let (report, _) = purge(&site, r#"{"upstream":"docker.io"}"#);
    assert_eq!((report.images, report.pinned, report.objects), (0, 1, 0));
    assert!(site.has(&Fact::Tag(
        place("docker.io/a"),
        Tag::parse("v1").expect("one")
    )));
    let purge = Purge {
        pinned: true,
        ..request(r#"{"upstream":"docker.io"}"#, false)
    };
    let report = site
        .tend
        .purge(&purge, now(), &mut quietly)
        .expect("purged");
    assert_eq!((report.images, report.objects), (1, 3));
    assert_eq!(site.tend.stats().expect("counted").objects, 0);
}

#[test]
fn hosted_objects_stay() {
    let site = Site::new();
    let image = Image::of(&["one"]);
    site.pulled("docker.io/a", "v1", &image);
    site.put(&image.objects[0], Class::Hosted);
    let purge = Purge {
        pinned: true,
        ..request(r#"{"upstream":"docker.io"}"#, false)
    };
    let report = site
        .tend
        .purge(&purge, now(), &mut quietly)
        .expect("purged");
    assert_eq!((report.objects, report.pinned), (2, 1));
    assert!(site.stores(&image.objects[0].digest));
}

#[test]
fn an_index_goes_with_what_it_lists() {
    let site = Site::new();
    let index = Image::index(&[&Image::of(&["amd64"]), &Image::of(&["arm64", "x"])]);
    site.pulled("docker.io/a", "v1", &index);
    assert_eq!(
        purge(&site, r#"{"images":["docker.io/a:v1"]}"#).0.objects,
        0
    );
    site.pulled("docker.io/library/a", "v1", &index);
    let (report, _) = purge(&site, r#"{"images":["a:v1"]}"#);
    assert_eq!((report.images, report.objects, report.needed), (1, 0, 8));
    assert_eq!(purge(&site, r#"{"repository":"a"}"#).0.objects, 8);
}

#[test]
fn everything_at_once_is_refused() {
    let site = Site::new();
    site.pulled("docker.io/a", "v1", &Image::of(&["one"]));
    let purged = site.tend.purge(&request("{}", false), now(), &mut quietly);
    assert!(matches!(purged, Err(TendError::Everything)));
    assert_eq!(site.names("{}").len(), 1);
}

#[test]
fn many_records_are_no_more_than_the_disk_takes() {
    let site = Site::new();
    let at = place("docker.io/many");
    // More than may wait for the disk together.
    for number in 0..80_000_u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        let fact = Fact::Grant(at.clone(), Digest::from_sha256(&bytes));
        site.set(&fact, b"g2\nshown\n\n\n".to_vec());
        if number % 10_000 == 0 {
            site.file.flush().expect("flushed");
        }
    }
    let (report, _) = purge(&site, r#"{"repository":"many"}"#);
    assert_eq!(report.records, 80_000);
    assert_eq!(site.tend.stats().expect("counted").records, 0);
}
