//! Class 90: transactions of one channel.

use super::methods;

methods! {
    Select = 90 10 {}
    SelectOk = 90 11 {}
    Commit = 90 20 {}
    CommitOk = 90 21 {}
    Rollback = 90 30 {}
    RollbackOk = 90 31 {}
}
