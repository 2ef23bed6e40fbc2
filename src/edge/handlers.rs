//! The handlers that the platform calls.
//!
//! `fetch` is exported directly and not through `#[event(fetch)]`: its future is polled once, at once, and only one that
//! has to wait becomes a promise ([`super::task`]). A refusal is returned as it is, and a forwarding is the promise that
//! JavaScript makes.

use std::cell::{OnceCell, RefCell};

use wasm_bindgen::prelude::*;
// Linked for its panic hook, which tells `entry.js` that a new memory is due.
use worker as _;

use crate::cache::CacheEntry;
use crate::gateway::exchange::Exchange;
use crate::gateway::forward::Outbound;
use crate::gateway::{Decision, Gate};
use crate::problem::Alarm;

use super::environment::JsEnvironment;
use super::exchange::JsExchange;
use super::flush::FlushBy;
use super::platform::JsPlatform;
use super::task::{JsTask, PromiseSlot};
use super::{clock, glue, wire};

/// The status of every answer that is remembered.
const STATUS_OK: u16 = 200;

thread_local! {
    /// The gate of this isolate: its configuration is parsed once and stays.
    static GATE: OnceCell<&'static Gate> = const { OnceCell::new() };
}

/// The isolate's gate. A configuration that does not parse is logged here, once.
pub(super) fn gate(env: &JsValue) -> &'static Gate {
    GATE.with(|cell| {
        *cell.get_or_init(|| {
            let gate: &'static Gate = Box::leak(Box::new(Gate::new(&JsEnvironment(env))));
            if let Err(error) = gate.config() {
                glue::error(&Alarm::from(error).line(None));
            }
            gate
        })
    })
}

/// Logs each panic's message and place, and gives up what belongs to other requests: the next one begins with a new
/// memory, which `entry.js` makes after `worker`'s own hook has asked for it.
#[wasm_bindgen(start)]
pub fn start() {
    // Whichever of the two hooks is set first, the other calls it.
    let worker_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        worker_hook(info);
        glue::panicked();
    }));
}

/// Answers one request: a `Response`, or the promise of one.
#[wasm_bindgen]
pub fn fetch(request: JsValue, env: JsValue, ctx: JsValue) -> JsValue {
    let (slot, task_ctx) = (PromiseSlot::default(), ctx.clone());
    let answer = Box::pin(answer(request, env, ctx, slot.clone()));
    match JsTask::begin(answer, slot) {
        Ok(response) => response,
        Err(task) => glue::run_task(task, &task_ctx),
    }
}

/// Room for most requests without their bodies, in bytes.
const ROOM: usize = 16 * 1024;

thread_local! {
    /// Where JavaScript writes a request, in one crossing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// Returns the request as a message ([`wire::request`]).
fn described(request: &JsValue) -> String {
    BUFFER.with_borrow_mut(|buffer| {
        let mut written = glue::write_request(request, buffer);
        if let Ok(room) = usize::try_from(written.saturating_neg())
            && room > buffer.len()
        {
            buffer.resize(room, 0);
            written = glue::write_request(request, buffer);
        }
        let length = usize::try_from(written).unwrap_or_default();
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        buffer.truncate(ROOM);
        text
    })
}

async fn answer(request: JsValue, env: JsValue, ctx: JsValue, slot: PromiseSlot) -> JsValue {
    let described = described(&request);
    let Some((raw, context)) = wire::request(&described, clock::now()) else {
        // Only a change of the JavaScript beside this file could bring us here.
        return JsValue::from(js_sys::Error::new("writegate: the request was not described"));
    };
    #[cfg(feature = "panic-probe")]
    let probe = raw
        .headers
        .iter()
        .find(|(name, _)| *name == "x-writegate-panic")
        .map(|(_, value)| (*value).to_owned());
    #[cfg(feature = "panic-probe")]
    panic_if(probe.as_deref() == Some("early"));
    #[cfg(feature = "panic-probe")]
    if probe.as_deref() == Some("trap") {
        core::arch::wasm32::unreachable();
    }
    let platform = JsPlatform::new(&request, &env, slot);
    let gate = gate(&env);
    let decision = gate.decide(raw, context, &platform).await;
    #[cfg(feature = "panic-probe")]
    panic_if(probe.as_deref() == Some("late"));
    let flush = FlushBy { usage: gate.usage(), env: env.clone(), ctx: ctx.clone() };
    match decision {
        Decision::Respond(answer) => {
            flush.if_due(clock::now());
            glue::respond(&wire::response(&answer))
        }
        Decision::Forward(outbound, mut exchange) => {
            if let Some(response) = from_memory(&outbound, &mut exchange) {
                flush.if_due(clock::now());
                return response;
            }
            let plan = wire::plan(&outbound, exchange.timeout_ms());
            let exchange = JsExchange::new(exchange, flush);
            let body = platform.take_body(outbound.body);
            glue::forward(&request, &plan, exchange, &ctx, &body)
        }
    }
}

/// The answer, if this isolate served it a moment ago and it may be served again.
fn from_memory(outbound: &Outbound<'_>, exchange: &mut Exchange<'_>) -> Option<JsValue> {
    let lookup = outbound.cache.as_ref();
    let lookup = lookup.filter(|lookup| !lookup.conditions.ask_range())?;
    let headers = glue::recall(&lookup.name)?;
    let headers = wire::headers(&headers);
    let found = CacheEntry { headers: &headers, purged: None };
    let step = exchange.found(STATUS_OK, found, clock::now())?;
    Some(glue::serve(&lookup.name, outbound.is_head, &wire::step(&step)))
}

#[cfg(feature = "panic-probe")]
#[expect(clippy::panic, reason = "what this feature is for")]
fn panic_if(asked: bool) {
    if asked {
        panic!("asked to by the panic-probe feature");
    }
}
