//! A committed object, ready to be read.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ledge_sendfile::Mapped;
use tokio::task::spawn_blocking;

use super::hot::HotFile;
use super::open_file::Reading;
use super::{ObjectBody, OpenFile, StoreError, blocking};

/// A committed object. It can be read for as long as it is held, also after it was removed.
#[derive(Clone)]
pub struct Object {
    size: u64,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Memory(Bytes),
    File(ObjectFile),
}

/// An open file that holds an object, and where it lies, for errors.
#[derive(Clone)]
pub(super) struct ObjectFile {
    pub(super) file: Arc<OpenFile>,
    pub(super) size: u64,
    /// Its bytes for whoever only sends them.
    pub(super) mapped: Option<Mapped>,
    pub(super) path: Arc<Path>,
}

impl Object {
    pub(super) fn in_memory(bytes: Bytes) -> Self {
        Self {
            size: bytes.len() as u64,
            content: Content::Memory(bytes),
        }
    }

    pub(super) fn in_file(file: ObjectFile) -> Self {
        Self {
            size: file.size,
            content: Content::File(file),
        }
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `span`: offsets into the object, the end not included. A span that does not
    /// lie within the object gives a body that fails.
    ///
    /// It is for a socket: its frames may be mapped files, which nobody should read (`ledge_sendfile`); for that there is
    /// [`Object::read`]. The body must be polled inside a tokio runtime.
    pub fn body(&self, span: Range<u64>) -> ObjectBody {
        if span.is_empty() {
            return ObjectBody::empty();
        }
        if span.end > self.size {
            return ObjectBody::outside(&span);
        }
        match &self.content {
            // Both ends are at most the length of bytes that are in memory.
            Content::Memory(bytes) => {
                ObjectBody::from_memory(bytes.slice(span.start as usize..span.end as usize))
            }
            Content::File(file) => ObjectBody::from_file(file.clone(), span),
        }
    }

    /// The bytes of `span`: offsets into the object, the end not included.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] if they do not all lie within the object, or what reading gives.
    pub async fn read(&self, span: Range<u64>) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory(bytes) => {
                let at = |offset: u64| usize::try_from(offset).ok();
                let part = at(span.start).zip(at(span.end));
                let part = part.and_then(|(start, end)| bytes.get(start..end));
                part.map(|part| bytes.slice_ref(part))
                    .ok_or_else(|| ErrorKind::UnexpectedEof.into())
            }
            Content::File(file) => {
                let file = file.clone();
                spawn_blocking(move || file.read(span)).await?
            }
        }
    }

    /// All of it, if it has at most `max` bytes.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] if it has more; [`StoreError::Io`] if it cannot be read.
    pub async fn bytes(&self, max: u64) -> Result<Bytes, StoreError> {
        if self.size > max {
            let size = self.size;
            return Err(StoreError::TooLarge { size, max });
        }
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(file) => {
                let (file, size) = (file.clone(), self.size);
                blocking(move || file.read(0..size).map_err(StoreError::at(&file.path))).await
            }
        }
    }
}

/// Says how large it is, and nothing of its bytes.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl ObjectFile {
    pub(super) fn new(hot: HotFile, reading: Reading, path: PathBuf) -> Self {
        Self {
            file: Arc::new(OpenFile::new(hot.file, Some(reading))),
            size: hot.size,
            mapped: hot.mapped,
            path: path.into(),
        }
    }

    /// Reads exactly these bytes. Blocking.
    pub(super) fn read(&self, span: Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(span.end.saturating_sub(span.start))
            .map_err(|_| ErrorKind::OutOfMemory)?;
        let mut buffer = vec![0; length];
        match self.file.read_exact_at(&mut buffer, span.start) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(too_short(&self.path)),
            read => read.map(|()| buffer.into()),
        }
    }
}

fn too_short(path: &Path) -> io::Error {
    let text = format!("{} is shorter than it was when committed", path.display());
    io::Error::new(ErrorKind::UnexpectedEof, text)
}
