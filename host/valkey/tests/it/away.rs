//! Several nodes at one server, and what becomes of them when it goes away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledge_store::{KvError, MemoryKv, Records};
use ledge_valkey::{Server, shared};

use crate::server::{PASSWORD, Redis};

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

/// A node with an empty copy.
fn node(server: &Server) -> Arc<dyn Records> {
    shared(server.label("default"), Arc::new(MemoryKv::new(1 << 20)))
}

#[tokio::test]
async fn what_one_node_learns_the_others_know() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let (one, other) = (
        node(&redis.connect(PASSWORD).await),
        node(&redis.connect(PASSWORD).await),
    );
    one.set("tag", text("1")).await.expect("set");
    assert_eq!(other.get("tag").await.expect("answered"), Some(text("1")));
    other.delete("tag").await.expect("deleted");
    assert_eq!(one.get("tag").await.expect("answered"), None);
    let server = redis.connect(PASSWORD).await;
    assert_eq!(
        server.label("other").get("tag").await.expect("answered"),
        None
    );
    let keys = server.label("default").keys().await;
    assert!(matches!(keys, Err(KvError::Unlisted)), "{keys:?}");
    assert!(redis.folder().is_dir());
}

#[tokio::test]
async fn without_the_server_a_node_goes_on_with_what_it_saw() {
    let Some(mut redis) = Redis::start().await else {
        return;
    };
    let (one, other) = (
        node(&redis.connect(PASSWORD).await),
        node(&redis.connect(PASSWORD).await),
    );
    one.set("seen", text("1")).await.expect("set");
    one.set("unseen", text("1")).await.expect("set");
    assert_eq!(other.get("seen").await.expect("answered"), Some(text("1")));
    redis.down();
    assert_eq!(other.get("seen").await.expect("answered"), Some(text("1")));
    assert_eq!(other.get("unseen").await.expect("answered"), None);
    other.set("own", text("2")).await.expect("kept here");
    assert_eq!(other.get("own").await.expect("answered"), Some(text("2")));

    // An empty one comes back: what it says counts again, as soon as it is asked again.
    assert!(redis.up().await);
    let is_back = async {
        while other.get("seen").await.expect("answered").is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_back)
        .await
        .expect("it is asked again");
    other.set("own", text("3")).await.expect("set");
    let fresh = node(&redis.connect(PASSWORD).await);
    assert_eq!(fresh.get("own").await.expect("answered"), Some(text("3")));
}

#[tokio::test]
async fn nobody_is_told_a_secret() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = redis.connect("hunter3").await;
    let error = server
        .label("default")
        .get("a")
        .await
        .expect_err("a wrong password");
    let error = format!("{error} {error:?} {server:?}");
    assert!(
        error.contains("cannot be had") && !error.contains("hunter"),
        "{error}"
    );
}
