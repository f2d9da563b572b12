//! The acceptance list of AMQP 0-9-1: what each step is about, and where RabbitMQ itself does not
//! do what the tests of `tests/compat/amqp_steps` hold a gantry to.

/// Steps by number; a test belongs to the one its name begins with: `step_06_…`.
pub const STEPS: &[(u8, &str)] = &[
    (1, "Protocol headers"),
    (2, "Authentication"),
    (3, "Limits agreed on"),
    (4, "Virtual hosts"),
    (5, "Heartbeats"),
    (6, "Channels opened and closed"),
    (7, "Declaring again"),
    (8, "Names from the server"),
    (9, "Exclusive queues"),
    (10, "Reserved names"),
    (11, "Topic exchanges"),
    (12, "Headers exchanges"),
    (13, "Exchanges bound, alternate, CC and BCC"),
    (14, "What may not be published"),
    (15, "Mandatory messages"),
    (16, "Publisher confirms"),
    (17, "Transactions"),
    (18, "Prefetch"),
    (19, "Acknowledgements"),
    (20, "Consumers cancelled"),
    (21, "Messages requeued"),
    (22, "Messages asked for"),
    (23, "Exclusive and single active consumers"),
    (24, "Priorities and turns of consumers"),
    (25, "Consumers of deleted queues"),
    (26, "Expiring messages and dead letters"),
    (27, "Queues of limited length"),
    (28, "Circles of dead letters"),
    (29, "Delivery limits"),
    (30, "Priorities of messages"),
    (31, "Expiring queues"),
    (32, "Direct reply-to"),
    (33, "Delayed exchanges"),
    (34, "Streams"),
    (35, "Blocked connections"),
    (36, "New secrets"),
    (37, "Policies and limits"),
    (38, "Permissions"),
    (39, "Restarts"),
    (40, "Many queues of one message"),
    (41, "Many queues"),
    (42, "Many channels"),
    (43, "Large and small messages"),
    (44, "Hostile clients"),
];

/// A test that RabbitMQ 3.10.8 would fail.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// The test's name.
    pub test: &'static str,
    /// What RabbitMQ does.
    pub why: &'static str,
}

const NO_PLUGIN: &str = "has delayed exchanges by a plugin only, which is not packaged";

/// All of them, by test.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        test: "step_06_a_method_on_a_channel_that_was_closed_ends_the_connection",
        why: "may still do what comes right behind its close-ok",
    },
    Difference {
        test: "step_14_a_message_beyond_the_limit_is_refused_by_its_header",
        why: "takes the whole body of at most 128 MiB before it judges",
    },
    Difference {
        test: "step_02_what_is_no_authentication_is_closed_with_a_reason",
        why: "closes the stream after three seconds without a word",
    },
    Difference {
        test: "step_03_limits_beyond_the_offer_are_refused_with_a_reason",
        why: "closes the stream after three seconds without a word",
    },
    Difference {
        test: "step_19_a_queue_has_a_patience_of_its_own",
        why: "knows no such argument before 3.12",
    },
    Difference {
        test: "step_23_the_next_consumer_follows_one_that_is_cancelled",
        why: "gives the next consumer nothing, and loses the queue at the next publish",
    },
    Difference {
        test: "step_32_a_mandatory_answer_is_routed",
        why: "sends it back as well, as if it had not been routed",
    },
    Difference {
        test: "step_33_a_message_comes_when_its_delay_is_over",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_what_was_delayed_or_need_not_be_comes_at_once",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_equal_delays_keep_their_order",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_a_delay_of_more_than_32_bits_is_one",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_a_deleted_exchange_delivers_nothing_more",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_routes_are_those_of_its_type_when_it_is_due",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_it_needs_a_type_that_there_is",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_33_what_waits_outlives_a_restart",
        why: NO_PLUGIN,
    },
    Difference {
        test: "step_38_copies_are_of_topics_as_well",
        why: "looks at a message's own key only",
    },
    Difference {
        test: "step_34_other_words_for_an_offset_are_refused_with_a_reason",
        why: "ends the connection with an internal error",
    },
    Difference {
        test: "step_34_what_is_recovered_does_not_come_again",
        why: "ends the connection with an internal error",
    },
    Difference {
        test: "step_34_filters_are_exact",
        why: "has filters from 3.13 on, and of chunks only",
    },
];

/// What RabbitMQ does where a test does not hold for it.
#[must_use]
pub fn difference(test: &str) -> Option<&'static str> {
    let found = DIFFERENCES
        .iter()
        .find(|difference| difference.test == test)?;
    Some(found.why)
}
