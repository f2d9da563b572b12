//! Which member of a group gets which queue, when the broker is asked to say (400).

/// How queues are dealt out; both lists are sorted, so that each member sees the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocation {
    /// `AVG`: each member a stretch of neighbours.
    Averagely,
    /// `AVG_BY_CIRCLE`: one by one, in turn.
    ByCircle,
}

impl Allocation {
    /// The strategy of that name; clients that name another deal out by themselves.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "AVG" => Some(Self::Averagely),
            "AVG_BY_CIRCLE" => Some(Self::ByCircle),
            _ => None,
        }
    }

    /// The queues below `queues` of member number `member` of `members`.
    pub(super) fn allocate(self, queues: u32, member: u32, members: u32) -> Vec<u32> {
        if member >= members {
            return Vec::new();
        }
        match self {
            Self::Averagely => {
                let (each, more) = (queues / members, queues % members);
                let first = each * member + member.min(more);
                let count = each + u32::from(member < more);
                (first..first + count).collect()
            }
            Self::ByCircle => (member..queues)
                .step_by(usize::try_from(members).unwrap_or(usize::MAX))
                .collect(),
        }
    }

    /// The queues of a member that pops and shares those of the `shared` members after it; `None`
    /// for all queues.
    pub(super) fn allocate_shared(
        self,
        queues: u32,
        member: u32,
        members: u32,
        shared: i32,
    ) -> Option<Vec<u32>> {
        let shared = u32::try_from(shared).unwrap_or(0);
        if shared == 0 || shared >= members.saturating_sub(1) {
            return None;
        }
        if members > queues {
            // Each has one at least.
            return Some(member.checked_rem(queues).into_iter().collect());
        }
        let sharing = (0..=shared).map(|next| (member + next) % members);
        let mut all: Vec<u32> = sharing
            .flat_map(|of| self.allocate(queues, of, members))
            .collect();
        all.sort_unstable();
        all.dedup();
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_members_get_one_more() {
        let averagely = |member| Allocation::Averagely.allocate(8, member, 3);
        assert_eq!(averagely(0), [0, 1, 2]);
        assert_eq!(averagely(1), [3, 4, 5]);
        assert_eq!(averagely(2), [6, 7]);
        assert_eq!(Allocation::ByCircle.allocate(8, 1, 3), [1, 4, 7]);
        assert!(Allocation::Averagely.allocate(1, 2, 3).is_empty());
    }

    #[test]
    fn members_that_pop_share() {
        let share = |member, shared| Allocation::Averagely.allocate_shared(4, member, 4, shared);
        assert_eq!(share(0, 0), None);
        assert_eq!(share(0, 3), None, "with all others");
        assert_eq!(share(3, 1), Some(vec![0, 3]));
        let few = Allocation::Averagely.allocate_shared(2, 3, 5, 1);
        assert_eq!(few, Some(vec![1]));
    }

    proptest! {
        #[test]
        fn every_queue_is_one_members(queues in 0..40_u32, members in 1..12_u32) {
            for strategy in [Allocation::Averagely, Allocation::ByCircle] {
                let of = |member| strategy.allocate(queues, member, members);
                let mut all: Vec<u32> = (0..members).flat_map(of).collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..queues).collect::<Vec<_>>());
            }
        }
    }
}
