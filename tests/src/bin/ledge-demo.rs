//! `cargo xtask demo`: the main job, shown.

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    ledge_tests::interrupt::or(ledge_tests::demo::run()).await
}
