//! Turns against a model: what is promised, checked after every one of many random steps.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, any, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};

use super::spares::WAITING;
use super::tests::{Calling, called, calling, is_empty, is_told};
use super::{Full, Spare, Turn, Turns};

const ORIGINS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter,
    Try,
    /// Somebody comes for whom no client waits.
    EnterSpare,
    /// A client comes for one of those.
    Promote,
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
        4 => Just(Step::EnterSpare),
        2 => Just(Step::Promote),
        1 => Just(Step::Leave),
        3 => Just(Step::End),
        1 => Just(Step::EndAndLeave),
    ]
}

/// Who waits, in the order of coming, and who runs: each with the index of its origin. Those for
/// whom no client waits are apart.
struct Model {
    turns: Turns,
    total: usize,
    per_origin: usize,
    bound: usize,
    waiting: Vec<(usize, Calling)>,
    running: Vec<(usize, Turn)>,
    spare_waiting: Vec<(usize, Calling, Spare)>,
    spare_running: Vec<(usize, Turn, Spare)>,
    /// How many of those were told to stop.
    told: usize,
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
            spare_waiting: Vec::new(),
            spare_running: Vec::new(),
            told: 0,
            served: Default::default(),
        }
    }

    fn running_of(&self, origin: usize) -> usize {
        self.running.iter().filter(|(of, _)| *of == origin).count() + self.spares_of(origin)
    }

    fn spares_of(&self, origin: usize) -> usize {
        let spares = self.spare_running.iter();
        spares.filter(|(of, ..)| *of == origin).count()
    }

    fn all_running(&self) -> usize {
        self.running.len() + self.spare_running.len()
    }

    fn is_free(&self, origin: usize) -> bool {
        self.all_running() < self.total && self.running_of(origin) < self.per_origin
    }

    /// Whether somebody of that origin for whom no client waits may run.
    fn is_spare(&self, origin: usize) -> bool {
        self.waiting.is_empty()
            && self.is_free(origin)
            && self.spare_running.len() < (self.total / 2).max(1)
            && self.spares_of(origin) < (self.per_origin / 2).max(1)
    }

    /// Somebody waits, and for nothing but one of all turns.
    fn is_ready(&self, origin: usize) -> bool {
        self.waiting.iter().any(|(of, _)| *of == origin)
            && self.running_of(origin) < self.per_origin
    }

    fn step(&mut self, step: Step, pick: usize) {
        let waited = !self.waiting.is_empty();
        let were_ready: Vec<usize> = (0..ORIGINS.len()).filter(|o| self.is_ready(*o)).collect();
        match step {
            Step::Enter => self.enter(pick % ORIGINS.len()),
            Step::Try => self.try_turn(pick % ORIGINS.len()),
            Step::EnterSpare => self.enter_spare(pick % ORIGINS.len()),
            Step::Promote => self.promote(pick),
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
        self.listen_for_spares();
        self.check();
        let told = self.check_spares();
        let waits = waited || !self.waiting.is_empty();
        assert!(told <= self.told || waits, "told for nobody");
        self.told = told;
    }

    fn enter(&mut self, origin: usize) {
        let must_wait = !self.is_free(origin);
        match self.turns.enter(ORIGINS[origin]) {
            Ok(waiting) => {
                assert!(!must_wait || self.waiting.len() < self.bound);
                self.waiting.push((origin, calling(waiting)));
            }
            // Beyond the bound are those who became clients while they waited.
            Err(Full) => assert!(must_wait && self.waiting.len() >= self.bound),
        }
    }

    fn try_turn(&mut self, origin: usize) {
        let turn = self.turns.try_turn(ORIGINS[origin]);
        assert_eq!(turn.is_some(), self.is_free(origin));
        self.running.extend(turn.map(|turn| (origin, turn)));
    }

    fn enter_spare(&mut self, origin: usize) {
        match self.turns.enter_spare(ORIGINS[origin]) {
            Ok((waiting, spare)) => self.spare_waiting.push((origin, calling(waiting), spare)),
            Err(Full) => assert_eq!(self.spare_waiting.len(), WAITING),
        }
    }

    fn promote(&mut self, pick: usize) {
        let (waiting, running) = (self.spare_waiting.len(), self.spare_running.len());
        match pick.checked_rem(waiting + running) {
            Some(at) if at < waiting => {
                let (origin, calling, spare) = self.spare_waiting.remove(at);
                spare.promote();
                self.waiting.push((origin, calling));
            }
            Some(at) => {
                let (origin, turn, spare) = self.spare_running.remove(at - waiting);
                spare.promote();
                assert!(!is_told(&spare), "a client's is told to stop");
                self.running.push((origin, turn));
            }
            None => {}
        }
    }

    fn leave(&mut self, pick: usize) {
        if pick.is_multiple_of(5) && !self.spare_waiting.is_empty() {
            drop(self.spare_waiting.remove(pick % self.spare_waiting.len()));
        } else if !self.waiting.is_empty() {
            let (origin, _) = self.waiting.remove(pick % self.waiting.len());
            // If it was called unseen, its origin was served.
            self.served[origin].clear();
        }
    }

    fn end(&mut self, pick: usize) {
        let (clients, spares) = (self.running.len(), self.spare_running.len());
        match pick.checked_rem(clients + spares) {
            Some(at) if at < clients => drop(self.running.swap_remove(at)),
            Some(at) => drop(self.spare_running.remove(at - clients)),
            None => {}
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

    /// Who got a spare turn by the last step: of an origin the first who came, while no client waits.
    fn listen_for_spares(&mut self) {
        let mut passed = BTreeSet::new();
        for (origin, mut calling, spare) in std::mem::take(&mut self.spare_waiting) {
            match called(&mut calling) {
                Some(turn) => {
                    assert!(self.waiting.is_empty(), "ahead of a client");
                    assert!(!passed.contains(&origin), "overtaken within an origin");
                    self.spare_running.push((origin, turn, spare));
                }
                None => {
                    passed.insert(origin);
                    self.spare_waiting.push((origin, calling, spare));
                }
            }
        }
        for origin in passed {
            assert!(!self.is_spare(origin), "a spare turn is free, and unused");
        }
    }

    /// As many are told to stop as clients could use; how many that are.
    fn check_spares(&self) -> usize {
        let told_of = |origin: usize| {
            let spares = self.spare_running.iter().filter(|(of, ..)| *of == origin);
            spares.filter(|(.., spare)| is_told(spare)).count()
        };
        let told: usize = (0..ORIGINS.len()).map(told_of).sum();
        let mut could_run = 0;
        for (origin, name) in ORIGINS.iter().enumerate() {
            let waiting = self.waiting.iter().filter(|(of, _)| *of == origin).count();
            let untold = self.spares_of(origin) - told_of(origin);
            let room = (self.per_origin + told_of(origin)).saturating_sub(self.running_of(origin));
            assert!(waiting <= room || untold == 0, "{name} waits");
            could_run += waiting.min(room);
        }
        let free = self.total - self.all_running();
        assert!(could_run <= told + free || told == self.spare_running.len());
        told
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
        assert!(self.all_running() <= self.total);
        assert!(self.spare_running.len() <= (self.total / 2).max(1));
        for origin in 0..ORIGINS.len() {
            assert!(self.running_of(origin) <= self.per_origin);
            assert!(self.spares_of(origin) <= (self.per_origin / 2).max(1));
            if !self.is_ready(origin) {
                self.served[origin].clear();
            } else {
                assert_eq!(self.all_running(), self.total, "a turn is free, and unused");
            }
        }
    }

    /// Everybody who still waits is called, and in the end nothing is left.
    fn finish(mut self, pick: usize) {
        while !(self.waiting.is_empty() && self.spare_waiting.is_empty()) {
            assert!(self.all_running() > 0, "nobody runs, and nobody is called");
            self.step(Step::End, pick);
        }
        self.running.clear();
        self.spare_running.clear();
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
