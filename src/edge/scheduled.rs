//! The daily look at every token's age.

use wasm_bindgen::JsValue;
use worker::{Env, ScheduleContext, ScheduledEvent, event};

use crate::audit::Alarm;
use crate::rotation::{self, Level, Probe, Probed};

use super::{convert, gate, glue};

/// Longest wait for a probe's answer, in milliseconds.
const PROBE_TIMEOUT_MS: u32 = 10_000;

/// Sends the probes, then writes one line per token.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _ctx: ScheduleContext) {
    let config = match gate(&JsValue::from(env)).config() {
        Ok(config) => config,
        Err(error) => return glue::error(&Alarm::from(error).line()),
    };
    let mut probed = Vec::new();
    for probe in rotation::probes(config) {
        // An upstream that cannot be reached says nothing of the token.
        probed.extend(send(&probe).await.map(|found| (probe.secret, found)));
    }
    for report in rotation::reports(config, &probed, convert::now()) {
        let line = report.line();
        match report.level {
            Level::Info => glue::log(&line),
            Level::Warn => glue::warn(&line),
            Level::Error => glue::error(&line),
        }
    }
}

async fn send(probe: &Probe<'_>) -> Option<Probed> {
    let credential = probe.route.credential.as_ref()?;
    let plan = convert::probe(&probe.url, PROBE_TIMEOUT_MS, credential);
    let answer = glue::probe(&plan).await.ok()?.as_string()?;
    let (status, body) = answer.split_once('\n')?;
    Some(probe.read(status.parse().ok()?, body.as_bytes()))
}
