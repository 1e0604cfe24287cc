//! Who may do what is done once.

use ledge_valkey::Leases;

use crate::server::{PASSWORD, Redis};

async fn take(leases: &Leases, value: &str, instead_of: Option<&str>) -> Option<String> {
    let taken = leases.take("sha256:1", value, instead_of).await;
    taken.expect("an answer")
}

#[tokio::test]
async fn one_has_it_until_it_is_given_back() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let leases = redis.connect(PASSWORD).await.leases();
    assert_eq!(take(&leases, "one", None).await, None);
    assert_eq!(take(&leases, "other", None).await.as_deref(), Some("one"));
    assert_eq!(
        leases
            .take("sha256:2", "other", None)
            .await
            .expect("an answer"),
        None
    );

    // Who has it not changes nothing.
    assert!(!leases.renew("sha256:1", "other").await.expect("an answer"));
    leases
        .give_back("sha256:1", "other")
        .await
        .expect("an answer");
    assert!(leases.renew("sha256:1", "one").await.expect("an answer"));
    assert_eq!(take(&leases, "other", None).await.as_deref(), Some("one"));

    leases
        .give_back("sha256:1", "one")
        .await
        .expect("an answer");
    assert!(!leases.renew("sha256:1", "one").await.expect("an answer"));
    assert_eq!(take(&leases, "other", None).await, None);
}

#[tokio::test]
async fn one_that_died_is_replaced_by_one_of_many() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let leases = redis.connect(PASSWORD).await.leases();
    assert_eq!(take(&leases, "dead", None).await, None);
    assert_eq!(take(&leases, "one", Some("dead")).await, None);
    // The other has seen the same, and comes too late.
    assert_eq!(
        take(&leases, "other", Some("dead")).await.as_deref(),
        Some("one")
    );
}

#[tokio::test]
async fn one_that_is_not_renewed_ends() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let leases = redis.connect(PASSWORD).await.leases();
    assert_eq!(take(&leases, "one", None).await, None);
    let ended = async {
        while let Some(found) = take(&leases, "other", None).await {
            assert_eq!(found, "one");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(ledge_valkey::TERM * 2, ended)
        .await
        .expect("it ends");
}
