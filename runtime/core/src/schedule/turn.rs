//! Taking turns, without a list of those who do: everybody remembers the round in which they had theirs.

/// Rounds of which each member has one turn.
#[derive(Debug)]
pub(super) struct Turns {
    round: u64,
    /// How many had theirs in this round.
    taken: u32,
}

impl Default for Turns {
    /// Who has never had a turn remembers round 0.
    fn default() -> Turns {
        Turns { round: 1, taken: 0 }
    }
}

impl Turns {
    /// Whether somebody who had a turn in round `last` had one in this round.
    pub(super) fn had(&self, last: u64) -> bool {
        last == self.round
    }

    /// Somebody has a turn; once all `members` had, the next round begins.
    pub(super) fn take(&mut self, last: &mut u64, members: u32) {
        if !self.had(*last) {
            *last = self.round;
            self.taken += 1;
        }
        self.begin(members);
    }

    /// Somebody leaves, and `members` remain.
    pub(super) fn left(&mut self, last: u64, members: u32) {
        if self.had(last) {
            self.taken = self.taken.saturating_sub(1);
        }
        self.begin(members);
    }

    fn begin(&mut self, members: u32) {
        if self.taken >= members {
            self.round += 1;
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn each_has_one_turn_in_a_round_whoever_leaves() {
        let mut turns = Turns::default();
        let mut members = [0_u64; 3];
        for round in 0..5 {
            for at in 0..3 {
                assert!(!turns.had(members[at]), "round {round}, member {at}");
                turns.take(&mut members[at], 3);
            }
        }
        turns.take(&mut members[0], 3);
        turns.take(&mut members[1], 3);
        assert!(turns.had(members[0]) && !turns.had(members[2]));
        // The one that was waited for goes: a round begins.
        turns.left(members[2], 2);
        assert!(!turns.had(members[0]) && !turns.had(members[1]));
    }
}
