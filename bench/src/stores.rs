//! KV and the Cache API as workerd talks to them, in the benchmark's own process, so that their work does
//! not count as the gate's.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use testkit::upstream::{Reply, Seen, Upstream};

/// The number of answers that the cache holds at once.
const MOST_KEPT: usize = 100;

/// The services, and how often KV was read.
pub(crate) struct Stores {
    pub(crate) kv: u16,
    pub(crate) cache: u16,
    reads: Arc<AtomicU64>,
}

impl Stores {
    /// Returns a KV that has a record `key/<id>` for every id, and an empty cache.
    pub(crate) fn start() -> io::Result<Self> {
        let reads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reads);
        let kv = Upstream::keeping_newest(move |seen, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            record(&seen.target)
        })?;
        let kept = Mutex::new(BTreeMap::new());
        let cache = Upstream::keeping_newest(move |seen, _| keep(&kept, seen))?;
        Ok(Self { kv: kv.port, cache: cache.port, reads })
    }

    /// Returns the number of reads of KV since this was last called.
    pub(crate) fn take_reads(&self) -> u64 {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

/// Returns the record of `GET /key%2F<id>?…`: a customer of an image API.
fn record(target: &str) -> Reply {
    let id = target.split("%2F").nth(1).and_then(|rest| rest.split('?').next());
    let id = id.unwrap_or_default();
    Reply::ok(&format!(
        r#"{{"id":"{id}","name":"Customer","schemes":["session","public-key"],"paths":["/pictures/*"],"allowed_origins":["https://www.example.com","https://*.example.com"]}}"#
    ))
}

fn keep(kept: &Mutex<BTreeMap<String, Reply>>, seen: &Seen) -> Reply {
    let miss = || Reply::new(504).reason("Gateway Timeout").header("CF-Cache-Status", "MISS");
    let Ok(mut kept) = kept.lock() else {
        return miss();
    };
    match seen.method.as_str() {
        "PUT" => {
            // A benchmark of misses would fill the memory.
            if kept.len() >= MOST_KEPT {
                kept.clear();
            }
            kept.insert(seen.target.clone(), Reply::raw(with_hit(&seen.body)));
            Reply::new(204).reason("No Content")
        }
        _ => kept.get(&seen.target).cloned().unwrap_or_else(miss),
    }
}

/// Returns the answer that was sent to be kept, and that it was found.
fn with_hit(message: &[u8]) -> Vec<u8> {
    let end = message.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let (line, rest) = message.split_at(end);
    [line, b"CF-Cache-Status: HIT\r\n", rest].concat()
}
