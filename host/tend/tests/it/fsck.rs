//! `fsck`.

use std::fs;
use std::sync::atomic::Ordering;

use ledge_core::digest::Digest;
use ledge_store::Class;
use ledge_tend::{Event, Finding, Fsck, FsckReport, Gone, TendError, Wrong};
use sha2::{Digest as _, Sha512};

use crate::kit::{Blob, Image, Site};

const FAST: Fsck = Fsck {
    rate: 0,
    delete: false,
};

fn fsck(site: &Site, how: Fsck) -> (FsckReport, Vec<Finding>) {
    let mut findings = Vec::new();
    let report = site.tend.fsck(&how, &mut |event| {
        if let Event::Finding(finding) = event {
            findings.push(finding);
        }
        Ok(())
    });
    (report.expect("verified"), findings)
}

#[test]
fn what_is_right_is_left_alone() {
    let site = Site::new();
    let image = Image::of(&["one", "two"]);
    site.pulled("docker.io/a", "v1", &image);
    let bytes = b"of another algorithm".to_vec();
    let digest = Digest::from_sha512(&Sha512::digest(&bytes).into());
    site.put(&Blob { digest, bytes }, Class::Cached);
    let (report, findings) = fsck(&site, FAST);
    assert_eq!(findings, []);
    let sizes = image.objects.iter().map(|blob| blob.bytes.len() as u64);
    let expected = FsckReport {
        objects: 5,
        bytes: sizes.sum::<u64>() + 20,
        ..FsckReport::default()
    };
    assert_eq!(report, expected);
    assert_eq!(site.changed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_byte_that_flipped_is_found() {
    let site = Site::new();
    let image = Image::of(&["one", "two"]);
    site.pulled("docker.io/a", "v1", &image);
    let victim = &image.objects[0].digest;
    fs::write(site.object(victim), b"onE").expect("written");
    let (report, findings) = fsck(&site, FAST);
    let finding = Finding {
        what: victim.to_string(),
        wrong: Wrong::Digest,
        done: "quarantined".to_owned(),
    };
    assert_eq!(findings, [finding]);
    assert_eq!(
        (report.wrong, report.damaged, report.quarantined),
        (1, 1, 1)
    );
    assert!(!site.stores(victim));
    assert_eq!(site.changed.load(Ordering::Relaxed), 1);
    let stats = site.tend.stats().expect("counted");
    assert_eq!((stats.quarantined, stats.quarantined_bytes), (1, 4096));
    assert_eq!(stats.quarantine, [victim.as_str().replace(':', "-")]);
    let (report, _) = fsck(&site, FAST);
    assert_eq!((report.objects, report.wrong), (3, 0));
}

#[test]
fn everything_that_can_be_wrong_is_told_and_put_right() {
    let site = Site::new();
    let image = Image::of(&["one", "two", "three", "four"]);
    site.pulled("docker.io/a", "v1", &image);
    let [truncated, missing, ..] = &image.objects[..] else {
        panic!("six")
    };
    fs::write(site.object(&truncated.digest), b"").expect("written");
    fs::remove_file(site.object(&missing.digest)).expect("removed");
    let unknown = Blob::new("nobody entered it");
    let path = site.object(&unknown.digest);
    fs::create_dir_all(path.parent().expect("one")).expect("made");
    fs::write(&path, &unknown.bytes).expect("written");
    let stranger = path.with_file_name("README");
    fs::write(&stranger, b"?").expect("written");
    let how = Fsck {
        delete: true,
        ..FAST
    };
    let (report, findings) = fsck(&site, how);
    let seen: Vec<_> = findings
        .iter()
        .map(|found| (found.what.clone(), found.wrong, found.done.as_str()))
        .collect();
    for expected in [
        (truncated.digest.to_string(), Wrong::Digest, "deleted"),
        (missing.digest.hex().to_owned(), Wrong::Missing, "forgotten"),
        (unknown.digest.to_string(), Wrong::Unknown, "entered"),
        (stranger.display().to_string(), Wrong::Stranger, "deleted"),
    ] {
        assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
    }
    assert_eq!(
        (report.wrong, report.damaged, report.quarantined),
        (4, 1, 0)
    );
    assert_eq!(fsck(&site, how).0.wrong, 0);
    assert!(site.stores(&unknown.digest) && !stranger.exists());
}

#[test]
fn one_works_at_a_time_and_stops_when_nobody_watches() {
    let site = Site::new();
    site.pulled("docker.io/a", "v1", &Image::of(&["one"]));
    let victim = site.object(&Blob::new("one").digest);
    fs::write(victim, b"two").expect("written");
    let tend = site.tend.clone();
    let stopped = site.tend.fsck(&FAST, &mut |_| {
        let second = tend.fsck(&FAST, &mut |_| Ok(()));
        assert!(matches!(second, Err(TendError::Busy)));
        Err(Gone)
    });
    assert!(matches!(stopped, Err(TendError::Gone)));
    assert_eq!(fsck(&site, FAST).0.wrong, 0, "it was mended before");
}
