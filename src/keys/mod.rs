//! API keys belong here: their records, ids and derived secrets, and this isolate's memory of the
//! registry.
//!
//! A caller's credential does not (see `credential`), nor the API that changes records (`admin`).

mod derived_key;
mod id;
mod quota;
mod record;
pub mod registry;

pub use derived_key::*;
pub use id::{KeyId, begins_like_secret};
pub(crate) use id::{SECRET_ID_HINT, is_id};
pub use quota::{Period, Quota};
pub use record::*;
