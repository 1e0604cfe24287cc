//! What the streams of one HTTP/2 connection can use up.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use crate::frames::{DATA, Frames, HEADERS, RST_STREAM, SETTINGS};
use crate::handler::FRAME;
use crate::kit::{Server, take};

/// RFC 9113, section 6.5.2.
const MAX_CONCURRENT_STREAMS: u16 = 3;
const MAX_HEADER_LIST_SIZE: u16 = 6;

/// RFC 9113, section 7.
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

/// RFC 9113, section 6.9.2: of a connection, and of each stream.
const WINDOW: usize = 65_535;

/// The server's first frame.
async fn settings(frames: &mut Frames) -> HashMap<u16, u32> {
    let frame = frames.next().await;
    assert_eq!(frame.kind, SETTINGS);
    let settings = frame.payload.chunks_exact(6);
    settings
        .map(|setting| match *setting {
            [i, j, a, b, c, d] => (u16::from_be_bytes([i, j]), u32::from_be_bytes([a, b, c, d])),
            _ => unreachable!("chunks of six"),
        })
        .collect()
}

#[tokio::test]
async fn the_bounds_are_announced() {
    let server = Server::start().await;
    let mut frames = Frames::connect(&server).await;
    let settings = settings(&mut frames).await;
    assert_eq!(settings.get(&MAX_CONCURRENT_STREAMS), Some(&32));
    assert_eq!(settings.get(&MAX_HEADER_LIST_SIZE), Some(&(64 * 1024)));
}

#[tokio::test]
async fn streams_over_the_bound_are_refused_alone() {
    let server = Server::start().await;
    let mut frames = Frames::connect(&server).await;
    settings(&mut frames).await;
    frames.acknowledge_settings().await;
    // Clients' streams have odd numbers (RFC 9113, section 5.1.1).
    for index in 0..34 {
        frames.get(2 * index + 1, "/waits").await;
    }
    for refused in [65, 67] {
        let mut frame = frames.next().await;
        while frame.kind != RST_STREAM {
            frame = frames.next().await;
        }
        assert_eq!(frame.stream, refused);
        assert_eq!(frame.payload, REFUSED_STREAM);
    }
    // The others run, and are answered.
    for _ in 0..32 {
        take(&server.handler.waiting).await;
    }
    server.handler.release.add_permits(32);
    let mut answered = Vec::new();
    while answered.len() < 32 {
        let frame = frames.next().await;
        if frame.kind == DATA && !frame.payload.is_empty() {
            assert_eq!(frame.payload, b"hello");
            answered.push(frame.stream);
        }
    }
    answered.sort_unstable();
    assert!(answered.into_iter().eq((0..32).map(|index| 2 * index + 1)));
    // There is room again.
    frames.get(69, "/text").await;
    let mut frame = frames.next().await;
    while frame.kind != HEADERS {
        frame = frames.next().await;
    }
    assert_eq!(frame.stream, 69);
}

#[tokio::test]
async fn a_stream_without_a_window_takes_no_more_of_its_body() {
    let server = Server::start().await;
    let mut frames = Frames::connect(&server).await;
    frames.get(1, "/big").await;
    let mut received = 0;
    while received < WINDOW {
        let frame = frames.next().await;
        if frame.kind == DATA {
            received += frame.payload.len();
        }
    }
    assert_eq!(received, WINDOW);
    for _ in 0..10 {
        frames.ping().await;
    }
    // One frame for the window, the one whose first byte did not fit, and one at hand.
    let taken = server.handler.taken.load(Ordering::Relaxed);
    assert!((WINDOW..=3 * FRAME).contains(&taken), "{taken}");
}
