//! One suite for every adapter of the port.

use std::sync::Arc;

use bytes::Bytes;
use ledge_store::{KvError, MAX_KEY, MAX_VALUE, MemoryKv, Records, local, open_redb};
use ledge_valkey::shared;

use crate::server::{PASSWORD, Redis};

fn text(value: &'static str) -> Bytes {
    Bytes::from_static(value.as_bytes())
}

#[tokio::test]
async fn memory_conforms() {
    conforms(&*local(Arc::new(MemoryKv::new(64 << 20)))).await;
}

#[tokio::test]
async fn redb_conforms() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = open_redb(&dir.path().join("kv.redb")).expect("a file");
    conforms(&*local(file.label("default"))).await;
}

#[tokio::test]
async fn a_server_conforms() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let server = redis.connect(PASSWORD).await;
    conforms(&server.label("catalog").listed()).await;
    conforms(&*shared(
        server.label("shared").listed(),
        Arc::new(MemoryKv::new(64 << 20)),
    ))
    .await;
}

async fn conforms(store: &dyn Records) {
    sets_gets_and_forgets(store).await;
    takes_any_text_and_any_bytes(store).await;
    refuses_what_is_too_long(store).await;
    lists_keys_in_pages(store).await;
}

async fn sets_gets_and_forgets(store: &dyn Records) {
    assert_eq!(store.get("a").await.expect("answered"), None);
    assert!(!store.exists("a").await.expect("answered"));
    for value in ["1", "2"] {
        store.set("a", text(value)).await.expect("set");
        assert_eq!(store.get("a").await.expect("answered"), Some(text(value)));
    }
    assert!(store.exists("a").await.expect("answered"));
    assert_eq!(store.get("A").await.expect("answered"), None);
    store.delete("a").await.expect("deleted");
    store.delete("a").await.expect("nothing to delete");
    assert_eq!(store.get("a").await.expect("answered"), None);
    assert!(!store.exists("a").await.expect("answered"));
}

async fn takes_any_text_and_any_bytes(store: &dyn Records) {
    let bytes: Bytes = (0..=255).collect();
    for key in [
        "",
        " ",
        "a\0b",
        "\0",
        "ä/é",
        "\u{10ffff}",
        "../x",
        "(x",
        "[x",
        "-",
        "+",
    ] {
        for value in [Bytes::new(), bytes.clone()] {
            store.set(key, value.clone()).await.expect("set");
            assert_eq!(
                store.get(key).await.expect("answered"),
                Some(value),
                "{key:?}"
            );
        }
        store.delete(key).await.expect("deleted");
        assert!(!store.exists(key).await.expect("answered"), "{key:?}");
    }
}

async fn refuses_what_is_too_long(store: &dyn Records) {
    let (longest, largest) = ("k".repeat(MAX_KEY), Bytes::from(vec![7; MAX_VALUE]));
    store.set(&longest, largest.clone()).await.expect("set");
    assert_eq!(store.get(&longest).await.expect("answered"), Some(largest));
    store.delete(&longest).await.expect("deleted");
    let long = "k".repeat(MAX_KEY + 1);
    let errors = [
        store.get(&long).await.map(drop),
        store.set(&long, Bytes::new()).await,
        store.delete(&long).await,
        store.exists(&long).await.map(drop),
    ];
    for error in errors {
        assert!(
            matches!(error, Err(KvError::KeyTooLong { .. })),
            "{error:?}"
        );
    }
    store.set("a", text("kept")).await.expect("set");
    let large = store.set("a", Bytes::from(vec![7; MAX_VALUE + 1])).await;
    assert!(
        matches!(large, Err(KvError::ValueTooLong { .. })),
        "{large:?}"
    );
    assert_eq!(store.get("a").await.expect("answered"), Some(text("kept")));
    store.delete("a").await.expect("deleted");
}

async fn lists_keys_in_pages(store: &dyn Records) {
    assert_eq!(store.keys().await.expect("keys"), Vec::<String>::new());
    for key in ["b", "a", "é", "a/b", "B", "c"] {
        store.set(key, text("x")).await.expect("set");
    }
    store.delete("c").await.expect("deleted");
    let page = async |after, limit| store.keys_after(after, limit).await.expect("keys");
    assert_eq!(
        store.keys().await.expect("keys"),
        ["B", "a", "a/b", "b", "é"]
    );
    assert_eq!(page(None, 2).await, ["B", "a"]);
    assert_eq!(page(Some("a"), 2).await, ["a/b", "b"]);
    assert_eq!(page(Some("aa"), 2).await, ["b", "é"]);
    assert!(page(Some("é"), 2).await.is_empty());
    assert!(page(None, 0).await.is_empty());
}
