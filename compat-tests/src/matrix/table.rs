//! The matrix itself. Whoever needs it hands in a macro: the library makes [`super::ROWS`] of it,
//! the tests make a test of each operation and client, so that a cell that says yes has one.

/// Calls the macro `$each` with every operation: its name, which is also that of its check in
/// `tests/compat/matrix/checks`, its title, the clients of [`super::CLIENTS`] that do it, why the
/// others do not, and where Apache RocketMQ differs from what the check expects.
#[macro_export]
macro_rules! operations {
    ($each:ident) => {
        $each! {
            send_sync { "Send, waiting for the answer"; by java_4, java_5, go, python; }
            send_async { "Send with a callback"; by java_4, java_5, go, python; }
            send_one_way { "Send one-way"; by java_4, java_5, go, python; }
            send_batch {
                "Send a batch"; by java_4, java_5, go;
                not python "the client does not mark its batches as such";
            }
            send_to_queue { "Send to a chosen queue"; by java_4, java_5, go, python; }
            compression { "Bodies compressed by the client"; by java_4, java_5, go, python; }
            push_concurrent {
                "Push consumer, members share the queues"; by java_4, java_5, go, python;
            }
            push_orderly {
                "Push consumer, orderly, with suspension"; by java_4, java_5, go;
                not python "what a listener of the client refuses counts as consumed";
            }
            broadcasting {
                "Push consumer, broadcasting"; by java_4, java_5, go;
                not python "the client's broadcasting members start at the end";
            }
            lite_pull {
                "Lite pull consumer"; by java_4, java_5, go;
                not python "the client has none";
            }
            pull { "Pull consumer"; by java_4, java_5, go, python; }
            tag_filter { "Tag filter"; by java_4, java_5, go, python; }
            sql_filter {
                "SQL92 filter"; by java_4, java_5, go;
                not python "the client has none";
            }
            transactions {
                "Transactions, ended at once and when asked"; by java_4, java_5, go;
                not python "the client has none";
            }
            retry {
                "Retry and dead letters"; by java_4, java_5, go;
                not python "what a listener of the client refuses counts as consumed";
            }
            delay_level { "Delay by level"; by java_4, java_5, go, python; }
            delay_time { "Delay by any time"; by java_4, java_5, go, python; }
            query_key {
                "Query by key"; by java_4, java_5;
                not go "the client has no queries";
                not python "the client has no queries";
            }
            query_id {
                "Query by id, the client's or the broker's"; by java_4, java_5;
                not go "the client has no queries";
                not python "the client has no queries";
            }
            reset_offset {
                "Reset a group to a time"; by java_4, java_5;
                not go "the client has no search by time";
                not python "the client has no search by time";
            }
            trace {
                "Message trace"; by java_4, java_5, go;
                not python "the client has none";
            }
            request_reply {
                "Request and reply"; by java_4, java_5, go;
                not python "the client has none";
            }
        }
    };
}
