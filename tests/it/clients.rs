//! Real clients pull every kind of image: straight from a real origin, to see
//! that the drivers are right, and through Ledge, cold and warm.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use ledge_tests::clients::Stored;
use ledge_tests::clients::containerd::Containerd;
use ledge_tests::clients::docker::Docker;
use ledge_tests::clients::podman::Podman;
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::config::Config;
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::link::FAST;
use ledge_tests::registry::{Access, Registry};
use ledge_tests::relay::Relay;

/// A real origin with one image of each kind, a relay that counts, and Ledge.
struct Site {
    _registry: Registry,
    relay: Relay,
    ledge: Ledge,
    images: Vec<(&'static str, Image)>,
}

/// How a client names what it pulls.
enum Reference {
    Tag,
    Digest(String),
}

impl Site {
    async fn start() -> Result<Self> {
        let registry = Registry::start(Access::Open).await?;
        let images = vec![
            ("small", images::small(10)?),
            (
                "layered",
                images::layered(20, &[3_000_000, 200_000, 100_000])?,
            ),
            ("index", images::index(30)?),
            ("zstd", images::zstandard(40, &[200_000, 100_000])?),
            ("docker", images::docker(50)?),
        ];
        for (name, image) in &images {
            registry
                .push(&format!("library/{name}"), "v1", image)
                .await?;
        }
        let relay = Relay::start(registry.address(), FAST).await?;
        let ledge = Ledge::start(&Config::docker(relay.address())).await?;
        Ok(Self {
            _registry: registry,
            relay,
            ledge,
            images,
        })
    }

    /// Pulls each image by tag, by tag again and by digest, each time into
    /// empty storage. Only the first pull may reach the origin.
    async fn pulls<F>(
        &self,
        pull: impl Fn(&'static str, Reference) -> F,
        expects: fn(&Image) -> Stored,
    ) -> Result<()>
    where
        F: Future<Output = Result<Stored>>,
    {
        for (name, image) in &self.images {
            self.relay.forget();
            let cold = pull(name, Reference::Tag)
                .await
                .with_context(|| self.told(name, "cold"))?;
            ensure!(
                cold == expects(image),
                "cold {name}: {cold:?}\nis not {:?}",
                expects(image)
            );
            ensure!(
                self.relay.total() > 0,
                "cold {name} asked the origin nothing"
            );
            self.relay.forget();
            let warm = pull(name, Reference::Tag)
                .await
                .with_context(|| self.told(name, "warm"))?;
            ensure!(warm == expects(image), "warm {name}: {warm:?}");
            let digest = Reference::Digest(image.root().digest.clone());
            let exact = pull(name, digest)
                .await
                .with_context(|| self.told(name, "by digest"))?;
            ensure!(exact == expects(image), "{name} by digest: {exact:?}");
            ensure!(
                self.relay.total() == 0,
                "warm {name} asked the origin: {:?}",
                self.relay.requests()
            );
        }
        Ok(())
    }

    fn told(&self, name: &str, what: &str) -> String {
        format!(
            "{what} {name}; Ledge's log:\n{}",
            self.ledge.seen_log().join("\n")
        )
    }
}

impl Reference {
    /// `name:v1` or `name@sha256:…`
    fn after(&self, name: &str) -> String {
        match self {
            Self::Tag => format!("{name}:v1"),
            Self::Digest(digest) => format!("{name}@{digest}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_pulls() -> Result<()> {
    let Some(skopeo) = Skopeo::start()? else {
        return Ok(());
    };
    let site = Site::start().await?;
    let (skopeo, address) = (&skopeo, site.ledge.address());
    let pull = |name, reference: Reference| async move {
        skopeo
            .pull(
                address,
                &reference.after(&format!("docker.io/library/{name}")),
            )
            .await
    };
    site.pulls(pull, Skopeo::expects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_pulls() -> Result<()> {
    let site = Site::start().await?;
    let Some(podman) = Podman::start(&format!("{}/docker.io", site.ledge.address()))? else {
        return Ok(());
    };
    let podman = &podman;
    let pull = |name, reference: Reference| async move {
        podman
            .pull(&reference.after(&format!("docker.io/library/{name}")))
            .await
    };
    site.pulls(pull, Podman::expects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_pulls() -> Result<()> {
    let Some(containerd) = Containerd::start().await? else {
        return Ok(());
    };
    let site = Site::start().await?;
    containerd.mirror(site.ledge.address())?;
    let containerd = &containerd;
    let pull = |name, reference: Reference| async move {
        containerd
            .pull(&reference.after(&format!("docker.io/library/{name}")))
            .await
    };
    site.pulls(pull, Containerd::expects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_docker_engine_pulls() -> Result<()> {
    let mut site = Site::start().await?;
    // Docker 20.10 reads no Zstandard, from any registry.
    site.images.retain(|(name, _)| *name != "zstd");
    let Some(docker) = Docker::start(site.ledge.address()).await? else {
        return Ok(());
    };
    let docker = &docker;
    let pull = |name, reference: Reference| async move {
        let reference = match reference {
            Reference::Tag => "v1".to_owned(),
            Reference::Digest(digest) => digest,
        };
        docker.pull(&format!("library/{name}"), &reference).await
    };
    site.pulls(pull, Docker::expects).await
}

/// The drivers themselves, with no mirror between: what they report is what the origin has.
#[tokio::test(flavor = "multi_thread")]
async fn the_drivers_report_what_they_stored() -> Result<()> {
    let registry = Registry::start(Access::Open).await?;
    let image = images::index(60)?;
    registry.push("library/index", "v1", &image).await?;
    let origin: SocketAddr = registry.address();
    if let Some(skopeo) = Skopeo::start()? {
        assert_eq!(
            skopeo.pull(origin, "library/index:v1").await?,
            Skopeo::expects(&image)
        );
    }
    if let Some(podman) = Podman::start(&origin.to_string())? {
        assert_eq!(
            podman.pull("docker.io/library/index:v1").await?,
            Podman::expects(&image)
        );
    }
    if let Some(containerd) = Containerd::start().await? {
        let relay = Relay::start(origin, FAST).await?;
        containerd.mirror(relay.address())?;
        assert_eq!(
            containerd.pull("docker.io/library/index:v1").await?,
            Containerd::expects(&image)
        );
        assert!(
            relay
                .requests()
                .keys()
                .all(|(_, path)| path.contains("ns=docker.io")),
            "{:?}",
            relay.requests()
        );
    }
    if let Some(docker) = Docker::start(origin).await? {
        assert_eq!(
            docker.pull("library/index", "v1").await?,
            Docker::expects(&image)
        );
    }
    Ok(())
}
