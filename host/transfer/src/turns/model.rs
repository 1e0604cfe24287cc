//! Turns against a model: what is promised, checked after every one of many random steps.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, any, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};

use super::tests::{Calling, called, calling, is_empty};
use super::{Full, Turn, Turns};

const ORIGINS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    Try,
    /// Somebody who waits leaves.
    Leave,
    /// Somebody who runs ends.
    End,
    /// Somebody ends, and somebody who waits, perhaps who was called by it, leaves unseen.
    EndAndLeave,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Enter),
        2 => Just(Step::Try),
        1 => Just(Step::Leave),
        3 => Just(Step::End),
        1 => Just(Step::EndAndLeave),
    ]
}

/// Who waits, in the order of coming, and who runs: each with the index of its origin.
struct Model {
    turns: Turns,
    total: usize,
    per_origin: usize,
    bound: usize,
    waiting: Vec<(usize, Calling)>,
    running: Vec<(usize, Turn)>,
    /// For each origin that is ready, who was served since it is.
    served: [BTreeSet<usize>; ORIGINS.len()],
}

impl Model {
    fn new(total: usize, per_origin: usize, bound: usize) -> Self {
        Self {
            turns: Turns::new(total, per_origin, bound),
            total,
            per_origin,
            bound,
            waiting: Vec::new(),
            running: Vec::new(),
            served: Default::default(),
        }
    }

    fn running_of(&self, origin: usize) -> usize {
        self.running.iter().filter(|(of, _)| *of == origin).count()
    }

    fn is_free(&self, origin: usize) -> bool {
        self.running.len() < self.total && self.running_of(origin) < self.per_origin
    }

    /// Somebody waits, and for nothing but one of all turns.
    fn is_ready(&self, origin: usize) -> bool {
        self.waiting.iter().any(|(of, _)| *of == origin)
            && self.running_of(origin) < self.per_origin
    }

    fn step(&mut self, step: Step, pick: usize) {
        let were_ready: Vec<usize> = (0..ORIGINS.len()).filter(|o| self.is_ready(*o)).collect();
        match step {
            Step::Enter => self.enter(pick % ORIGINS.len()),
            Step::Try => self.try_turn(pick % ORIGINS.len()),
            Step::Leave => self.leave(pick),
            Step::End => self.end(pick),
            Step::EndAndLeave => {
                self.end(pick / 7);
                self.leave(pick);
            }
        }
        if let Some(origin) = self.listen() {
            self.fairly(origin, &were_ready);
        }
        self.check();
    }

    fn enter(&mut self, origin: usize) {
        let must_wait = !self.is_free(origin);
        match self.turns.enter(ORIGINS[origin]) {
            Ok(waiting) => {
                assert!(!must_wait || self.waiting.len() < self.bound);
                self.waiting.push((origin, calling(waiting)));
            }
            Err(Full) => assert!(must_wait && self.waiting.len() == self.bound),
        }
    }

    fn try_turn(&mut self, origin: usize) {
        let turn = self.turns.try_turn(ORIGINS[origin]);
        assert_eq!(turn.is_some(), self.is_free(origin));
        self.running.extend(turn.map(|turn| (origin, turn)));
    }

    fn leave(&mut self, pick: usize) {
        if !self.waiting.is_empty() {
            let (origin, _) = self.waiting.remove(pick % self.waiting.len());
            // If it was called unseen, its origin was served.
            self.served[origin].clear();
        }
    }

    fn end(&mut self, pick: usize) {
        if !self.running.is_empty() {
            drop(self.running.swap_remove(pick % self.running.len()));
        }
    }

    /// Who was called by the last step: at most one, and of its origin the first who came.
    fn listen(&mut self) -> Option<usize> {
        let mut calls = Vec::new();
        for (at, (_, waiting)) in self.waiting.iter_mut().enumerate() {
            calls.extend(called(waiting).map(|turn| (at, turn)));
        }
        assert!(calls.len() <= 1, "one step, {} called", calls.len());
        let (at, turn) = calls.pop()?;
        let (origin, _) = self.waiting.remove(at);
        let mut before = self.waiting[..at].iter();
        assert!(
            before.all(|(of, _)| *of != origin),
            "overtaken within an origin"
        );
        self.running.push((origin, turn));
        Some(origin)
    }

    /// While an origin is ready, no other one is served twice.
    fn fairly(&mut self, origin: usize, were_ready: &[usize]) {
        self.served[origin].clear();
        for other in were_ready.iter().filter(|other| **other != origin) {
            assert!(
                self.served[*other].insert(origin),
                "{} waits, {} is served twice",
                ORIGINS[*other],
                ORIGINS[origin]
            );
        }
    }

    fn check(&mut self) {
        assert!(self.running.len() <= self.total);
        assert!(self.waiting.len() <= self.bound);
        for origin in 0..ORIGINS.len() {
            assert!(self.running_of(origin) <= self.per_origin);
            if !self.is_ready(origin) {
                self.served[origin].clear();
            } else {
                assert_eq!(self.running.len(), self.total, "a turn is free, and unused");
            }
        }
    }

    /// Everybody who still waits is called, and in the end nothing is left.
    fn finish(mut self, pick: usize) {
        while !self.waiting.is_empty() {
            assert!(
                !self.running.is_empty(),
                "nobody runs, and nobody is called"
            );
            self.step(Step::End, pick);
        }
        self.running.clear();
        assert!(is_empty(&self.turns));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_promised_holds_after_every_step(
        total in 1_usize..5,
        per_origin in 1_usize..5,
        bound in 0_usize..8,
        steps in proptest::collection::vec((step(), any::<usize>()), 0..150),
        end in any::<usize>(),
    ) {
        let mut model = Model::new(total, per_origin, bound);
        for (step, pick) in steps {
            model.step(step, pick);
        }
        model.finish(end);
    }
}
