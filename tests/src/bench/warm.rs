//! Everything stored: what does a warm answer cost?
//!
//! `ledge` is Ledge as it comes; `ledge-instance` repeats no answers, so that an instance of the
//! component is asked for every one.

use anyhow::{Result, ensure};

use super::board::Series;
use super::hyper;
use super::load::{Case, Plan, Rate, Server, measure};
use crate::config::{Config, Upstream};
use crate::images::{self, Image, Object};
use crate::layers::{self, Compression, Layer};
use crate::ledge::Ledge;
use crate::origin::Origin;

const REPOSITORY: &str = "library/warm";

/// Bytes of the blob, compressed: 1 MiB, the size of a small layer.
const BLOB: usize = 1 << 20;

/// Measures Ledge beside bare hyper.
///
/// # Errors
/// If one of them does not start or answers wrongly, or `wrk` is missing.
pub async fn run(plan: Plan) -> Result<Vec<Series>> {
    let origin = Origin::start().await?;
    let image = image()?;
    origin.put(REPOSITORY, "v1", &image);
    let cases = cases(&image);
    let ledge = warm(&config(&origin, "32MiB"), &cases).await?;
    let instance = warm(&config(&origin, "0"), &cases).await?;
    origin.forget();
    let paths: Vec<&str> = cases.iter().map(|case| case.path.as_str()).collect();
    let yardstick = hyper::start(ledge.address(), &paths).await?;
    let servers = [
        Server {
            name: "ledge",
            address: ledge.address(),
        },
        Server {
            name: "ledge-instance",
            address: instance.address(),
        },
        Server {
            name: "hyper",
            address: yardstick.address,
        },
    ];
    let series = measure(&cases, &servers, plan).await?;
    ensure!(
        origin.seen().is_empty(),
        "it was not warm: {} requests reached the origin",
        origin.seen().len()
    );
    Ok(series)
}

/// A Ledge that has everything in its store.
async fn warm(config: &Config, cases: &[Case]) -> Result<Ledge> {
    let ledge = Ledge::start(config).await?;
    for case in cases {
        let cold = ledge.get(&case.path).fetch().await?;
        ensure!(
            cold.status == 200,
            "{}: {} {}",
            case.path,
            cold.status,
            cold.text()
        );
    }
    Ok(ledge)
}

/// A line a request on a pipe would be measured with it: the access log is off.
fn config(origin: &Origin, answers: &str) -> Config {
    let head = format!(
        "default_upstream = \"docker.io\"\n[server]\nanswers = \"{answers}\"\n\
         [log]\nfilter = \"info,access=off\""
    );
    Config::default()
        .head(&head)
        .upstream(Upstream::new("docker.io", origin.address()))
}

/// One layer of exactly 1 MiB, which nobody unpacks here.
fn image() -> Result<Image> {
    let layer = layers::random(1, 4 * BLOB, Compression::Zstd)?;
    images::of(&[Layer {
        bytes: layer.bytes.slice(..BLOB),
        ..layer
    }])
}

fn cases(image: &Image) -> Vec<Case> {
    let root = image.root();
    let manifest = |reference: &str| format!("/v2/{REPOSITORY}/manifests/{reference}");
    let case = |name, path, object: &Object, metrics| Case {
        name,
        path,
        digest: object.digest.clone(),
        size: object.bytes.len() as u64,
        metrics,
    };
    let layer = &image.blobs[0];
    vec![
        case("manifest-by-tag", manifest("v1"), root, &[Rate::Requests]),
        case(
            "manifest-by-digest",
            manifest(&root.digest),
            root,
            &[Rate::Requests],
        ),
        case(
            "blob-1MiB",
            format!("/v2/{REPOSITORY}/blobs/{}", layer.digest),
            layer,
            &[Rate::Requests, Rate::Throughput],
        ),
    ]
}
