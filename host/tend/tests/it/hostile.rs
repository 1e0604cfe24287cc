//! Layouts that are refused.

use ledge_tend::Import;
use serde_json::Value;

use crate::kit::{Image, Site, now};
use crate::layouts::{Files, files, tar};

/// What a layout may have that is refused, and a word of the reason.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let image = Image::of(&["layer"]);
    let name = "docker.io/library/a:v1";
    let good = files(&image, name);
    let with = |change: &dyn Fn(&mut Files)| {
        let mut files = good.clone();
        change(&mut files);
        tar(&files)
    };
    let index = |change: &dyn Fn(&mut Value)| {
        with(&|files| {
            let mut index: Value = serde_json::from_slice(&files[1].1).expect("JSON");
            change(&mut index["manifests"][0]);
            files[1].1 = index.to_string().into_bytes();
        })
    };
    let renamed = |name: &str| tar(&files(&image, name));
    let link = |kind: tar::EntryType| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_entry_type(kind);
        builder
            .append_link(&mut header, "index.json", "/etc/passwd")
            .expect("memory");
        builder.into_inner().expect("memory")
    };
    let huge_name = {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let pax_size = {
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_pax_extensions([("size", &b"99"[..])])
            .expect("memory");
        builder.into_inner().expect("memory")
    };
    let huge = |name: &'static str| {
        with(&|files| {
            let index = files
                .iter()
                .position(|(path, _)| path == name)
                .expect("there");
            files[index].1 = vec![b' '; 17 << 20];
        })
    };
    let cut = with(&|_| {});
    vec![
        ("no tar", b"garbage".repeat(200)),
        ("there is no oci-layout", Vec::new()),
        ("cannot be read", cut[..cut.len() / 2 + 100].to_vec()),
        (
            "there is no oci-layout",
            with(&|files| drop(files.remove(0))),
        ),
        (
            "there is no index.json",
            with(&|files| drop(files.remove(1))),
        ),
        (
            "version",
            with(&|files| files[0].1 = br#"{"imageLayoutVersion":"9"}"#.to_vec()),
        ),
        (
            "oci-layout is not",
            with(&|files| files[0].1 = b"{".to_vec()),
        ),
        (
            "index.json is not",
            with(&|files| files[1].1 = b"[]".to_vec()),
        ),
        ("oci-layout is larger", huge("oci-layout")),
        ("index.json is larger", huge("index.json")),
        ("bytes of sha256", with(&|files| files[2].1[0] ^= 1)),
        ("not whole", with(&|files| drop(files.remove(2)))),
        ("not whole", with(&|files| drop(files.pop()))),
        (
            "no place",
            with(&|files| files.push(("../evil".to_owned(), Vec::new()))),
        ),
        (
            "no place",
            with(&|files| files.push(("/etc/evil".to_owned(), Vec::new()))),
        ),
        (
            "no place",
            with(&|files| files.push(("blobs/sha256/../../x".to_owned(), Vec::new()))),
        ),
        (
            "no place",
            with(&|files| files.push(("evil".to_owned(), Vec::new()))),
        ),
        ("no plain file", link(tar::EntryType::Symlink)),
        ("no plain file", link(tar::EntryType::Link)),
        ("no plain file", link(tar::EntryType::Fifo)),
        ("the name of a file is larger", huge_name),
        ("the size of", pax_size),
        ("no whole name", renamed("3.20")),
        ("no whole name", renamed("")),
        ("no whole name", renamed("alpine:3.20")),
        (
            "none of the configured upstreams",
            renamed("nowhere.io/a:v1"),
        ),
        ("is private", renamed("private.io/a:v1")),
        (
            "the digest",
            index(&|image| image["digest"] = "sha256:00".into()),
        ),
        ("the size that", index(&|image| image["size"] = 1.into())),
        (
            "the mediaType",
            index(&|image| image["mediaType"] = "".into()),
        ),
        (
            "the mediaType",
            index(&|image| image["mediaType"] = "a/b".into()),
        ),
        (
            "the manifest",
            index(&|image| {
                let (path, bytes) = &good[2];
                image["digest"] = path.replace("blobs/sha256/", "sha256:").into();
                image["size"] = bytes.len().into();
            }),
        ),
        (
            "not whole",
            index(&|image| image["digest"] = format!("sha256:{}", "0".repeat(64)).into()),
        ),
    ]
}

#[test]
fn hostile_layouts_are_refused_and_leave_nothing() {
    for (number, (reason, bytes)) in hostile().into_iter().enumerate() {
        let site = Site::new();
        let kept = Image::of(&["of another"]);
        site.pulled("docker.io/library/kept", "v1", &kept);
        let before = site.tend.stats().expect("counted");
        let how = Import::default();
        let error = site.tend.import(&how, now(), &mut &bytes[..]);
        let error = error.expect_err(reason);
        let told = error.to_string();
        let is_told =
            told.contains(reason) || (reason == "no tar" && told.contains("cannot be read"));
        assert!(is_told, "{number}: {reason}: {told}");
        let after = site.tend.stats().expect("counted");
        assert_eq!(
            (after.objects, after.records),
            (before.objects, before.records),
            "{reason}"
        );
        assert_eq!((after.unfinished, after.promised), (0, 0), "{reason}");
    }
}
