//! Why a group request is refused, in Kafka's codes.
#![deny(clippy::wildcard_enum_match_arm)]

use gantry_core::groups::classic::GroupError;
use gantry_core::model::GroupName;
use kafka_protocol::ResponseError;

/// The code that answers `error`.
pub(super) fn code(error: &GroupError) -> i16 {
    let known = match error {
        GroupError::UnknownMember => ResponseError::UnknownMemberId,
        GroupError::FencedInstance => ResponseError::FencedInstanceId,
        GroupError::IllegalGeneration => ResponseError::IllegalGeneration,
        GroupError::RebalanceInProgress => ResponseError::RebalanceInProgress,
        GroupError::InconsistentProtocol => ResponseError::InconsistentGroupProtocol,
        GroupError::MemberIdRequired(_) => ResponseError::MemberIdRequired,
        GroupError::InvalidSessionTimeout => ResponseError::InvalidSessionTimeout,
        GroupError::MemberTooLarge => ResponseError::InvalidRequest,
        GroupError::GroupFull => ResponseError::GroupMaxSizeReached,
        GroupError::TooManyGroups | GroupError::Stopped => ResponseError::CoordinatorNotAvailable,
        GroupError::GroupNotEmpty => ResponseError::NonEmptyGroup,
    };
    known.code()
}

/// The group of that name; the error is the code for a name no group can have.
pub(super) fn group_name(name: &str) -> Result<GroupName, i16> {
    GroupName::new(name).map_err(|_| ResponseError::InvalidGroupId.code())
}
