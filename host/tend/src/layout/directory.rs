//! A layout as a directory: packed into a tar, and out of one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::archive::{Archive, LayoutError, Member, whole};
use super::{INDEX, LayoutWriter, MARKER, MARKER_TEXT, MAX_INDEX, blob};

/// The bytes of all files of a layout.
///
/// # Errors
/// [`LayoutError`]
pub fn directory_size(directory: &Path) -> Result<u64, LayoutError> {
    let sizes = files(directory)?.into_iter().map(|(_, size)| size);
    Ok(sizes.fold(0, u64::saturating_add))
}

/// Writes a layout's directory as a tar. What is no part of a layout is passed over; what is a link is refused.
///
/// # Errors
/// [`LayoutError`]
pub fn pack(directory: &Path, out: impl Write) -> Result<(), LayoutError> {
    let mut writer = LayoutWriter::new(out)?;
    for (path, size) in files(directory)? {
        let file = File::open(directory.join(&path))?;
        writer.file(&path, size, Exactly { file, left: size })?;
    }
    Ok(writer.end()?)
}

/// A file that must have the size that it had.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        match self.file.read(&mut buffer[..most])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.left -= read as u64;
                Ok(read)
            }
        }
    }
}

/// The files of a layout, but for its marker: index first.
fn files(directory: &Path) -> Result<Vec<(PathBuf, u64)>, LayoutError> {
    if !directory.join(MARKER).is_file() {
        return Err(LayoutError::Missing(MARKER));
    }
    let mut files = vec![described(directory, INDEX.into())?];
    for algorithm in ["sha256", "sha512"] {
        let blobs = Path::new("blobs").join(algorithm);
        let entries = match fs::read_dir(directory.join(&blobs)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            files.push(described(directory, blobs.join(entry?.file_name()))?);
        }
    }
    Ok(files)
}

fn described(directory: &Path, path: PathBuf) -> Result<(PathBuf, u64), LayoutError> {
    let about = fs::symlink_metadata(directory.join(&path));
    match about {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path == Path::new(INDEX) => {
            Err(LayoutError::Missing(INDEX))
        }
        Ok(about) if about.is_file() => Ok((path, about.len())),
        Ok(_) => Err(LayoutError::NoFile(path.display().to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Writes a layout that comes as a tar into a directory, which is made. The index is the last file, so that what was cut
/// is no layout.
///
/// # Errors
/// [`LayoutError`]; some files may be there then.
pub fn unpack(from: impl Read, directory: &Path) -> Result<(), LayoutError> {
    let mut archive = tar::Archive::new(from);
    let mut members = Archive::new(&mut archive)?;
    let mut index = None;
    fs::create_dir_all(directory)?;
    while let Some((member, mut entry)) = members.next()? {
        let size = entry.size();
        match member {
            Member::Marker => {}
            Member::Index => {
                let bytes = whole(&mut entry, size, MAX_INDEX, INDEX)?;
                index = Some(bytes);
            }
            Member::Blob(digest) => {
                let path = directory.join(blob(&digest));
                fs::create_dir_all(path.parent().unwrap_or(directory))?;
                let mut file = created(&path)?;
                if io::copy(&mut entry, &mut file)? != size {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }
    let index = index.ok_or(LayoutError::Missing(INDEX))?;
    created(&directory.join(MARKER))?.write_all(MARKER_TEXT)?;
    created(&directory.join(INDEX))?.write_all(&index)?;
    Ok(())
}

fn created(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).open(path)
}
