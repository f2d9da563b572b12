//! What each RocketMQ client does with a gantry: a test of each cell of `compat_tests::matrix`.

mod checks;
mod checks_later;
mod scene;

pub use scene::Producer;

macro_rules! cells {
    ($($name:ident { $title:literal; by $($client:ident),*; $($rest:tt)* })*) => {
        $(mod $name {
            $(#[test]
            fn $client() {
                super::scene::play(stringify!($name), stringify!($client), super::checks::$name);
            })*
        })*
    };
}
compat_tests::operations!(cells);
