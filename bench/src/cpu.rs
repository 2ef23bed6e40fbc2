//! The CPU time that a process has used so far: user and system, all threads. Linux only: the
//! scheduler's own count in nanoseconds, where `/proc/<pid>/stat` counts in hundredths of a second.

use std::time::Duration;
use std::{fs, io};

/// Returns the CPU time of every live thread of `pid`. workerd keeps its threads, so the difference of two
/// readings is what happened in between.
pub(crate) fn used(pid: u32) -> io::Result<Duration> {
    let mut nanos = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        let first = stat.split_whitespace().next();
        let on_cpu = first.and_then(|nanos| nanos.parse::<u64>().ok());
        nanos += on_cpu.ok_or_else(|| io::Error::other("an unreadable schedstat"))?;
    }
    Ok(Duration::from_nanos(nanos))
}
