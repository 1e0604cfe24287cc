//! A client that takes nothing of what waits for it.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// For how long a write has been pending. A connection that has nothing to write does not stall,
/// however long its handler takes.
pub(crate) struct Stall {
    timeout: Duration,
    /// Made by the first write that has to wait, and kept: most connections never have one.
    deadline: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Stall {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            deadline: None,
            waits: false,
        }
    }

    /// What became of a write. One that is still pending after the timeout has failed with
    /// [`ErrorKind::TimedOut`].
    pub(crate) fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = false;
            return written;
        }
        ready!(self.deadline().poll(cx));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Begins to count if the last write did not wait.
    fn deadline(&mut self) -> Pin<&mut Sleep> {
        let begins = !std::mem::replace(&mut self.waits, true);
        let timeout = self.timeout;
        let made = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        if begins {
            made.as_mut().reset(Instant::now() + timeout);
        }
        made.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWrite, DuplexStream, duplex};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// A client that has room for four bytes.
    struct Watched(DuplexStream, Stall);

    fn client() -> (Watched, DuplexStream) {
        let (near, far) = duplex(4);
        (Watched(near, Stall::new(TIMEOUT)), far)
    }

    impl Watched {
        async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let Self(near, stall) = self;
            poll_fn(|cx| {
                let written = Pin::new(&mut *near).poll_write(cx, bytes);
                stall.watch(cx, written)
            })
            .await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_at_the_timeout() {
        let (mut server, _client) = client();
        assert_eq!(server.write(b"abcdef").await.expect("room"), 4);
        let begun = Instant::now();
        let error = server.write(b"ef").await.expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // The timer counts whole milliseconds.
        assert_eq!(begun.elapsed().as_secs(), TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_at_a_time_is_served_to_the_end() {
        let (mut server, mut client) = client();
        let sent: Vec<u8> = (0..100).collect();
        let mut left = sent.as_slice();
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            for _ in 0..100 {
                sleep(TIMEOUT - Duration::from_secs(1)).await;
                got.push(client.read_u8().await.expect("a byte"));
            }
            got
        });
        while !left.is_empty() {
            let count = server.write(left).await.expect("taken in time");
            left = &left[count..];
        }
        assert_eq!(reader.await.expect("no panic"), sent);
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_write_that_waits_counts() {
        let (mut server, mut client) = client();
        let mut taken = [0; 4];
        for _ in 0..3 {
            server.write(b"abcd").await.expect("room");
            sleep(HOUR).await;
            let read = async {
                sleep(TIMEOUT - Duration::from_secs(1)).await;
                client.read_exact(&mut taken).await
            };
            let (written, read) = tokio::join!(server.write(b"ef"), read);
            assert_eq!(written.expect("taken in time"), 2);
            read.expect("four bytes");
            client.read_exact(&mut taken[..2]).await.expect("two more");
        }
    }
}
