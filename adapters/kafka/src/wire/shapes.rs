//! The bodies of the requests that `kafka-protocol` decodes, after Kafka's message schemas.

use super::shape::Kind::{Array, Blob, Fixed, Struct, Text};
use super::shape::{Field, Kind, Shape, always, between, since, until};

const BOOL: Kind = Fixed(1);
const I8: Kind = Fixed(1);
const I16: Kind = Fixed(2);
const I32: Kind = Fixed(4);
const I64: Kind = Fixed(8);
const UUID: Kind = Fixed(16);

const fn shape(flexible_from: i16, fields: &'static [Field]) -> Shape {
    Shape {
        flexible_from,
        fields,
    }
}

/// Key 2.
pub(crate) const LIST_OFFSETS: Shape = shape(
    6,
    &[
        always(I32),
        since(2, I8),
        always(Array(&Struct(&[
            always(Text),
            always(Array(&Struct(&[always(I32), since(4, I32), always(I64)]))),
        ]))),
        since(10, I32),
    ],
);

/// Key 3.
pub(crate) const METADATA: Shape = shape(
    9,
    &[
        always(Array(&Struct(&[since(10, UUID), always(Text)]))),
        since(4, BOOL),
        between(8, 10, BOOL),
        since(8, BOOL),
    ],
);

/// Key 8.
pub(crate) const OFFSET_COMMIT: Shape = shape(
    8,
    &[
        always(Text),
        always(I32),
        always(Text),
        since(7, Text),
        until(4, I64),
        always(Array(&Struct(&[
            always(Text),
            always(Array(&Struct(&[
                always(I32),
                always(I64),
                since(6, I32),
                always(Text),
            ]))),
        ]))),
    ],
);

/// Key 9.
pub(crate) const OFFSET_FETCH: Shape = shape(
    6,
    &[
        until(7, Text),
        until(7, Array(&Struct(&[always(Text), always(Array(&I32))]))),
        since(
            8,
            Array(&Struct(&[
                always(Text),
                since(9, Text),
                since(9, I32),
                always(Array(&Struct(&[always(Text), always(Array(&I32))]))),
            ])),
        ),
        since(7, BOOL),
    ],
);

/// Key 10.
pub(crate) const FIND_COORDINATOR: Shape =
    shape(3, &[until(3, Text), since(1, I8), since(4, Array(&Text))]);

/// Key 11.
pub(crate) const JOIN_GROUP: Shape = shape(
    6,
    &[
        always(Text),
        always(I32),
        since(1, I32),
        always(Text),
        since(5, Text),
        always(Text),
        always(Array(&Struct(&[always(Text), always(Blob)]))),
        since(8, Text),
    ],
);

/// Key 12.
pub(crate) const HEARTBEAT: Shape = shape(
    4,
    &[always(Text), always(I32), always(Text), since(3, Text)],
);

/// Key 13.
pub(crate) const LEAVE_GROUP: Shape = shape(
    4,
    &[
        always(Text),
        until(2, Text),
        since(
            3,
            Array(&Struct(&[always(Text), always(Text), since(5, Text)])),
        ),
    ],
);

/// Key 14.
pub(crate) const SYNC_GROUP: Shape = shape(
    4,
    &[
        always(Text),
        always(I32),
        always(Text),
        since(3, Text),
        since(5, Text),
        since(5, Text),
        always(Array(&Struct(&[always(Text), always(Blob)]))),
    ],
);

/// Key 15.
pub(crate) const DESCRIBE_GROUPS: Shape = shape(5, &[always(Array(&Text)), since(3, BOOL)]);

/// Key 16.
pub(crate) const LIST_GROUPS: Shape = shape(3, &[since(4, Array(&Text)), since(5, Array(&Text))]);

/// Key 18.
pub(crate) const API_VERSIONS: Shape = shape(3, &[since(3, Text), since(3, Text)]);

/// Key 19.
pub(crate) const CREATE_TOPICS: Shape = shape(
    5,
    &[
        always(Array(&Struct(&[
            always(Text),
            always(I32),
            always(I16),
            always(Array(&Struct(&[always(I32), always(Array(&I32))]))),
            always(Array(&Struct(&[always(Text), always(Text)]))),
        ]))),
        always(I32),
        always(BOOL),
    ],
);

/// Key 20.
pub(crate) const DELETE_TOPICS: Shape = shape(
    4,
    &[
        since(6, Array(&Struct(&[always(Text), always(UUID)]))),
        until(5, Array(&Text)),
        always(I32),
    ],
);

/// Key 21.
pub(crate) const DELETE_RECORDS: Shape = shape(
    2,
    &[
        always(Array(&Struct(&[
            always(Text),
            always(Array(&Struct(&[always(I32), always(I64)]))),
        ]))),
        always(I32),
    ],
);

/// Key 22.
pub(crate) const INIT_PRODUCER_ID: Shape = shape(
    2,
    &[always(Text), always(I32), since(3, I64), since(3, I16)],
);

/// Key 23.
pub(crate) const OFFSET_FOR_LEADER_EPOCH: Shape = shape(
    4,
    &[
        since(3, I32),
        always(Array(&Struct(&[
            always(Text),
            always(Array(&Struct(&[always(I32), always(I32), always(I32)]))),
        ]))),
    ],
);

/// Key 32.
pub(crate) const DESCRIBE_CONFIGS: Shape = shape(
    4,
    &[
        always(Array(&Struct(&[
            always(I8),
            always(Text),
            always(Array(&Text)),
        ]))),
        always(BOOL),
        since(3, BOOL),
    ],
);

/// Key 33.
pub(crate) const ALTER_CONFIGS: Shape = shape(
    2,
    &[
        always(Array(&Struct(&[
            always(I8),
            always(Text),
            always(Array(&Struct(&[always(Text), always(Text)]))),
        ]))),
        always(BOOL),
    ],
);

/// Key 37.
pub(crate) const CREATE_PARTITIONS: Shape = shape(
    2,
    &[
        always(Array(&Struct(&[
            always(Text),
            always(I32),
            always(Array(&Struct(&[always(Array(&I32))]))),
        ]))),
        always(I32),
        always(BOOL),
    ],
);

/// Key 42.
pub(crate) const DELETE_GROUPS: Shape = shape(2, &[always(Array(&Text))]);

/// Key 44.
pub(crate) const INCREMENTAL_ALTER_CONFIGS: Shape = shape(
    1,
    &[
        always(Array(&Struct(&[
            always(I8),
            always(Text),
            always(Array(&Struct(&[always(Text), always(I8), always(Text)]))),
        ]))),
        always(BOOL),
    ],
);

/// Key 60.
pub(crate) const DESCRIBE_CLUSTER: Shape = shape(0, &[always(BOOL), since(1, I8), since(2, BOOL)]);
