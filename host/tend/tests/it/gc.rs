//! `gc`.

use std::fs;
use std::time::{Duration, SystemTime};

use ledge_core::fact::Fact;
use ledge_core::name::Tag;
use ledge_core::platform::Platform;
use ledge_core::record::{Grant, Ground};
use ledge_store::Class;
use ledge_tend::GcReport;

use crate::kit::{Blob, Image, Site, place, quietly};

/// Long after what a test did.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(2 * 3600)
}

fn gc(site: &Site, now: SystemTime) -> GcReport {
    site.tend.gc(now, &mut quietly).expect("collected")
}

#[test]
fn what_no_image_needs_goes_after_a_while() {
    let site = Site::new();
    let image = Image::of(&["one", "two"]);
    site.pulled("docker.io/a", "v1", &image);
    let (useless, pinned) = (Blob::new("useless"), Blob::new("pinned"));
    site.put(&useless, Class::Cached);
    site.put(&pinned, Class::Pinned);
    assert_eq!(gc(&site, SystemTime::now()).unreached, 0, "it is too new");
    let report = gc(&site, later());
    assert_eq!((report.unreached, report.unreached_bytes), (1, 4096));
    assert!(!site.stores(&useless.digest) && site.stores(&pinned.digest));
    assert!(image.objects.iter().all(|blob| site.stores(&blob.digest)));
    assert_eq!(gc(&site, later()), GcReport::default());
}

#[test]
fn a_store_without_our_records_is_not_judged() {
    let site = Site::new();
    site.put(&Blob::new("another component's"), Class::Cached);
    assert_eq!(gc(&site, later()).unreached, 0);
}

#[test]
fn records_of_what_is_not_there_go() {
    let site = Site::new();
    let (kept, gone) = (Image::of(&["one"]), Image::of(&["two", "three"]));
    site.pulled("docker.io/a", "v1", &kept);
    site.pulled("docker.io/b", "v1", &gone);
    let at = place("docker.io/b");
    // What rules are kept by stays.
    let platform = Grant {
        ground: Ground::Listed,
        media_type: None,
        size: None,
        platform: Platform::parse("linux/amd64"),
    };
    let child = Fact::Grant(at.clone(), Blob::new("elsewhere").digest);
    site.set(&child, platform.encode());
    for blob in &gone.objects {
        let _ = fs::remove_file(site.object(&blob.digest));
    }
    assert_eq!(gc(&site, SystemTime::now()).dangling, 0, "it is too new");
    // A tag; the grants and sources of four objects, of which one is that of the other image too.
    let report = gc(&site, later());
    assert_eq!(report.dangling, 1 + 2 * 4);
    assert!(!site.has(&Fact::Tag(at, Tag::parse("v1").expect("one"))));
    assert!(site.has(&child));
    assert_eq!(site.names("{}"), ["docker.io/a:v1"]);
}

#[test]
fn leftovers_and_old_records_go() {
    let site = Site::new();
    let half = Blob::new("half");
    let mut partial = site.store.begin(&half.digest).expect("a partial");
    partial.write_at(&[7; 8192], 0).expect("written");
    partial.mark(8192, half.digest.hex()).expect("marked");
    partial.keep();
    site.pulled("docker.io/a", "v1", &Image::of(&["one"]));
    let report = gc(&site, SystemTime::now());
    assert!(report.leftovers >= 8192, "{report:?}");
    assert_eq!(report.expired, 0);
    let years = SystemTime::now() + Duration::from_secs(2 * 365 * 24 * 3600);
    // A tag, the grants and sources of three objects, and the catalog's entry.
    let report = gc(&site, years);
    assert_eq!(report.expired, 1 + 2 * 3 + 1);
}
