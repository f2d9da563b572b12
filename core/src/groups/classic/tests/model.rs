//! Many members do anything in any order, and what must never happen does not.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Join { actor: usize, id_required: bool },
    Sync { actor: usize },
    Beat { actor: usize },
    Leave { actor: usize },
    Restart { actor: usize },
    Revoke { actor: usize },
    Pass { millis: u64 },
}

/// A client: what it believes of itself from the answers it got.
#[derive(Clone, Debug, Default)]
struct Actor {
    instance: Option<String>,
    member_id: Option<MemberId>,
    generation: i32,
    leader: bool,
    roster: Vec<MemberId>,
    join: Option<Ticket>,
    sync: Option<(Ticket, i32)>,
    owns: u32,
}

struct World {
    stage: Stage,
    actors: Vec<Actor>,
    fresh: u32,
    /// The division the leader brought, by generation.
    divisions: BTreeMap<i32, HashMap<MemberId, Bytes>>,
    /// Who led each generation.
    leaders: BTreeMap<i32, MemberId>,
}

fn step() -> impl Strategy<Value = Step> {
    let actor = 0..6_usize;
    prop_oneof![
        6 => (actor.clone(), any::<bool>())
            .prop_map(|(actor, id_required)| Step::Join { actor, id_required }),
        6 => actor.clone().prop_map(|actor| Step::Sync { actor }),
        4 => actor.clone().prop_map(|actor| Step::Beat { actor }),
        1 => actor.clone().prop_map(|actor| Step::Leave { actor }),
        1 => actor.clone().prop_map(|actor| Step::Restart { actor }),
        1 => actor.prop_map(|actor| Step::Revoke { actor }),
        3 => (0..4_000_u64).prop_map(|millis| Step::Pass { millis }),
        1 => (0..70_000_u64).prop_map(|millis| Step::Pass { millis }),
    ]
}

impl World {
    fn new(delay_ms: u64) -> Self {
        let config = ClassicConfig {
            initial_rebalance_delay_ms: delay_ms,
            ..config()
        };
        let actor = |n: usize| Actor {
            instance: (n < 2).then(|| format!("static-{n}")),
            ..Actor::default()
        };
        Self {
            stage: Stage::new(config),
            actors: (0..6).map(actor).collect(),
            fresh: 0,
            divisions: BTreeMap::new(),
            leaders: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Join { actor, id_required } => self.join(actor, id_required),
            Step::Sync { actor } => self.sync(actor),
            Step::Beat { actor } => self.beat(actor),
            Step::Leave { actor } => self.leave(actor),
            Step::Restart { actor } => {
                let instance = self.actors[actor].instance.clone();
                self.actors[actor] = Actor {
                    instance,
                    ..Actor::default()
                };
            }
            Step::Revoke { actor } => self.actors[actor].owns += 1,
            Step::Pass { millis } => self.stage.pass(millis),
        }
        self.deliver();
        self.check();
    }

    fn join(&mut self, n: usize, id_required: bool) {
        let actor = &self.actors[n];
        let owns = Bytes::from(actor.owns.to_string());
        let wants = JoinRequest {
            member_id: actor.member_id.clone(),
            instance_id: actor.instance.clone(),
            protocols: vec![Protocol {
                name: "range".to_owned(),
                metadata: owns,
            }],
            id_required,
            ..request("")
        };
        self.fresh += 1;
        let ticket = self.stage.join_as(&wants, &format!("m{n}-{}", self.fresh));
        self.actors[n].join = Some(ticket);
        self.actors[n].sync = None;
    }

    fn sync(&mut self, n: usize) {
        let actor = self.actors[n].clone();
        if actor.member_id.is_none() || actor.join.is_some() {
            return;
        }
        let part = |id: &MemberId| Bytes::from(format!("{}:{id}", actor.generation));
        let assignments: HashMap<_, _> = actor
            .roster
            .iter()
            .map(|id| (id.clone(), part(id)))
            .collect();
        if actor.leader
            && self.stage.group.state() == GroupState::CompletingRebalance
            && self.stage.group.generation() == actor.generation
        {
            self.divisions.insert(actor.generation, assignments.clone());
        }
        let ticket = self.stage.sync_as(SyncRequest {
            identity: self.identity(n),
            generation: actor.generation,
            assignments,
            ..SyncRequest::default()
        });
        self.actors[n].sync = Some((ticket, actor.generation));
    }

    fn beat(&mut self, n: usize) {
        let identity = self.identity(n);
        let (generation, now) = (self.actors[n].generation, self.stage.now);
        if self
            .stage
            .group
            .heartbeat(&identity, generation, now)
            .is_ok()
        {
            assert_eq!(
                generation,
                self.stage.group.generation(),
                "one generation at a time"
            );
        }
    }

    fn leave(&mut self, n: usize) {
        let identity = self.identity(n);
        if self.stage.leave(&[identity])[0].is_ok() {
            self.actors[n].member_id = None;
        }
    }

    fn identity(&self, n: usize) -> Identity {
        let actor = &self.actors[n];
        Identity {
            member_id: actor.member_id.clone(),
            instance_id: actor.instance.clone(),
        }
    }

    /// Actors read the answers that have come.
    fn deliver(&mut self) {
        for actor in &mut self.actors {
            if let Some(ticket) = actor.join
                && let Some(answer) = self.stage.joins.get(&ticket)
            {
                actor.join = None;
                match answer {
                    Ok(joined) => {
                        actor.member_id = Some(joined.member_id.clone());
                        actor.generation = joined.generation;
                        actor.leader = joined.leader == joined.member_id && !joined.skip_assignment;
                        actor.roster = joined.members.iter().map(|m| m.id.clone()).collect();
                    }
                    Err(GroupError::MemberIdRequired(id)) => actor.member_id = Some(id.clone()),
                    Err(GroupError::UnknownMember | GroupError::FencedInstance) => {
                        actor.member_id = None;
                    }
                    Err(_) => {}
                }
            }
            if let Some((ticket, generation)) = actor.sync
                && let Some(answer) = self.stage.syncs.get(&ticket)
            {
                actor.sync = None;
                if let (Ok(synced), Some(id)) = (answer, &actor.member_id) {
                    let division = self.divisions.get(&generation).expect("the leader synced");
                    // A restarted static member has its predecessor's part.
                    let own = division.get(id).cloned();
                    let inherits = division.values().any(|part| *part == synced.assignment);
                    let is_right = own.map_or(inherits, |own| own == synced.assignment);
                    assert!(
                        is_right || (actor.instance.is_none() && synced.assignment.is_empty()),
                        "{id} of generation {generation} has {:?}, not the leader's {division:?}",
                        synced.assignment
                    );
                }
            }
        }
    }

    fn check(&mut self) {
        let group = &self.stage.group;
        let state = group.state();
        for (ticket, joined) in &self.stage.joins {
            let Ok(joined) = joined else { continue };
            assert!(
                joined.generation <= group.generation(),
                "{ticket:?} from the future"
            );
            if !joined.members.is_empty() && !joined.skip_assignment {
                let leader = self.leaders.entry(joined.generation);
                let known = leader.or_insert_with(|| joined.leader.clone());
                assert_eq!(*known, joined.leader, "one leader a generation");
            }
        }
        let waits = !self.stage.open.is_empty();
        assert!(
            !waits || group.next_deadline().is_some(),
            "somebody waits and nothing will ever happen: {group:?}"
        );
        if waits {
            assert_ne!(
                state,
                GroupState::Stable,
                "a stable group owes nobody an answer"
            );
            assert_ne!(state, GroupState::Empty, "nor does an empty one");
        }
        let due = group.next_deadline();
        assert!(
            due.is_none_or(|due| due > self.stage.now) || group.is_dead(self.stage.now),
            "a deadline was missed"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn members_in_any_order_keep_the_groups_promises(
        delay_ms in prop_oneof![Just(0_u64), Just(3_000)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(delay_ms);
        for step in &steps {
            world.run(step);
        }
        // Everybody falls silent: every wait ends and the group becomes empty.
        world.stage.pass(2_000_000);
        world.deliver();
        prop_assert!(world.stage.open.is_empty(), "a waiter was lost");
        prop_assert!(world.stage.group.is_deserted());
        prop_assert_eq!(world.stage.group.state(), GroupState::Empty);
    }
}
