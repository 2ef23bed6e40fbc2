//! The daily look at every token's age.

use wasm_bindgen::prelude::*;

use crate::problem::Alarm;
use crate::telemetry::token_age::{self, Level, Probe, ProbeResult};

use super::handlers::gate;
use super::platform::JsPlatform;
use super::task::{JsTask, PromiseSlot};
use super::{clock, glue, wire};

/// Longest wait for a probe's answer, in milliseconds.
const PROBE_TIMEOUT_MS: u32 = 10_000;

/// Sends the probes, then writes one line per token: a promise, or nothing where nothing had to be waited for.
#[wasm_bindgen]
pub fn scheduled(_event: JsValue, env: JsValue, ctx: JsValue) -> JsValue {
    let slot = PromiseSlot::default();
    let looking = Box::pin(look(env, slot.clone()));
    match JsTask::begin(looking, slot) {
        Ok(done) => done,
        Err(task) => glue::run_task(task, &ctx),
    }
}

async fn look(env: JsValue, slot: PromiseSlot) -> JsValue {
    let gate = gate(&env);
    let config = match gate.config() {
        Ok(config) => config,
        Err(error) => {
            glue::error(&Alarm::from(error).line(None));
            return JsValue::NULL;
        }
    };
    let no_request = JsValue::UNDEFINED;
    let platform = JsPlatform::new(&no_request, &env, slot.clone());
    let tokens = gate.tokens(config, &platform, clock::now()).await;
    let mut probed = Vec::new();
    for probe in token_age::probes(config, &tokens) {
        // An upstream that cannot be reached says nothing of the token.
        probed.extend(send(&probe, &slot).await.map(|found| (probe.secret, found)));
    }
    for report in token_age::reports(config, &tokens, &probed, clock::now()) {
        let line = report.line();
        match report.level {
            Level::Info => glue::log(&line),
            Level::Warn => glue::warn(&line),
            Level::Error => glue::error(&line),
        }
    }
    JsValue::NULL
}

async fn send(probe: &Probe<'_>, slot: &PromiseSlot) -> Option<ProbeResult> {
    let plan = wire::probe(&probe.url, PROBE_TIMEOUT_MS, probe.credential.headers());
    let answer = slot.wait(glue::probe(&plan)).await.ok()?.as_string()?;
    let (status, body) = wire::probed(&answer)?;
    Some(probe.read(status, body.as_bytes()))
}
