//! The daily check of every token's age.

use js_sys::Array;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;

use crate::problem::Alarm;
use crate::telemetry::token_age::{self, Level, Probe};

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
    let probes: Vec<_> = token_age::probes(config, &tokens).collect();
    let answers = send(&probes, &slot).await.unwrap_or_default();
    let mut probed = Vec::new();
    for (probe, answer) in probes.iter().zip(answers) {
        // An upstream that cannot be reached tells nothing about the token.
        if let Some((status, body)) = answer.as_string().as_deref().and_then(wire::probed) {
            probed.push((probe.secret, probe.read(status, body.as_bytes())));
        }
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

/// Sends the probes, and returns their answers in the same order.
async fn send(probes: &[Probe<'_>], slot: &PromiseSlot) -> Option<Array> {
    let plan = |probe: &Probe<'_>| {
        JsValue::from_str(&wire::probe(&probe.url, PROBE_TIMEOUT_MS, probe.credential.headers()))
    };
    let plans: Array = probes.iter().map(plan).collect();
    slot.wait(glue::probe(plans)).await.ok()?.dyn_into().ok()
}
