//! Random writes, marks, cuts and restarts, compared with a model of the files.

use std::collections::BTreeMap;
use std::fs;

use ledge_store::{BlobStore, Keeping, Partial};
use proptest::prelude::*;

use super::{digest, hash, mark, names, open, resume, store, stored};

/// What happens to an object on its way in.
#[derive(Clone, Debug)]
enum Step {
    Write { at: usize, bytes: Vec<u8> },
    Mark { offset: u64 },
    Truncate { length: usize },
    KeepAndResume,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 1..50);
    prop_oneof![
        4 => (0..300_usize, bytes()).prop_map(|(at, bytes)| Step::Write { at, bytes }),
        3 => (0..350_u64).prop_map(|offset| Step::Mark { offset }),
        1 => (0..350_usize).prop_map(|length| Step::Truncate { length }),
        2 => Just(Step::KeepAndResume),
        1 => Just(Step::Restart),
    ]
}

/// What the files should hold.
#[derive(Default)]
struct Model {
    bytes: Vec<u8>,
    marks: BTreeMap<u64, String>,
}

impl Model {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        self.bytes[at..end].copy_from_slice(bytes);
    }

    fn mark(&mut self, offset: u64) {
        if self.marks.keys().all(|last| *last < offset) && offset > 0 {
            self.marks.insert(offset, hash(offset));
        }
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.marks.retain(|offset, _| *offset <= length as u64);
    }

    /// Marks behind the end are not believed; without one nothing is left.
    fn resume(&mut self) {
        let length = self.bytes.len() as u64;
        self.marks.retain(|offset, _| *offset <= length);
        if self.marks.is_empty() {
            self.bytes.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_hold_what_was_done(steps in proptest::collection::vec(step(), 0..40)) {
        let (dir, mut store) = store();
        let mut model = Model::default();
        let mut partial = store.begin(&digest()).expect("a partial");
        for step in steps {
            match step {
                Step::Write { at, bytes } => {
                    partial.write_at(&bytes, at as u64).expect("written");
                    model.write(at, &bytes);
                }
                Step::Mark { offset } => {
                    mark(&mut partial, offset);
                    model.mark(offset);
                }
                Step::Truncate { length } => {
                    partial.truncate(length as u64).expect("truncated");
                    model.truncate(length);
                }
                Step::KeepAndResume | Step::Restart => {
                    partial.keep();
                    if matches!(step, Step::Restart) {
                        drop(store);
                        store = open(dir.path());
                    }
                    model.resume();
                    partial = take_up(&store, &model)?;
                }
            }
            let found = fs::read(partial.path()).expect("there");
            prop_assert_eq!(&found, &model.bytes);
        }
        let size = model.bytes.len() as u64;
        partial.commit(&digest(), size, Keeping::default()).expect("committed");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        prop_assert_eq!(runtime.block_on(stored(&store)), model.bytes);
        prop_assert!(names(&dir).is_empty());
    }
}

fn take_up(store: &BlobStore, model: &Model) -> Result<Partial, TestCaseError> {
    let Some(left) = resume(store) else {
        prop_assert!(model.marks.is_empty());
        return Ok(store.begin(&digest()).expect("a partial"));
    };
    let found: BTreeMap<_, _> = left.marks.into_iter().collect();
    prop_assert_eq!(&found, &model.marks);
    Ok(left.partial)
}
