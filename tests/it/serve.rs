//! The deployable component under `wasmtime serve`: a host that is not ours, with variables and records from a
//! component that is plugged in, and objects in a bucket.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::http::{self, Method, Request};
use ledge_tests::images::{self, Image, Object};
use ledge_tests::link::FAST;
use ledge_tests::origin::Origin;
use ledge_tests::registry::{Access, Registry};
use ledge_tests::relay::Relay;
use ledge_tests::s3::{BUCKET, KEY, S3, SECRET};
use ledge_tests::script::{Act, Rule};
use ledge_tests::serve::{Served, Wasmtime};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::imports::{component, imports};
use crate::site::{REPOSITORY, blob, is, manifest, noise};

/// The smallest parts that S3 takes: an object of a few megabytes has several.
const PART: usize = 5 << 20;

/// The host, its records and its bucket.
struct Mirror {
    host: Served,
    wasmtime: Wasmtime,
    variables: Map<String, Value>,
    s3: S3,
    records: TempDir,
}

impl Mirror {
    /// In front of docker.io at this address; `None` if wasmtime is not there.
    async fn start(origin: std::net::SocketAddr) -> Result<Option<Self>> {
        let Some(wasmtime) = Wasmtime::told() else {
            return Ok(None);
        };
        let s3 = S3::start().await?;
        let registry = json!({ "default_upstream": "docker.io", "upstreams": [
            { "name": "docker.io", "endpoints": [format!("http://{origin}")] },
        ] });
        let place = json!({ "store": {
            "kind": "s3", "endpoint": s3.endpoint(), "region": "us-east-1", "bucket": BUCKET, "part_bytes": PART,
        } });
        let variables = Map::from_iter([
            ("ledge_registry".to_owned(), registry.to_string().into()),
            ("ledge_blobs".to_owned(), place.to_string().into()),
            ("ledge_blobs_key".to_owned(), KEY.into()),
            ("ledge_blobs_secret".to_owned(), SECRET.into()),
        ]);
        let records = tempfile::Builder::new().prefix("ledge-serve-").tempdir()?;
        let host = wasmtime.serve(records.path(), &variables).await?;
        Ok(Some(Self {
            host,
            wasmtime,
            variables,
            s3,
            records,
        }))
    }

    /// Ends the host, and starts another with its records.
    async fn restart(mut self) -> Result<Self> {
        drop(self.host);
        self.host = self
            .wasmtime
            .serve(self.records.path(), &self.variables)
            .await?;
        Ok(self)
    }

    fn get(&self, path: &str) -> Request {
        http::get(self.host.address(), path)
    }

    /// The manifest and all blobs, byte for byte.
    async fn pull(&self, image: &Image) -> Result<()> {
        let pulled = async {
            is(&self.get(&manifest("v1")).fetch().await?, image.root())?;
            for object in &image.blobs {
                is(&self.get(&blob(&object.digest)).fetch().await?, object)?;
            }
            anyhow::Ok(())
        };
        pulled.await.with_context(|| self.host.seen_log())
    }

    /// Whether the bucket has it; what it has is right.
    fn has(&self, object: &Object) -> Result<bool> {
        let hex = &object.digest["sha256:".len()..];
        let path = format!("blobs/sha256/{}/{hex}", &hex[..2]);
        let path = self.s3.bucket().join(path);
        if !path.exists() {
            return Ok(false);
        }
        ensure!(
            fs::read(path)? == object.bytes,
            "{} is wrong",
            object.digest
        );
        Ok(true)
    }
}

/// A layer that goes up in one request, and one of three parts: half of it compresses well.
fn image(seed: u64) -> Result<Image> {
    images::layered(seed, &[300_000, 5 * PART])
}

#[test]
fn nothing_but_wasi_is_left_to_provide() -> Result<()> {
    if Wasmtime::told().is_none() {
        return Ok(());
    }
    let path = component("LEDGE_WASI_WASM", "ledge_wasi.wasm")?;
    let imports = imports("wasi", &path)?;
    for import in &imports {
        assert!(import.starts_with("wasi:"), "it imports {import}");
    }
    assert!(imports.contains("wasi:http/client@0.3.0"), "{imports:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls_from_a_real_registry_cold_and_warm() -> Result<()> {
    let Some(skopeo) = Skopeo::start()? else {
        return Ok(());
    };
    let registry = Registry::start(Access::Open).await?;
    let relay = Relay::start(registry.address(), FAST).await?;
    let Some(mirror) = Mirror::start(relay.address()).await? else {
        return Ok(());
    };
    for (name, image) in [("layered", image(7000)?), ("index", images::index(7001)?)] {
        let repository = format!("library/{name}");
        registry.push(&repository, "v1", &image).await?;
        let reference = format!("docker.io/{repository}:v1");
        for round in ["cold", "warm"] {
            relay.forget();
            let pulled = skopeo.pull(mirror.host.address(), &reference).await;
            let pulled = pulled.with_context(|| mirror.host.seen_log())?;
            assert_eq!(pulled, Skopeo::expects(&image), "{round} {name}");
            let asked = relay.requests();
            assert_eq!(
                asked.is_empty(),
                round == "warm",
                "{round} {name}: {asked:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_pulled_is_stored_and_outlives_the_host() -> Result<()> {
    let image = image(7002)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let Some(mirror) = Mirror::start(origin.address()).await? else {
        return Ok(());
    };
    mirror.pull(&image).await?;
    for object in image.blobs.iter().chain(&image.manifests) {
        ensure!(mirror.has(object)?, "{} is not stored", object.digest);
        assert_eq!(
            origin.count(&Method::GET, &object.digest),
            usize::from(object.digest != image.root().digest)
        );
    }
    assert_eq!(
        mirror.s3.count("PUT", "partNumber="),
        3,
        "{:?}",
        mirror.s3.seen()
    );

    origin.forget();
    mirror.pull(&image).await?;
    let mirror = mirror.restart().await?;
    mirror.pull(&image).await?;
    let layer = &image.blobs[1];
    let part = mirror
        .get(&blob(&layer.digest))
        .header("range", "bytes=6000000-6000099");
    let part = part.fetch().await?;
    assert_eq!(
        (part.status, part.body),
        (206, layer.bytes.slice(6_000_000..6_000_100))
    );
    assert_eq!(origin.seen().len(), 0, "{:?}", origin.seen());
    Ok(())
}

#[tokio::test]
async fn wrong_bytes_reach_nobody_whole_and_are_not_stored() -> Result<()> {
    let image = image(7003)?;
    let origin = Origin::start().await?;
    origin.put(REPOSITORY, "v1", &image);
    let Some(mirror) = Mirror::start(origin.address()).await? else {
        return Ok(());
    };
    for layer in &image.blobs {
        for act in [Act::Tamper, Act::Truncate(layer.bytes.len() / 2)] {
            let rule = Rule::new(&layer.digest, act.clone()).method(Method::GET);
            origin.rule(rule.times(1));
            let answer = mirror.get(&blob(&layer.digest)).fetch().await;
            assert!(answer.is_err(), "{act:?} of {} bytes", layer.bytes.len());
            assert!(
                !mirror.has(layer)?,
                "{act:?} of {} bytes",
                layer.bytes.len()
            );
        }
    }
    mirror.pull(&image).await
}

/// The host gives 32 MiB of memory to an instance.
#[tokio::test]
async fn a_layer_larger_than_the_memory_passes_through() -> Result<()> {
    let layer = noise(7004, 96 << 20);
    let origin = Origin::start().await?;
    origin.put_blob(REPOSITORY, &layer);
    let Some(mirror) = Mirror::start(origin.address()).await? else {
        return Ok(());
    };
    for _ in 0..2 {
        let answer = mirror.get(&blob(&layer.digest)).fetch().await;
        is(&answer.with_context(|| mirror.host.seen_log())?, &layer)?;
    }
    assert_eq!(origin.count(&Method::GET, &layer.digest), 1);
    Ok(())
}
