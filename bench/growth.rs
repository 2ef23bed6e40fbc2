//! How the cost of a request grows with what it brings and with what is configured.
use super::{Result, goals::Report, subjects::Bench};
pub(crate) fn run(_: &Bench<'_>, _: &mut Report) -> Result<()> {
    Ok(())
}
