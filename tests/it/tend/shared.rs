//! Records that several nodes share.

use anyhow::Result;
use ledge_tests::config::Config;
use ledge_tests::http::Method;
use ledge_tests::images;
use ledge_tests::ledge::Ledge;
use ledge_tests::origin::Origin;
use ledge_tests::valkey::{PASSWORD, Valkey};

use super::{END, lines, run};

const TAG: &str = "/v2/team/app/manifests/v1";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_purged_at_one_node_is_forgotten_by_all() -> Result<()> {
    let (origin, valkey) = (Origin::start().await?, Valkey::start().await?);
    let image = images::small(3700)?;
    origin.put("team/app", "v1", &image);
    let config = Config::docker(origin.address())
        .setting("shared.records", &format!("url = \"{}\"", valkey.url()))
        .head(&format!("password = \"{PASSWORD}\""));
    let (one, other) = (Ledge::start(&config).await?, Ledge::start(&config).await?);
    assert_eq!(one.get(TAG).fetch().await?.body, image.root().bytes);
    // Beside a mirror that serves, and by a command that opens the store itself.
    for is_alone in [false, true] {
        if is_alone {
            assert_eq!(one.get(TAG).fetch().await?.body, image.root().bytes);
            one.terminate();
            one.ended(END).await?;
        }
        let purge = ["purge", "--upstream", "docker.io", "--yes", "--json"];
        let done = run(&one.store(), Some(&one.config()), &purge).await?;
        let done = lines(&done, 0)?;
        assert_eq!(done[done.len() - 1]["purge"]["images"], 1, "{done:?}");
        origin.forget();
        assert_eq!(other.get(TAG).fetch().await?.body, image.root().bytes);
        if !is_alone {
            // It had never asked for it, and nobody tells it any more what the tag means.
            assert_ne!(origin.count(&Method::GET, "/manifests/"), 0);
        }
    }
    Ok(())
}
