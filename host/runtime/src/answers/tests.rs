//! What is kept, for whom, and for how long.

use super::*;
use futures::stream;
use http_body_util::StreamBody;

const NOW: fn() -> Instant = Instant::now;

fn key(method: &str, fields: &[(&'static str, &str)]) -> Option<Key> {
    let mut request = Request::builder().method(method).uri("/v2/a?ns=b");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    Answers::key(&request.body(()).expect("a request"))
}

fn response(control: &str, blocks: &[&'static str], length: usize) -> Response<WasiBody> {
    let frames: Vec<_> = blocks
        .iter()
        .map(|block| Ok(Frame::data(Bytes::from_static(block.as_bytes()))))
        .collect();
    Response::builder()
        .header("content-length", length)
        .header("surrogate-control", control)
        .header("etag", "\"x\"")
        .body(StreamBody::new(stream::iter(frames)).boxed_unsync())
        .expect("a response")
}

async fn text(response: Response<WasiBody>) -> String {
    let bytes = response.into_body().collect().await.expect("a whole body");
    String::from_utf8(bytes.to_bytes().to_vec()).expect("text")
}

/// Passes a response, reads it, and asks again a little later.
async fn again(response: Response<WasiBody>, later: u64) -> Option<Response<WasiBody>> {
    let (answers, now) = (Answers::new(1 << 20), NOW());
    let get = key("GET", &[]).expect("a plain request");
    let passed = answers.pass(Some(get.clone()), response, answers.moment(now));
    assert!(!passed.headers().contains_key("surrogate-control"));
    // A body that fails is the client's to see; here it only must not be kept.
    drop(passed.into_body().collect().await);
    answers.find(&get, now + Duration::from_secs(later))
}

#[tokio::test]
async fn an_answer_is_repeated_for_as_long_as_the_component_says() {
    for blocks in [&["hello"][..], &["he", "l", "lo"][..]] {
        let repeated = again(response("max-age=5", blocks, 5), 4)
            .await
            .expect("kept");
        assert_eq!(repeated.headers()["etag"], "\"x\"");
        assert_eq!(text(repeated).await, "hello");
        assert!(again(response("max-age=5", blocks, 5), 5).await.is_none());
    }
}

#[tokio::test]
async fn what_is_forgotten_is_asked_for_again() {
    let (answers, now) = (Answers::new(1 << 20), NOW());
    let get = key("GET", &[]).expect("a plain request");
    let passed = answers.pass(
        Some(get.clone()),
        response("max-age=5", &["hello"], 5),
        answers.moment(now),
    );
    assert_eq!(text(passed).await, "hello");
    assert!(answers.find(&get, now).is_some());
    let before = answers.moment(now);
    answers.forget();
    assert!(answers.find(&get, now).is_none());
    // What was asked for before.
    let passed = answers.pass(
        Some(get.clone()),
        response("max-age=5", &["hello"], 5),
        before,
    );
    assert_eq!(text(passed).await, "hello");
    assert!(answers.find(&get, now).is_none());
}

#[tokio::test]
async fn what_is_not_whole_or_not_allowed_is_not_kept() {
    for control in [
        "",
        "max-age=0",
        "max-age=-1",
        "max-age=+5",
        "no-store",
        "max-age=5, x",
    ] {
        let kept = again(response(control, &["hello"], 5), 0).await;
        assert!(kept.is_none(), "{control}");
    }
    assert!(
        again(response("max-age=5", &["hell"], 5), 0)
            .await
            .is_none()
    );
    assert!(
        again(response("max-age=5", &["hello!"], 5), 0)
            .await
            .is_none()
    );
    let mut other = response("max-age=5", &["hello"], 5);
    *other.status_mut() = StatusCode::PARTIAL_CONTENT;
    assert!(again(other, 0).await.is_none());
}

#[tokio::test]
async fn a_head_is_answered_from_a_get_and_not_the_other_way() {
    let (answers, now) = (Answers::new(1 << 20), NOW());
    let (get, head) = (key("GET", &[]), key("HEAD", &[]));
    drop(answers.pass(
        head.clone(),
        response("max-age=5", &[], 5),
        answers.moment(now),
    ));
    assert!(answers.find(&head.clone().expect("plain"), now).is_some());
    assert!(answers.find(&get.clone().expect("plain"), now).is_none());
    let passed = answers.pass(
        get,
        response("max-age=5", &["hello"], 5),
        answers.moment(now),
    );
    assert_eq!(text(passed).await, "hello");
    let repeated = answers.find(&head.expect("plain"), now).expect("kept");
    assert_eq!(repeated.headers()["content-length"], "5");
    assert_eq!(text(repeated).await, "");
}

#[test]
fn who_asks_for_something_of_their_own_gets_past_it() {
    for field in [
        "range",
        "if-range",
        "authorization",
        "cache-control",
        "pragma",
    ] {
        assert_eq!(key("GET", &[(field, "x")]), None, "{field}");
    }
    assert_eq!(key("POST", &[]), None);
    assert_ne!(key("GET", &[("accept", "x")]), None);
}
