//! Heartbeats and commits: what a member may do by its place in the group.

use super::group::{Group, Phase};
use super::messages::{GroupError, Identity};
use crate::model::Timestamp;

impl Group {
    /// A member is alive.
    ///
    /// # Errors
    /// The member is not of this generation, or has to join again (its session is renewed then).
    pub fn heartbeat(
        &mut self,
        identity: &Identity,
        generation: i32,
        now: Timestamp,
    ) -> Result<(), GroupError> {
        let id = self.identify(identity)?;
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if let Some(member) = self.members.get_mut(&id)
            && !member.is_new
        {
            member.renew(now);
        }
        match self.phase {
            Phase::Stable | Phase::Completing => Ok(()),
            Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
            Phase::Empty { .. } => Err(GroupError::UnknownMember),
        }
    }

    /// Whether progress may be committed. A negative generation without ids is one who is no
    /// member, and may only while nobody is.
    ///
    /// # Errors
    /// Why not.
    pub fn may_commit(
        &mut self,
        identity: &Identity,
        generation: i32,
        now: Timestamp,
    ) -> Result<(), GroupError> {
        let is_empty = matches!(self.phase, Phase::Empty { .. });
        if generation < 0 && is_empty {
            return Ok(());
        }
        let id = self.identify(identity)?;
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        if self.phase == Phase::Completing {
            return Err(GroupError::RebalanceInProgress);
        }
        if let Some(member) = self.members.get_mut(&id)
            && !member.is_new
        {
            member.renew(now);
        }
        Ok(())
    }
}
