//! One transfer a digest, however many callers, whenever they come and go.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use futures::join;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use ledge_transfer::{Counts, FillError, Outcome};

use crate::bench::{Bench, SIZE, body, content, gate, next, want};
use crate::good::{holds, well};
use crate::origin::{Script, Step, always, head, ok};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_callers_are_one_request_and_all_get_the_bytes() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let answers = join_all((0..20).map(|_| bench.fill(&bytes, &[]))).await;
    let answers: Vec<_> = answers.into_iter().map(|a| a.expect("an answer")).collect();
    let started = answers.iter().filter(|a| a.outcome == Outcome::Started);
    assert_eq!(started.count(), 1);
    let followed = answers.iter().filter(|a| a.outcome == Outcome::Followed);
    assert_eq!(followed.count(), 19);
    hold.add_permits(1);
    for answer in join_all(answers.into_iter().map(body)).await {
        assert_eq!(answer.expect("a whole body"), bytes);
    }
    bench.settled(&bytes).await;
    let again = bench.fill(&bytes, &[]).await.expect("a hit");
    assert_eq!(again.outcome, Outcome::Hit);
    assert_eq!(body(again).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
    let counts = Counts {
        started: 1,
        followed: 19,
        stored: 1,
        received: SIZE as u64,
        ..Counts::default()
    };
    assert_eq!(bench.transfers.counts(), counts);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bytes_come_before_the_last_ones_are_sent() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(50_000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
    let mut got = next(&mut answer, 50_000).await;
    assert_eq!(got, bytes[..50_000]);
    hold.add_permits(1);
    got.extend(body(answer).await.expect("the rest"));
    assert_eq!(got, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_late_reads_what_is_there_and_then_the_live_edge() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(200_000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let mut first = bench.fill(&bytes, &[]).await.expect("an answer");
    let mut got = next(&mut first, 200_000).await;
    let mut late = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(late.outcome, Outcome::Followed);
    // The origin is silent: this comes from the disk.
    let mut lately = next(&mut late, 200_000).await;
    hold.add_permits(1);
    got.extend(body(first).await.expect("the rest"));
    lately.extend(body(late).await.expect("the rest"));
    assert_eq!(got, bytes);
    assert_eq!(lately, bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let slow = bench.fill(&bytes, &[]).await.expect("an answer");
    let fast = bench.fill(&bytes, &[]).await.expect("an answer");
    hold.add_permits(1);
    assert_eq!(body(fast).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    // It reads after the transfer's end, from a file that has another name now.
    assert_eq!(body(slow).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_does_not_end_the_transfer() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(0, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let first = bench.fill(&bytes, &[]).await.expect("an answer");
    let second = bench.fill(&bytes, &[]).await.expect("an answer");
    drop(first);
    hold.add_permits(1);
    assert_eq!(body(second).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_before_the_header_does_not_end_it_either() {
    let (bytes, hold) = (content(), gate());
    let mut steps = vec![Step::Wait(hold.clone())];
    steps.extend([crate::origin::ok(SIZE), Step::Body(bytes.clone().into())]);
    let bench = Bench::new(always(steps)).await;
    {
        let asking = bench.fill(&bytes, &[]);
        let asked = bench.origin().asked(1);
        tokio::select! {
            answer = asking => panic!("an answer before the header: {answer:?}"),
            () = asked => {}
        }
    }
    hold.add_permits(1);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_every_follower_with_its_fields_and_body() {
    let (bytes, hold) = (content(), gate());
    let steps = vec![
        Step::Wait(hold.clone()),
        head("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"x\"\r\ncontent-length: 2"),
        Step::Send(b"no".to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let callers = join_all((0..3).map(|_| bench.fill(&bytes, &[])));
    let (answers, ()) = join!(callers, async {
        bench.followed_by(&bytes, 3).await;
        hold.add_permits(1);
    });
    for answer in answers {
        let Err(FillError::Refused(refusal)) = answer else {
            panic!("not refused: {answer:?}");
        };
        assert_eq!(refusal.status, 401);
        assert_eq!(refusal.headers["www-authenticate"], "Bearer realm=\"x\"");
        assert_eq!(refusal.body, "no");
    }
    assert_eq!(bench.origin().requests().len(), 1);
    let counts = Counts {
        started: 1,
        followed: 2,
        failed: 1,
        ..Counts::default()
    };
    assert_eq!(bench.transfers.counts(), counts);
}

/// A digest may be missing in one repository and be in another.
#[tokio::test(flavor = "multi_thread")]
async fn an_origins_no_is_for_who_asked_that_question_alone() {
    let (bytes, hold) = (content(), gate());
    let (wait, object) = (hold.clone(), Bytes::from(bytes.clone()));
    let script: Script = Arc::new(move |asked| match asked.path.as_str() {
        "/private" => vec![
            Step::Wait(wait.clone()),
            head("404 Not Found\r\ncontent-length: 0"),
        ],
        _ => vec![ok(object.len()), Step::Body(object.clone())],
    });
    let bench = Bench::new(script).await;
    let fill = |path| {
        bench
            .transfers
            .fill(want(&bytes), bench.source_at(path), &[])
    };
    let release = async {
        bench.followed_by(&bytes, 3).await;
        hold.add_permits(1);
    };
    let others = async {
        bench.followed_by(&bytes, 1).await;
        join!(fill("/private"), fill("/public"))
    };
    let (first, (same, other), ()) = join!(fill("/private"), others, release);
    for refused in [first, same] {
        assert!(matches!(refused, Err(FillError::Refused(_))), "{refused:?}");
    }
    let got = body(other.expect("an answer")).await.expect("a whole body");
    assert_eq!(got, bytes);
    let requests = bench.origin().requests();
    let paths: Vec<_> = requests.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(paths, ["/private", "/public"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_users_no_is_not_ones_own() {
    let (bytes, hold) = (content(), gate());
    let (wait, object) = (hold.clone(), Bytes::from(bytes.clone()));
    let script: Script = Arc::new(move |asked| match asked.field("authorization") {
        Some("Basic me") => vec![ok(object.len()), Step::Body(object.clone())],
        _ => vec![
            Step::Wait(wait.clone()),
            head("401 Unauthorized\r\ncontent-length: 0"),
        ],
    });
    let bench = Bench::new(script).await;
    let mut mine = bench.source(&bytes);
    let basic = HeaderValue::from_static("Basic me");
    mine.origins[0].headers_mut().insert(AUTHORIZATION, basic);
    let release = async {
        bench.followed_by(&bytes, 2).await;
        hold.add_permits(1);
    };
    let theirs = bench.fill(&bytes, &[]);
    let mine = async {
        bench.followed_by(&bytes, 1).await;
        bench.transfers.fill(want(&bytes), mine, &[]).await
    };
    let (theirs, mine, ()) = join!(theirs, mine, release);
    assert!(matches!(theirs, Err(FillError::Refused(_))), "{theirs:?}");
    assert_eq!(body(mine.expect("an answer")).await.expect("a body"), bytes);
}
