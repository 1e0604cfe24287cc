//! A mirror that says no, breaks off, or lies.

use std::net::TcpListener;

use ledge_core::manifest::MAX_MANIFEST;
use ledge_warm::{Mirror as Url, Options, Progress, warm};
use serde_json::json;

use crate::images::{Image, Object, index, serve_manifest};
use crate::mirror::{Answer, Mirror};

/// A mirror with one image, and what its one layer's path is.
async fn site() -> (Mirror, Image, String) {
    let mirror = Mirror::start().await;
    let image = Image::new("a", &["a layer of some bytes"]);
    image.serve(&mirror, "a/b", "v1");
    let path = format!("/v2/a/b/blobs/{}", image.blobs[1].digest);
    (mirror, image, path)
}

fn count(mirror: &Mirror, path: &str) -> usize {
    mirror
        .seen()
        .iter()
        .filter(|request| request.contains(path))
        .count()
}

fn busy() -> Answer {
    Answer::new(
        503,
        r#"{"errors":[{"code":"UNAVAILABLE","message":"too many transfers are running"}]}"#,
    )
    .field("retry-after", "0")
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let (mirror, image, path) = site().await;
    let manifest = "/v2/a/b/manifests/v1";
    mirror.first(manifest, busy());
    mirror.first(manifest, Answer::new(429, ""));
    mirror.first(&path, Answer::cut(&image.blobs[1].bytes));
    mirror.first(&path, busy());
    let summary = mirror.warm(&["a/b:v1"]).await;
    assert_eq!((summary.failed(), summary.bytes()), (0, image.size()));
    assert_eq!((count(&mirror, manifest), count(&mirror, &path)), (3, 3));
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_and_said() {
    let (mirror, _, path) = site().await;
    mirror.serve(&path, busy());
    let summary = mirror.warm(&["a/b:v1", "a/b:typo"]).await;
    assert_eq!((summary.failed(), count(&mirror, &path)), (2, 3));
    assert_eq!(count(&mirror, "typo"), 1);
    let table = summary.table();
    for line in [
        ": the mirror answered 503 UNAVAILABLE too many transfers are running\n  the mirror is busy",
        "docker.io/a/b:typo: manifest typo: the mirror answered 404 MANIFEST_UNKNOWN upstream docker.io does not know it\n  check the name and the tag",
    ] {
        assert!(table.contains(line), "{table}");
    }
    assert_eq!(
        summary.json()["images"][1]["hint"],
        "check the name and the tag"
    );
}

/// The mirror has tried that itself.
#[tokio::test]
async fn an_origins_failure_is_not_asked_for_again() {
    let (mirror, _, path) = site().await;
    mirror.serve(&path, Answer::new(502, "<html>"));
    let summary = mirror.warm(&["a/b:v1"]).await;
    assert_eq!((summary.failed(), count(&mirror, &path)), (1, 1));
}

#[tokio::test]
async fn a_manifest_is_verified() {
    let (mirror, image, _) = site().await;
    let other = Image::new("other", &["z"]).manifest;
    let digest = &image.manifest.digest;
    let rows = [
        // By its digest, whatever the mirror says of it.
        (
            format!("a/b@{digest}"),
            Answer::ok(other.bytes.clone()).field("docker-content-digest", &other.digest),
        ),
        // By a tag, when the mirror says what it should be.
        (
            "a/b:v1".to_owned(),
            Answer::ok(other.bytes.clone()).field("docker-content-digest", digest),
        ),
    ];
    for (name, answer) in rows {
        let reference = name.rsplit_once(['@']).map_or("v1", |(_, digest)| digest);
        mirror.serve(&format!("/v2/a/b/manifests/{reference}"), answer);
        let summary = mirror.warm(&[&name]).await;
        let failure = summary.rows[0]
            .failure
            .as_ref()
            .expect("another manifest came")
            .to_string();
        assert_eq!(
            failure,
            format!(
                "manifest {reference}: the mirror sent other bytes: {}",
                other.digest
            )
        );
    }
    assert_eq!(count(&mirror, "/blobs/"), 0);
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let (mirror, _, _) = site().await;
    let large = " ".repeat(MAX_MANIFEST as usize + 1);
    let rows = [
        ("", "this is no manifest that can be read"),
        ("{}", "this is no manifest that can be read"),
        ("<html>", "this is no manifest that can be read"),
        (r#"{"manifests":5}"#, "this is no manifest that can be read"),
        (&large, "it has more than 4194304 bytes"),
    ];
    for (body, why) in rows {
        mirror.serve(
            "/v2/a/b/manifests/v1",
            Answer::ok(body.to_owned()).unannounced(),
        );
        let summary = mirror.warm(&["a/b:v1"]).await;
        let failure = summary.rows[0].failure.as_ref().expect(why).to_string();
        assert_eq!(failure, format!("manifest v1: {why}"), "{body:.40}");
    }
}

#[tokio::test]
async fn a_blobs_length_is_checked() {
    let (mirror, image, path) = site().await;
    let blob = &image.blobs[1];
    for (bytes, came) in [("short", 5), ("longer than what the manifest says", 34)] {
        mirror.serve(&path, Answer::ok(bytes).unannounced());
        let summary = mirror.warm(&["a/b:v1"]).await;
        let failure = summary.rows[0]
            .failure
            .as_ref()
            .expect("a wrong length")
            .to_string();
        let expected = format!(
            "blob {}: the mirror sent {came} bytes, the manifest says {}",
            blob.digest,
            blob.len()
        );
        assert_eq!(failure, expected);
    }
}

/// Three levels of two hundred indexes each would be eight million manifests.
#[tokio::test]
async fn an_image_is_bounded() {
    let mirror = Mirror::start().await;
    let entries: Vec<_> = (0..300)
        .map(|n| {
            let inner = Object::json(&json!({ "n": n, "manifests": [] }));
            let mut entry = inner.descriptor(crate::images::INDEX);
            entry["platform"] = json!({ "os": "linux", "architecture": "amd64" });
            entry
        })
        .collect();
    serve_manifest(&mirror, "a/b", "v1", &index(&entries));
    let summary = mirror.warm(&["a/b:v1"]).await;
    let failure = summary.rows[0]
        .failure
        .as_ref()
        .expect("too many")
        .to_string();
    assert_eq!(failure, "it consists of more than 256 manifests");
    assert_eq!(mirror.seen().len(), 1);
}

#[tokio::test]
async fn no_mirror_is_said_at_once() {
    // A port that was free a moment ago, and nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port");
    let mirror = Mirror::start().await;
    let url = Url::listening(address).expect("a URL");
    let options = Options {
        mirror: url,
        ..mirror.options()
    };
    let images = [ledge_warm::Image::parse("alpine").expect("an image")];
    let error = warm(&images, &options, &Progress::Quiet)
        .await
        .expect_err("nobody listens")
        .to_string();
    for part in [
        format!("http://{address}: "),
        "refused".to_owned(),
        "--mirror".to_owned(),
    ] {
        assert!(error.contains(&part), "{error}");
    }
}
