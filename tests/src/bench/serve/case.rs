//! What can be measured, and by which loads.

use clap::ValueEnum;

use super::servers::Who;
use super::set::Asked;

/// What of `serve` is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Manifests by their tags.
    ManifestTag,
    /// Manifests by their digests.
    ManifestDigest,
    /// HEAD of manifests by their tags.
    Head,
    /// Blobs of 1 KiB.
    #[value(name = "blob-1k")]
    Blob1k,
    /// Blobs of 1 MiB.
    #[value(name = "blob-1m")]
    Blob1m,
    /// Blobs of 100 MiB, four at once.
    #[value(name = "blob-100m")]
    Blob100m,
    /// 64 KiB out of blobs of 1 MiB.
    Range,
    /// Tags that nobody has.
    NotFound,
    /// Manifests by their tags over HTTP/2.
    H2,
    /// The most memory during 64 downloads of 100 MiB.
    Memory,
    /// The processors' time for a gigabyte.
    Cpu,
    /// From the start to the first answer, with 100,000 objects.
    Start,
    /// A manifest through an instance, beside the same answer repeated by the host.
    WasmTax,
    /// Manifests while blobs come over a slow link, beside manifests alone.
    Mixed,
    /// Manifests over a thousand connections.
    C1000,
}

/// What `wrk` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Whole objects.
    Whole,
    /// [`PART`] bytes, from a place drawn at random.
    Part,
    /// What is not there.
    Absent,
}

/// Bytes of a range.
pub(super) const PART: u64 = 64 << 10;

/// How a load is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// `wrk` with so many connections.
    Wrk(Asked, Shape, u32),
    /// Four `curl`, one after the other's objects.
    Curls,
    /// HEAD of manifests over so many connections.
    Heads(u32),
    /// `h2load`.
    H2,
    /// A crowd that takes large objects, for the memory that it costs.
    Crowd,
    /// Manifests beside cold transfers.
    Mixed,
}

/// A load on a server, of which figures are told.
#[derive(Debug)]
pub(super) struct Load {
    /// The case's name in reports.
    pub(super) name: &'static str,
    /// Whoever names one of these wants it.
    pub(super) cases: &'static [Case],
    pub(super) how: How,
    /// Who gets it.
    pub(super) servers: &'static [Who],
}

const ALL: &[Who] = &[
    Who::Ledge,
    Who::Instance,
    Who::Nginx,
    Who::Registry,
    Who::Hyper,
];
const FAST: &[Who] = &[Who::Ledge, Who::Instance, Who::Nginx, Who::Hyper];
/// Bare hyper knows no ranges.
const RANGES: &[Who] = &[Who::Ledge, Who::Instance, Who::Nginx, Who::Registry];
/// A registry asks its origin about every unknown tag.
const ABSENT: &[Who] = &[Who::Ledge, Who::Instance, Who::Nginx];
/// Those between which it is a goal.
const GOAL: &[Who] = &[Who::Ledge, Who::Nginx];
const MEMORY: &[Who] = &[Who::Ledge, Who::Nginx, Who::Registry];
const BARE: &[Who] = &[Who::Ledge, Who::Nginx, Who::Hyper];

/// All loads, in the order in which a round goes through them.
pub(super) const LOADS: [Load; 20] = [
    Load {
        name: "manifest-tag-c1",
        cases: &[Case::ManifestTag],
        how: How::Wrk(Asked::Tags, Shape::Whole, 1),
        servers: ALL,
    },
    Load {
        name: "manifest-tag-c32",
        cases: &[Case::ManifestTag, Case::WasmTax],
        how: How::Wrk(Asked::Tags, Shape::Whole, 32),
        servers: ALL,
    },
    Load {
        name: "manifest-digest-c1",
        cases: &[Case::ManifestDigest],
        how: How::Wrk(Asked::Digests, Shape::Whole, 1),
        servers: ALL,
    },
    Load {
        name: "manifest-digest-c32",
        cases: &[Case::ManifestDigest],
        how: How::Wrk(Asked::Digests, Shape::Whole, 32),
        servers: ALL,
    },
    Load {
        name: "manifest-digest-c256",
        cases: &[Case::ManifestDigest],
        how: How::Wrk(Asked::Digests, Shape::Whole, 256),
        servers: FAST,
    },
    Load {
        name: "head-c1",
        cases: &[Case::Head],
        how: How::Heads(1),
        servers: ALL,
    },
    Load {
        name: "head-c32",
        cases: &[Case::Head],
        how: How::Heads(32),
        servers: ALL,
    },
    Load {
        name: "blob-1k-c1",
        cases: &[Case::Blob1k],
        how: How::Wrk(Asked::Kibibyte, Shape::Whole, 1),
        servers: ALL,
    },
    Load {
        name: "blob-1k-c32",
        cases: &[Case::Blob1k],
        how: How::Wrk(Asked::Kibibyte, Shape::Whole, 32),
        servers: ALL,
    },
    Load {
        name: "blob-1m-c1",
        cases: &[Case::Blob1m],
        how: How::Wrk(Asked::Mebibyte, Shape::Whole, 1),
        servers: ALL,
    },
    Load {
        name: "blob-1m-c32",
        cases: &[Case::Blob1m, Case::Cpu],
        how: How::Wrk(Asked::Mebibyte, Shape::Whole, 32),
        servers: ALL,
    },
    Load {
        name: "blob-100m",
        cases: &[Case::Blob100m, Case::Cpu],
        how: How::Curls,
        servers: ALL,
    },
    Load {
        name: "range-c1",
        cases: &[Case::Range],
        how: How::Wrk(Asked::Mebibyte, Shape::Part, 1),
        servers: RANGES,
    },
    Load {
        name: "range-c32",
        cases: &[Case::Range],
        how: How::Wrk(Asked::Mebibyte, Shape::Part, 32),
        servers: RANGES,
    },
    Load {
        name: "not-found-c1",
        cases: &[Case::NotFound],
        how: How::Wrk(Asked::Absent, Shape::Absent, 1),
        servers: ABSENT,
    },
    Load {
        name: "not-found-c32",
        cases: &[Case::NotFound],
        how: How::Wrk(Asked::Absent, Shape::Absent, 32),
        servers: ABSENT,
    },
    Load {
        name: "h2",
        cases: &[Case::H2],
        how: How::H2,
        servers: BARE,
    },
    Load {
        name: "c1000",
        cases: &[Case::C1000],
        how: How::Wrk(Asked::Tags, Shape::Whole, 1000),
        servers: BARE,
    },
    Load {
        name: "memory",
        cases: &[Case::Memory],
        how: How::Crowd,
        servers: MEMORY,
    },
    Load {
        name: "mixed",
        cases: &[Case::Mixed],
        how: How::Mixed,
        servers: GOAL,
    },
];

/// The loads of these cases; all of them if none is named.
pub(super) fn loads(named: &[Case]) -> Vec<&'static Load> {
    let wanted =
        |load: &&Load| named.is_empty() || load.cases.iter().any(|case| named.contains(case));
    LOADS.iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_but_the_start_has_a_load_of_its_own_name() {
        let names: HashSet<&str> = LOADS.iter().map(|load| load.name).collect();
        assert_eq!(names.len(), LOADS.len());
        for case in Case::value_variants() {
            let loads = loads(&[*case]);
            assert_eq!(loads.is_empty(), *case == Case::Start, "{case:?}");
        }
        assert_eq!(loads(&[]).len(), LOADS.len());
        let cpu: Vec<&str> = loads(&[Case::Cpu, Case::Blob100m])
            .iter()
            .map(|load| load.name)
            .collect();
        assert_eq!(cpu, ["blob-1m-c32", "blob-100m"]);
    }
}
