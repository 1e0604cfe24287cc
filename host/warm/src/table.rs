//! The summary as a table of text.

use std::fmt::Write as _;
use std::time::Duration;

use ledge_console::{BinaryBytes, Edge, Table};

use crate::report::{Row, Summary};

const COLUMNS: [(&str, Edge); 6] = [
    ("IMAGE", Edge::Left),
    ("PLATFORM", Edge::Left),
    ("SIZE", Edge::Right),
    ("THERE", Edge::Right),
    ("TIME", Edge::Right),
    ("RESULT", Edge::Left),
];

/// The table, its sums, and what failed.
pub(crate) fn render(summary: &Summary) -> String {
    let mut table = Table::new(COLUMNS);
    summary
        .rows
        .iter()
        .map(cells)
        .for_each(|row| table.row(row));
    let mut text = table.text();
    text.push_str(&sums(summary));
    for row in &summary.rows {
        if let Some(failure) = &row.failure {
            let _ = write!(text, "\n{}: {failure}\n", row.image);
            if let Some(hint) = failure.hint() {
                let _ = writeln!(text, "  {hint}");
            }
        }
    }
    text
}

fn cells(row: &Row) -> [String; 6] {
    [
        row.image.to_string(),
        row.platform(),
        BinaryBytes(row.bytes).to_string(),
        BinaryBytes(row.present).to_string(),
        seconds(row.after),
        row.result().to_owned(),
    ]
}

fn sums(summary: &Summary) -> String {
    let images = match summary.rows.len() {
        1 => "1 image".to_owned(),
        several => format!("{several} images"),
    };
    let mut text = format!(
        "{images}, {}, of which {} were there, in {}",
        BinaryBytes(summary.bytes()),
        BinaryBytes(summary.present()),
        seconds(summary.elapsed)
    );
    match summary.failed() {
        0 => {}
        failed => {
            let _ = write!(text, "; {failed} failed");
        }
    }
    text.push('\n');
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, Image, Platform};

    fn row(image: &str, platforms: &[&str], bytes: u64, failure: Option<Failure>) -> Row {
        Row {
            image: Image::parse(image).expect(image),
            digest: None,
            platforms: platforms
                .iter()
                .map(|p| Platform::parse(p).expect("one"))
                .collect(),
            objects: 3,
            bytes,
            present: bytes / 2,
            shared: bytes / 4,
            after: Duration::from_millis(1250),
            dry: false,
            failure,
        }
    }

    #[test]
    fn a_table_says_everything() {
        let failure = Failure::Lacks {
            lacking: "linux/s390x".to_owned(),
            listed: "linux/amd64".to_owned(),
        };
        let summary = Summary {
            rows: vec![
                row("alpine:3.20", &["linux/amd64"], 4096, None),
                row(
                    "ghcr.io/a/b",
                    &["linux/amd64", "linux/arm64"],
                    1 << 30,
                    Some(failure),
                ),
                row("c", &[], 0, None),
                row("d", &["a/b", "c/d", "e/f"], 8, None),
            ],
            elapsed: Duration::from_secs(2),
        };
        let expected = "\
IMAGE                          PLATFORM                      SIZE       THERE   TIME  RESULT
docker.io/library/alpine:3.20  linux/amd64               4.00 KiB    2.00 KiB  1.2 s  warm
ghcr.io/a/b:latest             linux/amd64, linux/arm64  1.00 GiB  512.00 MiB  1.2 s  failed
docker.io/library/c:latest     -                              0 B         0 B  1.2 s  warm
docker.io/library/d:latest     3 platforms                    8 B         4 B  1.2 s  warm
4 images, 768.00 MiB, of which 512.00 MiB were there, in 2.0 s; 1 failed

ghcr.io/a/b:latest: there is none for linux/s390x; the index lists linux/amd64
  choose others with --platform, or `all`
";
        assert_eq!(summary.table(), expected);
    }
}
