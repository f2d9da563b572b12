//! Methods: what is asked and answered, a module a class. Fields that the protocol has given up
//! are kept, so that what is read can be written again.

#![allow(
    missing_docs,
    reason = "methods and their fields are called what the specification calls them"
)]

pub mod access;
pub mod basic;
pub mod channel;
pub mod confirm;
pub mod connection;
mod direction;
pub mod exchange;
pub mod queue;
pub mod tx;

pub use direction::{ClientMethod, ServerMethod};

use super::arguments::{Fault, Reader, Writer};

/// A method's class and its number in the class; closes name the method they are about so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodId {
    /// The class: 60 is `basic`.
    pub class: u16,
    /// The method of the class: 40 of 60 is `basic.publish`.
    pub method: u16,
}

impl MethodId {
    /// No method: 0/0.
    pub const NONE: Self = Self::new(0, 0);

    /// The method `method` of the class `class`.
    #[must_use]
    pub const fn new(class: u16, method: u16) -> Self {
        Self { class, method }
    }
}

/// One method.
pub(super) trait Method: Sized {
    const ID: MethodId;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault>;
    fn write(&self, writer: &mut Writer<'_>);
}

/// Structs of methods from lines like the specification's.
macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        $name:ident = $class:literal $id:literal {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::codec::method::Method for $name {
            const ID: $crate::codec::MethodId = $crate::codec::MethodId::new($class, $id);

            fn read(
                reader: &mut $crate::codec::arguments::Reader<'_>,
            ) -> Result<Self, $crate::codec::arguments::Fault> {
                let _ = &reader;
                Ok(Self {
                    $($field: $crate::codec::arguments::Argument::read(reader)?,)*
                })
            }

            fn write(&self, writer: &mut $crate::codec::arguments::Writer<'_>) {
                let _ = &writer;
                $($crate::codec::arguments::Argument::write(&self.$field, writer);)*
            }
        }
    )*};
}
pub(in crate::codec) use methods;
