//! What the first bytes of an unfinished object hash to, so that a later transfer can tell how
//! many of them are right.
//!
//! A text file with a line a mark: `OFFSET HASH\n`, in decimal and lowercase hexadecimal digits.
//! The hash is of the first `OFFSET` bytes, by the algorithm of the object's digest. It is a note
//! for checking and no promise: neither it nor the bytes are put on the disk before a power cut.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use ledge_core::digest::{Algorithm, Digest};

use super::StoreError;

/// The largest file of marks that is written or read, 1 MiB: some 12,000 marks of at most 86
/// bytes (SHA-256), or 7,000 of 150 (SHA-512).
const MAX_FILE: u64 = 1 << 20;

/// What file systems hand out at least.
const PAGE: u64 = 4096;

/// A place in the object, and the hash of the bytes before it.
pub(super) type Mark = (u64, String);

/// The marks of one object on its way in.
pub(super) struct Marks {
    path: PathBuf,
    algorithm: Algorithm,
    /// Made by the first mark: most objects are too small for one.
    file: Option<File>,
    /// The last mark's offset, 0 without one.
    last: u64,
    /// Where the last mark's line ends in the file.
    end: u64,
}

impl Marks {
    /// None yet.
    pub(super) fn none(path: PathBuf, algorithm: Algorithm) -> Self {
        Self {
            path,
            algorithm,
            file: None,
            last: 0,
            end: 0,
        }
    }

    /// Those that an earlier writer left of an object of which `length` bytes are there. Whatever
    /// is no mark is cut off.
    pub(super) fn load(
        path: PathBuf,
        algorithm: Algorithm,
        length: u64,
    ) -> Result<(Self, Vec<Mark>), StoreError> {
        let mut marks = Self::none(path, algorithm);
        let file = OpenOptions::new().read(true).write(true).open(&marks.path);
        marks.file = super::found(file).map_err(StoreError::at(&marks.path))?;
        let found = marks.cut(length)?;
        Ok((marks, found))
    }

    /// What the file takes, as far as it is known without asking.
    pub(super) fn disk(&self) -> u64 {
        self.end.next_multiple_of(PAGE)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Adds one. Nothing is written if it is not behind the last one, or if the file is full.
    /// After an error the marks are as before.
    pub(super) fn add(&mut self, offset: u64, hash: &str) -> Result<(), StoreError> {
        if parse_hash(hash, self.algorithm).is_none() {
            return Err(StoreError::NoMark { offset });
        }
        let line = format!("{offset} {hash}\n");
        let end = self.end + line.len() as u64;
        if offset <= self.last || end > MAX_FILE {
            return Ok(());
        }
        let at = self.end;
        // Half a line of a write that failed is overwritten: offsets grow, so lines do not shrink.
        self.open()
            .and_then(|file| file.write_all_at(line.as_bytes(), at))
            .map_err(StoreError::at(&self.path))?;
        (self.last, self.end) = (offset, end);
        Ok(())
    }

    /// Removes the marks behind the first `length` bytes. Those that stay.
    pub(super) fn cut(&mut self, length: u64) -> Result<Vec<Mark>, StoreError> {
        let Some(file) = &self.file else {
            return Ok(Vec::new());
        };
        let (marks, end) = read(file)
            .map(|text| parse(&text, self.algorithm, length))
            .map_err(StoreError::at(&self.path))?;
        file.set_len(end).map_err(StoreError::at(&self.path))?;
        self.end = end;
        self.last = marks.last().map_or(0, |(offset, _)| *offset);
        Ok(marks)
    }

    /// Removes the file, if there is one. If it cannot be removed, the next start does it.
    pub(super) fn remove(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }

    fn open(&mut self) -> io::Result<&File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

/// The file's text, and no more of it than a file of marks can have.
fn read(file: &File) -> io::Result<Vec<u8>> {
    // It fits into memory: it is at most 1 MiB.
    let length = file.metadata()?.len().min(MAX_FILE) as usize;
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, 0)?;
    Ok(text)
}

/// The marks of at most `length` bytes in front of the first line that is none, and where their
/// last line ends.
fn parse(text: &[u8], algorithm: Algorithm, length: u64) -> (Vec<Mark>, u64) {
    let (mut marks, mut end, mut last) = (Vec::new(), 0, 0);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match parse_line(line, algorithm) {
            Some((offset, hash)) if offset > last && offset <= length => {
                last = offset;
                end += line.len() as u64;
                marks.push((offset, hash));
            }
            _ => break,
        }
    }
    (marks, end)
}

/// `OFFSET HASH\n`; a line that was not written to its end is none.
fn parse_line(line: &[u8], algorithm: Algorithm) -> Option<Mark> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (offset, hash) = line.split_once(' ')?;
    if !offset.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((offset.parse().ok()?, parse_hash(hash, algorithm)?))
}

/// The hash has the form of a digest of the algorithm.
fn parse_hash(hash: &str, algorithm: Algorithm) -> Option<String> {
    let digest = Digest::parse(&format!("{algorithm}:{hash}")).ok()?;
    Some(digest.hex().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn hash(digit: &str) -> String {
        digit.repeat(64)
    }

    fn line(offset: u64, digit: &str) -> String {
        format!("{offset} {}\n", hash(digit))
    }

    fn offsets(text: &[u8], length: u64) -> Vec<u64> {
        let (marks, end) = parse(text, Algorithm::Sha256, length);
        assert!(text[..end as usize].ends_with(b"\n") || end == 0);
        marks.into_iter().map(|(offset, _)| offset).collect()
    }

    fn none() -> (TempDir, Marks) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("marks");
        (dir, Marks::none(path, Algorithm::Sha256))
    }

    #[test]
    fn a_line_that_is_no_mark_ends_the_list() {
        let (first, good) = (line(8, "a"), line(16, "b"));
        assert_eq!(offsets((first.clone() + &good).as_bytes(), 16), [8, 16]);
        let torn = &good[..good.len() - 1];
        let hex = hash("b");
        let bad = [
            "\n".to_owned(),
            torn.to_owned(),
            format!("\n{good}"),
            format!(" {good}"),
            format!("+{good}"),
            format!("-{good}"),
            format!("16  {hex}\n"),
            format!("16 {hex} \n"),
            format!("16 {hex}\r\n"),
            format!("16 {hex}0\n"),
            format!("16 {}\n", &hex[1..]),
            format!("16 {}\n", hex.to_uppercase()),
            format!("16 {}\n", "g".repeat(64)),
            format!("16 {}\n", hex.repeat(2)),
            format!(" {hex}\n"),
            format!("{hex}\n"),
            format!("18446744073709551616 {hex}\n"),
            // Not ascending, or not in the object.
            line(8, "b"),
            line(7, "b"),
            line(0, "b"),
            line(41, "b"),
            line(u64::MAX, "b"),
        ];
        for bad in bad {
            let text = format!("{first}{bad}{}", line(40, "c"));
            assert_eq!(offsets(text.as_bytes(), 40), [8], "{bad:?}");
        }
        let text = [first.as_bytes(), b"\xff\xfe\n", good.as_bytes()].concat();
        assert_eq!(offsets(&text, 40), [8]);
        assert!(offsets(line(0, "a").as_bytes(), 40).is_empty());
    }

    #[test]
    fn hashes_are_of_the_digests_algorithm() {
        let text = format!("8 {}\n", hash("a").repeat(2));
        let (marks, end) = parse(text.as_bytes(), Algorithm::Sha512, 8);
        assert_eq!(marks, [(8, hash("a").repeat(2))]);
        assert_eq!(end, text.len() as u64);
        let (marks, _) = parse(line(8, "a").as_bytes(), Algorithm::Sha512, 8);
        assert!(marks.is_empty());
    }

    #[test]
    fn only_hashes_are_written() {
        let (_dir, mut marks) = none();
        let long = hash("a") + "0";
        let lines = format!("{}\n9 {}", hash("a"), hash("b"));
        for bad in ["", "abc", &hash("A"), &hash("g"), &long, &lines] {
            let error = marks.add(8, bad).expect_err("no hash");
            assert!(matches!(error, StoreError::NoMark { offset: 8 }), "{error}");
        }
        assert!(marks.is_empty());
        assert!(!marks.path.exists());
    }

    #[test]
    fn marks_that_say_nothing_new_are_passed_over() {
        let (_dir, mut marks) = none();
        for offset in [0, 8, 8, 7, 16] {
            marks.add(offset, &hash("a")).expect("taken");
        }
        let text = fs::read_to_string(&marks.path).expect("there");
        assert_eq!(text, line(8, "a") + &line(16, "a"));
    }

    #[test]
    fn a_full_disk_leaves_the_marks_before() {
        let (_dir, mut marks) = none();
        marks.add(8, &hash("a")).expect("written");
        let full = OpenOptions::new().write(true).open("/dev/full");
        let real = marks.file.replace(full.expect("Linux has it"));
        let error = marks.add(16, &hash("b")).expect_err("no space");
        assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
        marks.file = real;
        // As if half of that line had been written.
        let torn = marks.file.as_ref().expect("open");
        let half = &line(16, "b").into_bytes()[..20];
        torn.write_all_at(half, marks.end).expect("written");
        marks.add(24, &hash("c")).expect("written");
        let text = fs::read_to_string(&marks.path).expect("there");
        assert_eq!(text, line(8, "a") + &line(24, "c"));
    }

    #[test]
    fn the_file_is_bounded_both_ways() {
        let (_dir, mut marks) = none();
        let lines: String = (1..=20_000).map(|number| line(number, "a")).collect();
        for offset in 1..=20_000 {
            marks.add(offset, &hash("a")).expect("taken");
        }
        let written = fs::read_to_string(&marks.path).expect("there");
        assert!(written.len() as u64 <= MAX_FILE);
        assert!(written.len() as u64 > MAX_FILE - 100);
        assert!(lines.starts_with(&written));

        fs::write(&marks.path, &lines).expect("written");
        let (mut read, found) =
            Marks::load(marks.path.clone(), Algorithm::Sha256, 20_000).expect("read");
        assert_eq!(found.len(), written.lines().count());
        let text = fs::read_to_string(&marks.path).expect("there");
        assert!(text == written, "what is not read is cut off");
        read.remove();
        assert!(!marks.path.exists());
    }

    #[test]
    fn what_is_cut_is_gone_and_more_can_be_added() {
        let (_dir, mut marks) = none();
        assert!(marks.cut(100).expect("nothing to cut").is_empty());
        for (offset, digit) in [(8, "a"), (16, "b"), (24, "c")] {
            marks.add(offset, &hash(digit)).expect("written");
        }
        let left = marks.cut(23).expect("cut");
        assert_eq!(left, [(8, hash("a")), (16, hash("b"))]);
        marks.add(20, &hash("d")).expect("written");
        let text = fs::read_to_string(&marks.path).expect("there");
        assert_eq!(text, line(8, "a") + &line(16, "b") + &line(20, "d"));
        assert!(marks.cut(7).expect("cut").is_empty());
        assert!(marks.is_empty());
    }

    proptest! {
        #[test]
        fn any_cut_of_the_file_gives_whole_marks(
            steps in proptest::collection::vec(1..1_000_000_u64, 0..20),
            part in 0.0..=1.0_f64,
            noise in any::<Vec<u8>>(),
        ) {
            let (mut offset, mut made, mut text) = (0, Vec::new(), Vec::new());
            for step in steps {
                offset += step;
                made.push(offset);
                text.extend(line(offset, "a").into_bytes());
            }
            text.truncate((part * text.len() as f64) as usize);
            let whole = text.iter().filter(|byte| **byte == b'\n').count();
            text.extend(noise);
            let found = offsets(&text, u64::MAX);
            prop_assert!(found.len() >= whole);
            prop_assert_eq!(&found[..whole], &made[..whole]);
        }
    }
}
