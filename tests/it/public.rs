//! What everybody may see of an upstream for which this mirror has credentials.

use anyhow::Result;
use ledge_tests::config::{Config, Upstream};
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::{Auth, Origin};
use serde_json::json;

use crate::site::is;

#[tokio::test]
async fn what_is_public_is_listed_and_vouched_for_and_the_rest_is_not() -> Result<()> {
    let (origin, image) = (Origin::start().await?, images::small(790)?);
    for repository in ["open/one", "open/two", "team/one", "team/two"] {
        origin.put(repository, "v1", &image);
    }
    origin.authenticate(Auth::Basic("me:secret".to_owned()));
    let upstream = Upstream::new("docker.io", origin.address())
        .credentials("me", "secret")
        .line("public = [\"open/*\"]".to_owned());
    let config = Config::only(upstream);
    let ledge = Ledge::start(&config).await?;
    let object = &image.blobs[0];
    let pull = async |repository: &str| {
        let tag = format!("/v2/{repository}/manifests/v1");
        is(&ledge.get(&tag).fetch().await?, image.root())?;
        let blob = format!("/v2/{repository}/blobs/{}", object.digest);
        is(&ledge.get(&blob).fetch().await?, object)
    };
    // In a private repository each digest has to be shown by the origin.
    pull("team/one").await?;
    pull("team/two").await?;
    assert_eq!(
        origin.count(&Method::HEAD, &format!("team/two/blobs/{}", object.digest)),
        1
    );
    // What came through private ones vouches for nothing in a public one.
    pull("open/one").await?;
    let asked = |repository: &str| {
        let part = format!("{repository}/blobs/{}", object.digest);
        origin.count(&Method::HEAD, &part) + origin.count(&Method::GET, &part)
    };
    assert_eq!(asked("open/one"), 1);
    let listed = ledge.get("/v2/_catalog").fetch().await?.json()?;
    assert_eq!(listed["repositories"], json!(["docker.io/open/one"]));

    // What came through a public one is shown in another whose manifest lists it.
    let other = images::small(791)?;
    for repository in ["open/one", "open/two"] {
        origin.put(repository, "v2", &other);
    }
    let object = &other.blobs[0];
    for repository in ["open/one", "open/two"] {
        let tag = format!("/v2/{repository}/manifests/v2");
        is(&ledge.get(&tag).fetch().await?, other.root())?;
        let blob = format!("/v2/{repository}/blobs/{}", object.digest);
        is(&ledge.get(&blob).fetch().await?, object)?;
    }
    assert_eq!(origin.count(&Method::GET, &object.digest), 1);
    assert_eq!(origin.count(&Method::HEAD, &object.digest), 0);
    Ok(())
}
