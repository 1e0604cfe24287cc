//! Real clients while the origin is away: every tag and digest that was pulled before still pulls.

use anyhow::{Context, Result, ensure};
use ledge_tests::clients::Stored;
use ledge_tests::clients::containerd::Containerd;
use ledge_tests::clients::podman::Podman;
use ledge_tests::clients::skopeo::Skopeo;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::images::{self, Image};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};

/// Who may pull, where each client shows its own credentials.
const USER: &str = "ann:pass-word";

/// An origin that can be stopped, and Ledge, to which no tag is ever fresh.
struct Site {
    origin: Origin,
    ledge: Ledge,
    images: Vec<(&'static str, Image)>,
}

impl Site {
    async fn start() -> Result<Self> {
        Self::with(&[]).await
    }

    /// The same where each client shows its own credentials: those of `USER`.
    async fn of_users() -> Result<Self> {
        let site = Self::with(&["access = \"pass-through\"", "negative = \"0s\""]).await?;
        site.origin.authenticate(Auth::Basic(USER.to_owned()));
        Ok(site)
    }

    async fn with(lines: &[&str]) -> Result<Self> {
        let origin = Origin::start().await?;
        let images = vec![
            ("layered", images::layered(660, &[300_000, 20_000])?),
            ("index", images::index(661)?),
        ];
        for (name, image) in &images {
            origin.put(&format!("library/{name}"), "v1", image);
        }
        let upstream = Upstream::new("docker.io", origin.address());
        let config = Config::only(upstream.lines(lines).lines(&["fresh = \"0s\""]));
        let ledge = Ledge::start(&config).await?;
        Ok(Self {
            origin,
            ledge,
            images,
        })
    }

    /// `pull` takes what follows `docker.io/library/`, and stores it in an empty place.
    async fn outlives<F>(
        &self,
        pull: impl Fn(String) -> F,
        expects: fn(&Image) -> Stored,
    ) -> Result<()>
    where
        F: Future<Output = Result<Stored>>,
    {
        let pulls = async |what: &'static str, digests: bool| {
            for (name, image) in &self.images {
                let tag = Some(format!("{name}:v1"));
                let digest = digests.then(|| format!("{name}@{}", image.root().digest));
                for reference in tag.into_iter().chain(digest) {
                    let told = || format!("{what} {reference}");
                    let stored = pull(reference.clone()).await.with_context(told)?;
                    ensure!(stored == expects(image), "{}: {stored:?}", told());
                }
            }
            Ok(())
        };
        pulls("before", false).await?;
        self.origin.down().await?;
        pulls("without the origin", true).await?;
        self.origin.up().await?;
        // It recovers by itself: what only the origin has is pulled.
        let new = images::small(662)?;
        self.origin.put("library/new", "v1", &new);
        let stored = pull("new:v1".to_owned()).await.context("afterwards")?;
        ensure!(stored == expects(&new), "afterwards: {stored:?}");
        Ok(())
    }
}

async fn skopeo_goes_on_at(site: &Site, skopeo: &Skopeo) -> Result<()> {
    let address = site.ledge.address();
    let pull = |what: String| async move {
        let reference = format!("docker.io/library/{what}");
        skopeo.pull(address, &reference).await
    };
    site.outlives(pull, Skopeo::expects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn skopeo_goes_on() -> Result<()> {
    let Some(skopeo) = Skopeo::start()? else {
        return Ok(());
    };
    skopeo_goes_on_at(&Site::start().await?, &skopeo).await?;
    skopeo_goes_on_at(&Site::of_users().await?, &skopeo.user(USER)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_goes_on() -> Result<()> {
    for (site, user) in [
        (Site::start().await?, None),
        (Site::of_users().await?, Some(USER)),
    ] {
        let address = site.ledge.address();
        let Some(podman) = Podman::start(&format!("{address}/docker.io"))? else {
            return Ok(());
        };
        if let Some(user) = user {
            podman.log_in(address, user)?;
        }
        let podman = &podman;
        let pull =
            |what: String| async move { podman.pull(&format!("docker.io/library/{what}")).await };
        site.outlives(pull, Podman::expects).await?;
    }
    Ok(())
}

async fn containerd_goes_on_at(site: &Site, containerd: &Containerd) -> Result<()> {
    containerd.mirror(site.ledge.address())?;
    let pull =
        |what: String| async move { containerd.pull(&format!("docker.io/library/{what}")).await };
    site.outlives(pull, Containerd::expects).await
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_goes_on() -> Result<()> {
    let Some(containerd) = Containerd::start().await? else {
        return Ok(());
    };
    containerd_goes_on_at(&Site::start().await?, &containerd).await?;
    containerd_goes_on_at(&Site::of_users().await?, &containerd.user(USER)).await
}
