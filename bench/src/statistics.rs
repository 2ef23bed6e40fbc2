//! Statistics of noisy figures: medians, and how sure they are.
//!
//! A machine that does other things as well slows every subject down, and some rounds more than others. So a
//! comparison pairs the two figures of each round, and says with the median of their ratios the interval that holds
//! it in about 95 of 100 cases.

use std::fmt;

use testkit::random::Random;

/// The number of draws of a bootstrap. More would move an interval's ends by less than is printed.
const RESAMPLES: usize = 2_000;
/// Every bootstrap draws with this seed, so that the same rows always give the same interval.
const BOOTSTRAP_SEED: u64 = 0x5eed;

/// A median and the interval that holds the true one in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// Estimates by a percentile bootstrap: draws as many values, with replacement, again and again, and takes the
    /// middle 95 % of their medians. Every `group` values in a row have something in common, so it draws groups first,
    /// and then values in each.
    pub(crate) fn of(values: &[f64], group: usize) -> Self {
        let groups: Vec<_> = values.chunks(group.max(1)).collect();
        let mut random = Random::new(BOOTSTRAP_SEED);
        let mut medians: Vec<_> = (0..RESAMPLES)
            .map(|_| {
                let mut resample = Vec::with_capacity(values.len());
                for _ in 0..groups.len() {
                    let drawn = groups[random.below(groups.len())];
                    resample.extend((0..drawn.len()).map(|_| drawn[random.below(drawn.len())]));
                }
                median(&mut resample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(&mut values.to_vec()),
            low: medians[RESAMPLES / 40],
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
        }
    }

    /// Makes an estimate of a figure that was counted, and so has no interval.
    pub(crate) fn exact(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median.abs() < 20.0 { 2 } else { 0 };
        write!(f, "{:.digits$}", self.median)?;
        match self.low < self.high {
            true => write!(f, " ({:.digits$}–{:.digits$})", self.low, self.high),
            false => Ok(()),
        }
    }
}

/// Returns the median, and for an even number of values the mean of the two in the middle. It reorders the values.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(values.len() / 2, f64::total_cmp);
    match odd {
        true => *middle,
        false => below.iter().fold(f64::MIN, |most, value| most.max(*value)).midpoint(*middle),
    }
}
