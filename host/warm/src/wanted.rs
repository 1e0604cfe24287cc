//! What is to be warmed, gathered from arguments, lists and Kubernetes manifests.

use std::collections::HashSet;
use std::fmt;

use crate::kubernetes;
use ledge_core::image::{Image, ImageError};

/// Most characters of a wrong name that are repeated.
const MAX_QUOTED: usize = 120;

/// Most problems that are told; a wrong kind of file has one on every line.
const MAX_TOLD: usize = 20;

/// Images to warm, each once, in the order in which they were named.
#[derive(Debug, Default)]
pub struct Wanted {
    images: Vec<Image>,
    known: HashSet<Image>,
    problems: Vec<Problem>,
}

/// Something that was to name an image, and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: String,
    reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Everything that is wrong with what was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self
            .0
            .iter()
            .take(MAX_TOLD)
            .map(Problem::to_string)
            .collect();
        f.write_str(&told.join("\n"))?;
        match self.0.len().saturating_sub(MAX_TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

impl Wanted {
    /// One image, as an argument names it.
    pub fn name(&mut self, text: &str) {
        self.add(text, "argument");
    }

    /// A list with one image a line. `#` starts a comment; empty lines are nothing. `source` is
    /// what the list is called in problems.
    pub fn list(&mut self, source: &str, text: &str) {
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let name = line.split('#').next().unwrap_or_default().trim();
            if !name.is_empty() {
                self.add(name, &format!("{source}:{number}"));
            }
        }
    }

    /// Kubernetes manifests, in YAML or JSON: the images of containers, of whatever kind and in
    /// whatever resource, and of volumes.
    pub fn kubernetes(&mut self, source: &str, text: &str) {
        match kubernetes::images(text.trim_start_matches('\u{feff}')) {
            Ok(found) => {
                for image in found {
                    self.add(&image.name, &format!("{source}:{}", image.line));
                }
            }
            Err(error) => self.problem(source, error.to_string()),
        }
    }

    /// The images.
    ///
    /// # Errors
    /// Everything that is wrong, at once; also if nothing was named.
    pub fn finish(mut self) -> Result<Vec<Image>, Problems> {
        if self.images.is_empty() && self.problems.is_empty() {
            self.problem("nothing to warm", "no image was named".to_owned());
        }
        if self.problems.is_empty() {
            Ok(self.images)
        } else {
            Err(Problems(self.problems))
        }
    }

    fn add(&mut self, text: &str, place: &str) {
        match Image::parse(text) {
            Ok(image) => {
                if self.known.insert(image.clone()) {
                    self.images.push(image);
                }
            }
            Err(error) => self.wrong(text, place, error),
        }
    }

    fn wrong(&mut self, text: &str, place: &str, error: ImageError) {
        let quoted: String = text.chars().take(MAX_QUOTED).collect();
        self.problem(place, format!("{quoted:?} names no image: {error}"));
    }

    fn problem(&mut self, place: &str, reason: String) {
        self.problems.push(Problem {
            place: place.to_owned(),
            reason,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(wanted: Wanted) -> Result<Vec<String>, String> {
        let images = wanted.finish().map_err(|problems| problems.to_string())?;
        Ok(images.iter().map(Image::to_string).collect())
    }

    #[test]
    fn every_source_counts_and_an_image_once() {
        let mut wanted = Wanted::default();
        wanted.name("alpine:3.20");
        wanted.list(
            "l",
            "\u{feff}# the list\n\n  ghcr.io/a/b:v1 # why\r\ndocker.io/library/alpine:3.20\n#x",
        );
        wanted.kubernetes(
            "k",
            "\u{feff}containers: [{image: pause}, {image: ghcr.io/a/b:v1}]",
        );
        assert_eq!(
            finished(wanted),
            Ok(vec![
                "docker.io/library/alpine:3.20".to_owned(),
                "ghcr.io/a/b:v1".to_owned(),
                "docker.io/library/pause:latest".to_owned(),
            ])
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        let mut wanted = Wanted::default();
        wanted.name("Alpine");
        wanted.name("right");
        wanted.list("list.txt", "a\nb c\n");
        wanted.kubernetes("pod.yaml", "containers:\n- image: ${IMAGE}\n");
        wanted.kubernetes("broken.yaml", "a: [");
        let told = finished(wanted).expect_err("four are wrong");
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "argument: \"Alpine\" names no image: a repository's name has lower-case letters only",
                "list.txt:2: \"b c\" names no image: the repository's name breaks the grammar of the specification",
                "pod.yaml:2: \"${IMAGE}\" names no image: it holds a placeholder: render the template first (as `helm template` does)",
            ]
        );
        assert!(
            lines[3].starts_with("broken.yaml: line 2: this is no YAML: "),
            "{told}"
        );
        assert_eq!(lines.len(), 4, "{told}");
    }

    #[test]
    fn nothing_is_wrong_too_and_many_problems_are_cut() {
        assert_eq!(
            finished(Wanted::default()),
            Err("nothing to warm: no image was named".to_owned())
        );
        let mut wanted = Wanted::default();
        wanted.list("l", &"A\n".repeat(MAX_TOLD + 5));
        let told = finished(wanted).expect_err("all are wrong");
        assert_eq!(told.lines().count(), MAX_TOLD + 1);
        assert!(told.ends_with("\nand 5 more"), "{told}");
    }
}
