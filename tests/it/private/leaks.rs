//! One digest, and repositories that do not show it: nothing that a client may ask tells of it
//! (PEERS 9).

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::gate::Gate;
use ledge_tests::http::{Answer, Method};
use ledge_tests::images::{self, Image, OCI_INDEX, OCI_MANIFEST, Object};
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use ledge_tests::registry::{PASSWORD, USER};
use ledge_tests::script::{Act, Rule};
use serde_json::json;

use crate::site::{gets, is, noise};

/// The repository that shows the secret.
const SECRET: &str = "ghcr.io/team/secret";

/// What else a client can ask: the same upstream, the public one in each of its shapes, and the
/// secret's own name at the public one.
const OTHERS: [(&str, &str); 6] = [
    ("ghcr.io/team/other", ""),
    ("team/other", "?ns=ghcr.io"),
    ("library/open", ""),
    ("docker.io/library/open", ""),
    ("library/open", "?ns=docker.io"),
    ("docker.io/team/secret", ""),
];

/// Ranges of an object: some of it, several, the end, all, and what lies behind it, which would
/// be answered with its size.
const RANGES: [&str; 5] = [
    "bytes=0-1",
    "bytes=0-1,5-6",
    "bytes=-3",
    "bytes=0-",
    "bytes=99999999-",
];

/// A private upstream, where one of two repositories has the secret, and a public one.
struct House {
    private: Origin,
    public: Origin,
    ledge: Ledge,
    secret: Image,
    signature: Image,
}

impl House {
    async fn start(seed: u64) -> Result<Self> {
        let (private, public) = (Origin::start().await?, Origin::start().await?);
        private.authenticate(Auth::Basic(format!("{USER}:{PASSWORD}")));
        private.offer_referrers();
        let secret = images::layered(seed, &[200_000])?;
        let signature = images::artifact(secret.root(), "application/vnd.secret", "signed");
        private.put("team/secret", "hush", &secret);
        private.put("team/secret", "signature", &signature);
        private.put("team/other", "v1", &images::small(seed + 1)?);
        public.put("library/open", "v1", &images::small(seed + 2)?);
        let upstream = Upstream::new("ghcr.io", private.address()).credentials(USER, PASSWORD);
        let ledge = Ledge::start(&Config::docker(public.address()).upstream(upstream)).await?;
        Ok(Self {
            private,
            public,
            ledge,
            secret,
            signature,
        })
    }

    /// Pulls all of the secret, and what the other repositories have.
    async fn pull(&self) -> Result<()> {
        for (path, image) in [("hush", &self.secret), ("signature", &self.signature)] {
            let path = format!("/v2/{SECRET}/manifests/{path}");
            is(&self.ledge.get(&path).fetch().await?, image.root())?;
        }
        for (kind, object) in self.objects() {
            let path = format!("/v2/{SECRET}/{kind}/{}", object.digest);
            is(&self.ledge.get(&path).fetch().await?, object)?;
        }
        let referrers = format!("/v2/{SECRET}/referrers/{}", self.secret.root().digest);
        let listed = self.ledge.get(&referrers).fetch().await?.text();
        assert!(listed.contains(&self.signature.root().digest), "{listed}");
        for other in ["ghcr.io/team/other", "library/open"] {
            let path = format!("/v2/{other}/manifests/v1");
            assert_eq!(self.ledge.get(&path).fetch().await?.status, 200);
        }
        Ok(())
    }

    /// Everything that only the secret's repository has, and how it is asked for.
    fn objects(&self) -> impl Iterator<Item = (&'static str, &Object)> {
        let manifests = [self.secret.root(), self.signature.root()];
        let blobs = self.secret.blobs.iter();
        let manifests = manifests.into_iter().map(|object| ("manifests", object));
        blobs.map(|object| ("blobs", object)).chain(manifests)
    }

    /// What may not be found in an answer: names, digests, sizes and bytes of the secret. The
    /// digest that was asked for may be named again.
    fn tells(&self, answer: &Answer, asked: &str) -> Result<()> {
        let header = format!("{:?}", answer.headers);
        // What the origin said of it is no size.
        let text = answer.text().replace("(status 404)", "");
        let mut words = BTreeSet::from(["secret".to_owned(), "hush".to_owned()]);
        for (_, object) in self.objects() {
            words.insert(object.digest.clone());
            words.insert(object.bytes.len().to_string());
        }
        words.remove(asked);
        for word in words {
            ensure!(!header.contains(&word), "{word} is in {header}");
            ensure!(!text.contains(&word), "{word} is in {text}");
        }
        for (_, object) in self.objects() {
            let start = &object.bytes[..object.bytes.len().min(16)];
            let found = answer.body.windows(start.len()).any(|bytes| bytes == start);
            ensure!(!found, "bytes of {} in {text}", object.digest);
        }
        Ok(())
    }

    /// Asks for an object in every way there is.
    async fn hides(&self, repository: &str, query: &str, object: &Object) -> Result<()> {
        for (kind, code) in [("blobs", "BLOB_UNKNOWN"), ("manifests", "MANIFEST_UNKNOWN")] {
            let path = format!("/v2/{repository}/{kind}/{}{query}", object.digest);
            let get = || self.ledge.get(&path);
            let mut answers = vec![get().fetch().await?];
            for range in RANGES {
                answers.push(get().header("range", range).fetch().await?);
                let etag = format!("\"{}\"", object.digest);
                let guarded = get().header("range", range).header("if-range", &etag);
                answers.push(guarded.fetch().await?);
            }
            for answer in &answers {
                ensure!(
                    (answer.status, answer.code().as_str()) == (404, code),
                    "{path}: {} {}",
                    answer.status,
                    answer.text()
                );
            }
            let head = self.ledge.head(&path).fetch().await?;
            ensure!(head.status == 404, "HEAD {path}: {}", head.status);
            for answer in answers.iter().chain([&head]) {
                for name in ["docker-content-digest", "etag", "content-range"] {
                    ensure!(answer.header(name).is_empty(), "{path}: {name}");
                }
                self.tells(answer, &object.digest).context(path.clone())?;
            }
        }
        Ok(())
    }
}

/// PEERS 9: by digest, range, several ranges and HEAD, as a blob and as a manifest.
#[tokio::test]
async fn a_private_digest_is_not_readable_through_any_other_repository() -> Result<()> {
    let house = House::start(920).await?;
    house.pull().await?;
    for (repository, query) in OTHERS {
        for (_, object) in house.objects() {
            house.hides(repository, query, object).await?;
        }
    }
    // Those who may see it still do, and without its origin.
    house.private.forget();
    for (kind, object) in house.objects() {
        let path = format!("/v2/{SECRET}/{kind}/{}", object.digest);
        is(&house.ledge.get(&path).fetch().await?, object)?;
    }
    assert_eq!(house.private.seen().len(), 0);
    Ok(())
}

/// PEERS 9: by tag, and in lists of tags, referrers and repositories, and where they go on.
#[tokio::test]
async fn no_list_tells_of_what_is_private() -> Result<()> {
    let house = House::start(930).await?;
    house.pull().await?;
    let subject = &house.secret.root().digest;
    let join = |query: &str, more: &str| match query {
        "" => format!("?{more}"),
        query => format!("{query}&{more}"),
    };
    for (repository, query) in OTHERS {
        // At the public upstream there is no repository of the secret's name.
        let there = !repository.contains("secret");
        for path in [
            format!("tags/list{query}"),
            format!("tags/list{}", join(query, "n=1")),
            format!("tags/list{}", join(query, "last=h")),
            format!("manifests/hush{query}"),
            format!("referrers/{subject}{query}"),
            format!(
                "referrers/{subject}{}",
                join(query, "artifactType=application/vnd.secret")
            ),
        ] {
            let is_list = path.starts_with("tags") && there || path.starts_with("referrers");
            let answer = house.ledge.get(&format!("/v2/{repository}/{path}"));
            let answer = answer.fetch().await?;
            let expected = if is_list { 200 } else { 404 };
            assert_eq!(answer.status, expected, "{repository} {path}");
            // The client's own words may come back in an error.
            if !path.contains("hush") && there {
                house.tells(&answer, subject).context(path.clone())?;
            }
            if path.starts_with("referrers") {
                assert_eq!(
                    answer.json()?["manifests"],
                    json!([]),
                    "{repository} {path}"
                );
            }
        }
    }
    for path in [
        "",
        "?n=1",
        "?n=1&last=docker.io",
        "?last=ghcr.io/team",
        "?ns=ghcr.io",
    ] {
        let answer = house.ledge.get(&format!("/v2/_catalog{path}"));
        let answer = answer.fetch().await?;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        house.tells(&answer, "").context(path)?;
        assert!(!answer.text().contains("team/"), "{}", answer.text());
        assert!(!answer.header("link").contains("team"), "{path}");
    }
    Ok(())
}

/// PEERS 9: whoever joins a transfer needs a right of their own.
#[tokio::test]
async fn a_private_transfer_under_way_is_joined_by_nobody_else() -> Result<()> {
    let house = House::start(940).await?;
    let object = &noise(943, 2_000_000);
    house.private.put_blob("team/secret", object);
    let gate = Gate::held();
    let act = Act::Stall(500_000, gate.clone());
    house
        .private
        .rule(Rule::new(&object.digest, act).method(Method::GET));
    let path = format!("/v2/{SECRET}/blobs/{}", object.digest);
    let mut inside = house.ledge.get(&path).send().await?;
    let start = inside.at_least(100_000).await?;
    let outside = OTHERS.map(|(repository, query)| house.hides(repository, query, object));
    try_join_all(outside).await?;
    gate.release();
    let rest = inside.rest().await?.body;
    assert!([start, rest].concat() == object.bytes, "wrong bytes");
    // The first request is told to bring credentials.
    let mut fetched = gets(&house.private, object);
    fetched.retain(|seen| {
        seen.path.contains("/team/secret/blobs/") && !seen.header("authorization").is_empty()
    });
    assert_eq!(fetched.len(), 1, "{fetched:?}");
    Ok(())
}

/// PEERS 9: everybody can push a manifest to a public registry that names whatever they like.
#[tokio::test]
async fn a_manifest_that_names_a_private_digest_opens_nothing() -> Result<()> {
    let house = House::start(950).await?;
    house.pull().await?;
    let (root, layer) = (house.secret.root(), &house.secret.blobs[0]);
    let descriptor = |object: &Object| {
        json!({
            "mediaType": object.media_type, "digest": object.digest, "size": object.bytes.len(),
        })
    };
    let own = noise(953, 100);
    let mut foreign = descriptor(layer);
    foreign["urls"] = json!(["http://example.com/layer"]);
    let manifest = |layers: serde_json::Value| {
        json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(&own),
            "layers": layers, "subject": descriptor(root),
        })
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(root)],
    });
    for (tag, media_type, content) in [
        ("layer", OCI_MANIFEST, manifest(json!([descriptor(layer)]))),
        ("urls", OCI_MANIFEST, manifest(json!([foreign]))),
        ("index", OCI_INDEX, index),
    ] {
        let bait = Object::new(media_type, content.to_string());
        for (origin, name, through) in [
            (&house.public, "library/open", "docker.io/library/open"),
            (&house.private, "team/other", "ghcr.io/team/other"),
        ] {
            origin.put_blob(name, &own);
            origin.put_manifest(name, tag, &bait);
            let path = format!("/v2/{through}/manifests/{tag}");
            is(&house.ledge.get(&path).fetch().await?, &bait)?;
            for object in [root, layer] {
                house.hides(through, "", object).await.context(tag)?;
            }
        }
    }
    Ok(())
}

/// What both upstreams have is shown by each of them to its own, and a digest's bytes are fetched
/// once.
#[tokio::test]
async fn one_digest_of_two_upstreams_is_shown_by_each_for_itself() -> Result<()> {
    let house = House::start(960).await?;
    house.pull().await?;
    let shared = &house.secret;
    house.public.put("library/open", "copy", shared);
    for (kind, object) in [("blobs", &shared.blobs[0]), ("manifests", shared.root())] {
        let path = format!("/v2/library/open/{kind}/{}", object.digest);
        for _ in 0..2 {
            is(&house.ledge.get(&path).fetch().await?, object)?;
        }
        assert_eq!(house.public.count(&Method::HEAD, &object.digest), 1);
        assert_eq!(house.public.count(&Method::GET, &object.digest), 0);
        // That it is public elsewhere opens no private repository.
        house.hides("ghcr.io/team/other", "", object).await?;
    }
    Ok(())
}
