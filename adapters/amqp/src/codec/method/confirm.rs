//! Class 85, RabbitMQ's: publisher confirms.

use super::methods;

methods! {
    Select = 85 10 {
        no_wait: bool,
    }
    SelectOk = 85 11 {}
}
