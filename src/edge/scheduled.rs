//! The daily look at every token's age.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{Env, ScheduleContext, ScheduledEvent, event};

use crate::audit::Alarm;
use crate::platform::{SecretsStore, Silent};
use crate::rotation::{self, Level, Probe, Probed};
use crate::secret::Secret;

use super::{bindings, convert, gate, glue};

/// Longest wait for a probe's answer, in milliseconds.
const PROBE_TIMEOUT_MS: u32 = 10_000;

/// Sends the probes, then writes one line per token.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _ctx: ScheduleContext) {
    let env = JsValue::from(env);
    let gate = gate(&env);
    let config = match gate.config() {
        Ok(config) => config,
        Err(error) => return glue::error(&Alarm::from(error).line()),
    };
    let tokens = gate.tokens(config, &Store(&env), convert::now()).await;
    let mut probed = Vec::new();
    for probe in rotation::probes(config, &tokens) {
        // An upstream that cannot be reached says nothing of the token.
        probed.extend(send(&probe).await.map(|found| (probe.secret, found)));
    }
    for report in rotation::reports(config, &tokens, &probed, convert::now()) {
        let line = report.line();
        match report.level {
            Level::Info => glue::log(&line),
            Level::Warn => glue::warn(&line),
            Level::Error => glue::error(&line),
        }
    }
}

async fn send(probe: &Probe<'_>) -> Option<Probed> {
    let plan = convert::probe(&probe.url, PROBE_TIMEOUT_MS, &probe.credential);
    let answer = glue::probe(&plan).await.ok()?.as_string()?;
    let (status, body) = answer.split_once('\n')?;
    Some(probe.read(status.parse().ok()?, body.as_bytes()))
}

/// The Secrets Stores, asked without a request.
struct Store<'e>(&'e JsValue);

impl SecretsStore for Store<'_> {
    async fn secret(&self, name: &str) -> Result<Secret, Silent> {
        let asked = JsFuture::from(Promise::resolve(&bindings::secret(self.0, name)));
        let value = asked.await.map_err(|_silent| Silent)?;
        value.as_string().map(Secret::new).ok_or(Silent)
    }
}
