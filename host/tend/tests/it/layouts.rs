//! `export` and `import`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use ledge_core::digest::Digest;
use ledge_core::fact::Fact;
use ledge_core::name::Tag;
use ledge_core::record::{Grant, Ground, TagRecord};
use ledge_tend::{
    Export, ExportReport, Import, ImportReport, LayoutError, TendError, pack, unpack,
};
use serde_json::json;

use crate::kit::{Blob, Image, Site, now, place, quietly};

fn request(selector: &str) -> Export {
    Export {
        selector: serde_json::from_str(selector).expect("right"),
        public: false,
    }
}

/// Exports, after a look at what would be: both are to say the same.
fn export(site: &Site, export: &Export) -> Result<(Vec<u8>, ExportReport), TendError> {
    let mut bytes = Vec::new();
    let plan = site.tend.plan_export(export, now(), &mut quietly);
    let done = site.tend.export(export, now(), &mut bytes);
    assert_eq!(plan.is_ok(), done.is_ok());
    let done = done?;
    assert_eq!(plan.expect("planned"), done);
    Ok((bytes, done))
}

fn import(site: &Site, bytes: &[u8]) -> Result<ImportReport, TendError> {
    let how = Import {
        public: false,
        size: Some(bytes.len() as u64),
    };
    site.tend.import(&how, now(), &mut &bytes[..])
}

fn grant(site: &Site, at: &str, digest: &Digest) -> Option<Grant> {
    let key = Fact::Grant(place(at), digest.clone()).key();
    let found = site.file.label("default").get(&key).expect("read");
    found.and_then(|bytes| Grant::decode(&bytes))
}

/// Files of a layout.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// A layout of an image, file by file.
pub(crate) fn files(image: &Image, name: &str) -> Files {
    let root = image.root();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": image.kind, "digest": root.digest.as_str(), "size": root.bytes.len(),
        "annotations": {"org.opencontainers.image.ref.name": name},
    }]});
    let mut files = vec![
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
        ),
        ("index.json".to_owned(), index.to_string().into_bytes()),
    ];
    files.extend(
        image
            .objects
            .iter()
            .map(|blob| (path(&blob.digest), blob.bytes.clone())),
    );
    files
}

pub(crate) fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(crate) fn tar(files: &Files) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        // As it stands there, right or wrong.
        header.as_gnu_mut().expect("one").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, &bytes[..]).expect("memory");
    }
    builder.into_inner().expect("memory")
}

#[test]
fn what_is_exported_is_imported_elsewhere() {
    let (from, to) = (Site::new(), Site::new());
    let one = Image::of(&["shared", "one"]);
    let index = Image::index(&[&Image::of(&["amd64"]), &Image::of(&["arm64", "shared"])]);
    from.pulled("docker.io/library/one", "v1", &one);
    from.pulled("docker.io/library/one", "latest", &one);
    from.pulled("ghcr.io/team/index", "v1", &index);
    from.granted("ghcr.io/team/one", &one);
    let (bytes, report) = export(&from, &request("{}")).expect("exported");
    // Layers: shared, one, amd64, arm64; configurations of one and of two layers; three manifests, an index.
    assert_eq!((report.images, report.objects), (4, 10));
    let again = export(&from, &request("{}")).expect("exported").0;
    assert!(bytes == again, "the same images give the same bytes");

    let imported = import(&to, &bytes).expect("imported");
    assert_eq!((imported.objects, imported.present), (10, 0));
    assert_eq!(imported.bytes, report.bytes);
    assert_eq!(to.changed.load(Ordering::Relaxed), 1);
    let names = to.names("{}");
    assert_eq!(names, from.names("{}"));
    let mut said = imported.images;
    said.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!(said, expected);
    for blob in one.objects.iter().chain(&index.objects) {
        assert_eq!(
            fs::read(to.object(&blob.digest)).expect("there"),
            blob.bytes
        );
    }
    // As a pull by a public repository leaves it.
    let tag = Fact::Tag(
        place("docker.io/library/one"),
        Tag::parse("v1").expect("one"),
    );
    let record = to.file.label("default").get(&tag.key()).expect("read");
    let record = TagRecord::decode(&record.expect("there")).expect("a tag");
    let seconds = |time: std::time::SystemTime| {
        time.duration_since(std::time::UNIX_EPOCH)
            .expect("later")
            .as_secs()
    };
    assert!(record.checked_at.abs_diff(seconds(now())) < 60);
    let layer = &one.objects[0].digest;
    let shown = grant(&to, "docker.io/library/one", layer).expect("granted");
    assert_eq!((shown.ground, shown.media_type), (Ground::Listed, None));
    assert!(to.has(&Fact::Source("docker.io".to_owned(), layer.clone())));
    let manifest = grant(&to, "ghcr.io/team/index", &index.objects[2].digest).expect("granted");
    assert_eq!(manifest.media_type.expect("one").as_str(), one.kind);
    let catalog = to.file.label("catalog").keys().expect("keys");
    assert_eq!(catalog.len(), 3);

    let again = import(&to, &bytes).expect("imported");
    assert_eq!((again.objects, again.present), (0, 10));
    assert_eq!(to.tend.stats().expect("counted").objects, 10);
}

#[test]
fn directories_and_tars_are_the_same() {
    let (from, to) = (Site::new(), Site::new());
    let image = Image::of(&["one"]);
    from.pulled("docker.io/library/a", "v1", &image);
    let (bytes, _) = export(&from, &request("{}")).expect("exported");
    let dir = tempfile::tempdir().expect("a directory");
    let layout = dir.path().join("layout");
    unpack(&bytes[..], &layout).expect("unpacked");
    let root = layout.join(path(&image.root().digest));
    assert_eq!(fs::read(root).expect("there"), image.root().bytes);
    fs::write(layout.join("README"), b"passed over").expect("written");
    let mut packed = Vec::new();
    pack(&layout, &mut packed).expect("packed");
    assert_eq!(import(&to, &packed).expect("imported").objects, 3);

    fs::remove_file(layout.join("index.json")).expect("removed");
    let error = pack(&layout, io::sink()).expect_err("no index");
    assert!(
        matches!(error, LayoutError::Missing("index.json")),
        "{error}"
    );
    let link = layout.join("index.json");
    std::os::unix::fs::symlink("/etc/passwd", link).expect("made");
    let error = pack(&layout, io::sink()).expect_err("a link");
    assert!(matches!(error, LayoutError::NoFile(_)), "{error}");
    let error = pack(dir.path(), io::sink()).expect_err("no layout");
    assert!(
        matches!(error, LayoutError::Missing("oci-layout")),
        "{error}"
    );
}

#[test]
fn what_is_not_whole_is_left_out_or_refused() {
    let site = Site::new();
    let (amd64, arm64) = (Image::of(&["amd64"]), Image::of(&["arm64", "x"]));
    let index = Image::index(&[&amd64, &arm64]);
    let broken = Image::of(&["broken", "y", "z"]);
    site.pulled("docker.io/library/index", "v1", &index);
    site.pulled("docker.io/library/broken", "v1", &broken);
    for gone in [&arm64.objects[0], &broken.objects[0]] {
        fs::remove_file(site.object(&gone.digest)).expect("removed");
    }
    let (bytes, report) = export(&site, &request("{}")).expect("exported");
    // Of the index, one platform of two: a layer, a configuration, a manifest.
    assert_eq!(
        (report.images, report.objects, report.incomplete),
        (1, 4, 1)
    );
    let to = Site::new();
    import(&to, &bytes).expect("imported");
    assert_eq!(to.names("{}"), ["docker.io/library/index:v1"]);
    for (selector, expected) in [
        (r#"{"images":["broken:v1"]}"#, "is not whole"),
        (r#"{"images":["index:v2"]}"#, "is not in the store"),
    ] {
        let error = export(&site, &request(selector)).expect_err(selector);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_is_private_is_named_or_left() {
    let (from, to) = (Site::new(), Site::new());
    let image = Image::of(&["secret"]);
    from.pulled("private.io/a", "v1", &image);
    let error = export(&from, &request("{}")).expect_err("private");
    assert!(matches!(error, TendError::Private(_)), "{error}");
    let named = Export {
        public: true,
        ..request("{}")
    };
    let (bytes, _) = export(&from, &named).expect("exported");
    let error = import(&to, &bytes).expect_err("private");
    assert!(matches!(error, TendError::Private(_)), "{error}");
    assert_eq!(to.tend.stats().expect("counted").objects, 0);
    let how = Import {
        public: true,
        size: None,
    };
    let imported = to.tend.import(&how, now(), &mut &bytes[..]);
    assert_eq!(imported.expect("imported").objects, 3);
    let shown = grant(&to, "private.io/a", &image.objects[0].digest).expect("granted");
    assert_eq!(shown.ground, Ground::Shown);
    assert_eq!(to.file.label("catalog").keys().expect("keys"), [""; 0]);
}

#[test]
fn a_damaged_object_is_not_exported() {
    let site = Site::new();
    let image = Image::of(&["right"]);
    site.pulled("docker.io/a", "v1", &image);
    fs::write(site.object(&image.objects[0].digest), b"wrong").expect("written");
    let error = site.tend.export(&request("{}"), now(), &mut Vec::new());
    assert!(matches!(error, Err(TendError::Damaged(_))), "{error:?}");
}

#[test]
fn what_no_image_needs_does_not_stay() {
    let site = Site::new();
    let image = Image::of(&["layer"]);
    let mut layout = files(&image, "docker.io/library/a:v1");
    let useless = Blob::new("useless");
    layout.push((path(&useless.digest), useless.bytes.clone()));
    layout.push(("manifest.json".to_owned(), b"[]".to_vec()));
    let report = import(&site, &tar(&layout)).expect("imported");
    assert_eq!(report.objects, 3);
    assert!(!site.stores(&useless.digest));
}

#[test]
fn other_programs_tars_are_read() {
    let site = Site::new();
    let image = Image::of(&["layer"]);
    let dir = tempfile::tempdir().expect("a directory");
    for (path, bytes) in files(&image, "docker.io/library/a:v1") {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("one")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    for format in ["gnu", "pax", "ustar"] {
        let bytes = packed(dir.path(), format);
        assert_eq!(
            import(&site, &bytes).expect(format).images.len(),
            1,
            "{format}"
        );
    }
}

/// By the system's own tar, with all that it says of directories and times.
fn packed(dir: &Path, format: &str) -> Vec<u8> {
    let mut command = std::process::Command::new("tar");
    command
        .arg("-C")
        .arg(dir)
        .args(["-c", "--format", format, "."]);
    let output = command.output().expect("tar is there");
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other(format!("broken {}", self.0)))
        }
    }
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let site = Site::new();
    let image = Image::of(&["layer"]);
    let bytes = tar(&files(&image, "docker.io/library/a:v1"));
    let how = Import::default();
    for length in [0, 600, 2000, bytes.len() - 3000] {
        let mut from = (&bytes[..length]).chain(Broken(length));
        let error = site
            .tend
            .import(&how, now(), &mut from)
            .expect_err("broken");
        assert!(error.to_string().contains("broken"), "{error}");
        assert_eq!(site.tend.stats().expect("counted").objects, 0);
    }
    site.pulled("docker.io/library/a", "v1", &image);
    let error = site.tend.export(&request("{}"), now(), &mut Full);
    assert!(matches!(error, Err(TendError::Write(_))), "{error:?}");
}
