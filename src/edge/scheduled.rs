//! The daily check of every token's age.

use wasm_bindgen::prelude::*;

use crate::problem::Alarm;
use crate::telemetry::token_age::{self, Level, Probe, ProbeResult};

use super::handlers::gate;
use super::platform::JsPlatform;
use super::task::{JsTask, PromiseSlot};
use super::{clock, glue, wire};

/// Longest wait for the response to a probe, in milliseconds.
const PROBE_TIMEOUT_MS: u32 = 10_000;

/// Sends the probes, then writes one line per token. Returns a promise, or null if nothing had to be
/// awaited.
#[wasm_bindgen]
pub fn scheduled(_event: JsValue, env: JsValue, ctx: JsValue) -> JsValue {
    let slot = PromiseSlot::default();
    let check = Box::pin(check_tokens(env, slot.clone()));
    match JsTask::begin(check, slot) {
        Ok(value) => value,
        Err(task) => glue::run_task(task, &ctx),
    }
}

async fn check_tokens(env: JsValue, slot: PromiseSlot) -> JsValue {
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
        // An upstream that cannot be reached tells nothing about the token.
        probed.extend(send(&probe, &slot).await.map(|result| (probe.secret, result)));
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
