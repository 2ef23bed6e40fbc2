//! The Worker: what the platform calls, and how it is told what the core decided. No decisions
//! here.
//!
//! `fetch` is exported as it is and not through `#[event(fetch)]`: its future is asked once, here and
//! now, and only one that has to wait for something becomes a promise ([`work`]). A refusal is returned
//! as it is, and the promise of a forwarding as it comes from JavaScript.

mod bindings;
mod convert;
mod environment;
mod exchange;
mod flush;
mod glue;
mod platform;
mod scheduled;
mod work;

use std::cell::{OnceCell, RefCell};

use wasm_bindgen::prelude::*;
// Linked for its panic hook and what worker-build expects of it.
use worker as _;

use crate::cache::CacheEntry;
use crate::gateway::exchange::Exchange;
use crate::gateway::forward::Outbound;
use crate::gateway::{Decision, Gate};
use crate::problem::Alarm;

use environment::JsEnvironment;
use exchange::JsExchange;
use flush::FlushBy;
use platform::JsPlatform;
use work::{JsWork, PromiseSlot};

/// The status of every answer that is remembered.
const STATUS_OK: u16 = 200;

thread_local! {
    /// The gate of this isolate: its configuration is parsed once and stays.
    static GATE: OnceCell<&'static Gate> = const { OnceCell::new() };
}

/// The isolate's gate. A configuration that does not parse is logged here, once.
fn gate(env: &JsValue) -> &'static Gate {
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

/// After a panic, wherever it came, the next request begins with a new memory (`worker` sees to that
/// and to the line in the log), and what belongs to the old one is not touched again.
#[wasm_bindgen(start)]
pub fn start() {
    // Whichever of the two hooks is set first, the other calls it.
    let worker_s = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        worker_s(info);
        glue::panicked();
    }));
}

/// Answers one request: a `Response`, or the promise of one.
#[wasm_bindgen]
pub fn fetch(request: JsValue, env: JsValue, ctx: JsValue) -> JsValue {
    let (slot, alive) = (PromiseSlot::default(), ctx.clone());
    let answer = Box::pin(answer(request, env, ctx, slot.clone()));
    match JsWork::begin(answer, slot) {
        Ok(response) => response,
        Err(work) => glue::drive(work, &alive),
    }
}

/// Room for most requests without their bodies, in bytes.
const ROOM: usize = 16 * 1024;

thread_local! {
    /// Where JavaScript writes a request, in one crossing.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; ROOM]);
}

/// The request in lines: see [`convert::arrival`].
fn described(request: &JsValue) -> String {
    BUFFER.with_borrow_mut(|buffer| {
        let mut written = glue::describe(request, buffer);
        if let Ok(room) = usize::try_from(written.saturating_neg())
            && room > buffer.len()
        {
            buffer.resize(room, 0);
            written = glue::describe(request, buffer);
        }
        let length = usize::try_from(written).unwrap_or_default();
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        buffer.truncate(ROOM);
        text
    })
}

async fn answer(request: JsValue, env: JsValue, ctx: JsValue, slot: PromiseSlot) -> JsValue {
    let described = described(&request);
    let Some((raw, context)) = convert::arrival(&described) else {
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
            flush.if_due(convert::now());
            glue::answer(&convert::answer(&answer))
        }
        Decision::Forward(outbound, mut exchange) => {
            if let Some(response) = from_memory(&outbound, &mut exchange) {
                flush.if_due(convert::now());
                return response;
            }
            let plan = convert::outbound(&outbound, exchange.timeout_ms());
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
    let headers = convert::pairs(headers.split('\n'));
    let found = CacheEntry { headers: &headers, purged: None };
    let step = exchange.found(STATUS_OK, found, convert::now())?;
    Some(glue::serve(&lookup.name, outbound.is_head, &convert::step(&step)))
}

#[cfg(feature = "panic-probe")]
#[expect(clippy::panic, reason = "what this feature is for")]
fn panic_if(asked: bool) {
    if asked {
        panic!("asked to by the panic-probe feature");
    }
}
