//! Asking again and again until there is an answer, within bounds.

use std::thread;
use std::time::{Duration, Instant};

/// Between two askings. Nothing depends on it: it leaves the machine to those who are asked.
const PAUSE: Duration = Duration::from_millis(50);

/// Calls `ask` until it returns a value; after `limit` the test fails with the last error.
#[track_caller]
pub fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + limit;
    loop {
        match ask() {
            Ok(found) => return found,
            Err(said) => assert!(Instant::now() < end, "in vain: {said}"),
        }
        thread::sleep(PAUSE);
    }
}
