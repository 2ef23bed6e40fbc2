//! API keys: their records, ids and derived secrets, and what the isolate remembers of the registry.
//!
//! What a caller presents is in `credential`; the API that changes records is in `admin`.

mod derived;
mod id;
mod quota;
mod record;
pub mod registry;

pub use derived::*;
pub use id::KeyId;
pub(crate) use id::is_id;
pub use quota::{Period, Quota};
pub use record::*;
