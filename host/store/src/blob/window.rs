//! Reads of files that the page cache mostly holds.

use std::io::{self, ErrorKind, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::spawn_blocking;

use super::OpenFile;

/// The first bytes of a span, at least one: as many as the page cache has, at once and on this
/// thread; if it has none, all of them, read on a thread that may block.
///
/// # Errors
/// [`ErrorKind::UnexpectedEof`] if the file ends before, or what reading gives.
pub async fn read_window(file: &Arc<OpenFile>, span: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(span.end.saturating_sub(span.start));
    let mut window = vec![0; length.map_err(|_| ErrorKind::OutOfMemory)?];
    let cached = preadv2(
        &***file,
        &mut [IoSliceMut::new(&mut window)],
        span.start,
        ReadWriteFlags::NOWAIT,
    );
    if let Ok(read @ 1..) = cached {
        window.truncate(read);
        return Ok(window.into());
    }
    // Not in the cache, or a file system that does not tell.
    let file = file.clone();
    spawn_blocking(move || {
        file.read_exact_at(&mut window, span.start)?;
        Ok(window.into())
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[tokio::test]
    async fn reads_what_is_there_and_fails_behind_the_end() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"0123456789").expect("written");
        let file = Arc::new(OpenFile::new(file, None));
        assert_eq!(read_window(&file, 2..5).await.expect("read"), "234");
        // What the page cache has of it is enough; a file system that cannot tell reads all of it.
        match read_window(&file, 8..20).await {
            Ok(bytes) => assert_eq!(bytes, "89"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        }
        let error = read_window(&file, 10..11).await.expect_err("no byte");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
