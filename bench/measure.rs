//! Rounds and what follows from them: in every round each subject gets the same number of requests,
//! one subject after the other, so that whatever else the machine does meets all of them alike.

use std::io;
use std::net::SocketAddr;

use super::cpu;
use super::load::Callers;

/// Requests on every new connection before the clock starts.
const SETTLE: usize = 4;

/// One worker under one kind of request.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) requests: Vec<Vec<u8>>,
    pub(crate) connections: usize,
    pub(crate) status: u16,
}

impl Subject {
    /// Opens the connections.
    pub(crate) fn callers(&self) -> io::Result<Callers<'_>> {
        Callers::connect(self.address, &self.requests, self.connections, self.status)
    }

    /// Sends `count` requests or a few more, for the runtime's compilers to settle.
    pub(crate) fn warm_up(&self, count: usize) -> io::Result<()> {
        self.callers()?.send(self.each(count)).map(drop)
    }

    /// CPU time of `pid` per request, in microseconds, over `count` requests or a few more.
    pub(crate) fn measure(&self, pid: u32, count: usize) -> io::Result<f64> {
        let callers = self.callers()?;
        callers.send(SETTLE)?;
        let each = self.each(count);
        let before = cpu::used(pid)?;
        callers.send(each)?;
        let used = cpu::used(pid)?.saturating_sub(before);
        Ok(used.as_secs_f64() * 1e6 / (each * self.connections) as f64)
    }

    fn each(&self, count: usize) -> usize {
        count.div_ceil(self.connections.max(1))
    }
}

/// The median; of an even number of values, the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    match (values.get(lower), values.get(upper)) {
        (Some(lower), Some(upper)) => (lower + upper) / 2.0,
        _ => f64::NAN,
    }
}
