//! A component that misbehaves: the host stays within its bounds, and goes on serving.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use ledge_tests::config::Config;
use ledge_tests::http::Answer;
use ledge_tests::ledge::Ledge;

/// Short, so that the test is; a request is given up after the first, an instance after both.
const LIMITS: &str = "[limits]\nrequest_timeout = \"1s\"\ninstances = 4\nrequests = 8";

/// Far above what two requests take to arrive.
const SOON: Duration = Duration::from_secs(10);

async fn hostile(limits: &str) -> Result<Ledge> {
    let component = std::env::var_os("LEDGE_HOSTILE_WASM")
        .map(PathBuf::from)
        .context("no component: run `cargo xtask test`, which builds it")?;
    Ledge::start_component(&Config::default().head(limits), &component).await
}

async fn ask(ledge: &Ledge, path: &str) -> Result<Answer> {
    ledge.get(path).fetch().await
}

async fn serves(ledge: &Ledge) -> Result<()> {
    assert_eq!(ask(ledge, "/").await?.status, 204);
    Ok(())
}

#[tokio::test]
async fn a_guest_that_traps_fails_its_request_alone() -> Result<()> {
    let ledge = hostile(LIMITS).await?;
    for _ in 0..20 {
        let failed = ask(&ledge, "/trap").await?;
        assert_eq!((failed.status, failed.code()), (500, "UNKNOWN".to_owned()));
        serves(&ledge).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_guest_that_eats_memory_is_stopped_at_its_bound() -> Result<()> {
    let ledge = hostile(LIMITS).await?;
    let failed = ask(&ledge, "/eat").await?;
    assert_eq!((failed.status, failed.code()), (500, "UNKNOWN".to_owned()));
    serves(&ledge).await
}

#[tokio::test]
async fn guests_that_spin_are_given_up_and_others_are_served_meanwhile() -> Result<()> {
    let ledge = hostile(LIMITS).await?;
    let spinning = try_join_all((0..3).map(|_| ask(&ledge, "/spin")));
    let (spun, served) = futures::join!(spinning, async {
        for _ in 0..20 {
            serves(&ledge).await?;
        }
        anyhow::Ok(())
    });
    served?;
    for answer in spun? {
        assert_eq!((answer.status, answer.code()), (504, "UNKNOWN".to_owned()));
    }
    // Instances that are stuck end, so that their places are free again.
    for _ in 0..3 {
        ledge.line("an instance ended").await?;
    }
    serves(&ledge).await
}

#[tokio::test]
async fn more_requests_than_are_taken_get_503_and_a_time() -> Result<()> {
    let limits = LIMITS.replace("requests = 8", "requests = 1");
    let ledge = hostile(&limits.replace("1s", "20s")).await?;
    // The one place is taken by a request that waits; the other one finds it taken.
    let waits = until(&ledge, "/wait", |answer| answer.status != 503);
    let refused = until(&ledge, "/", |answer| answer.status == 503);
    let refused = tokio::select! {
        refused = tokio::time::timeout(SOON, refused) => refused??,
        _ = waits => anyhow::bail!("the request that waits was answered"),
    };
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.code(), "UNKNOWN");
    Ok(())
}

/// Asks until the answer is the one that is waited for.
async fn until(ledge: &Ledge, path: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
    loop {
        let answer = ask(ledge, path).await?;
        if wanted(&answer) {
            return Ok(answer);
        }
    }
}
