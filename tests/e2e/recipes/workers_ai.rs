//! Workers AI, by OpenAI's own client.

use serde_json::{Value, json};
use testkit::upstream::{Latch, PATIENCE, Reply, Seen, Upstream};

use super::{Recipe, result};

const AI: &str = "/client/v4/accounts/0123456789abcdef0123456789abcdef/ai";

/// Returns a line of a streamed completion.
fn chunk(content: &str) -> Vec<u8> {
    let delta = json!({"index": 0, "delta": {"content": content}, "finish_reason": null});
    let whole = json!({"id": "c", "object": "chat.completion.chunk", "choices": [delta]});
    format!("data: {whole}\n\n").into_bytes()
}

/// Returns the answers of Workers AI, as far as these tests ask it. The second half of a stream waits for the latch.
fn workers_ai(second_half: &Latch) -> impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static {
    let second_half = second_half.clone();
    move |seen, _| {
        let sent: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        if sent["stream"] == true {
            return Reply::new(200).header("Content-Type", "text/event-stream").parts(vec![
                (None, chunk("first half")),
                (Some(second_half.clone()), chunk("second half")),
                (None, b"data: [DONE]\n\n".to_vec()),
            ]);
        }
        let answer = if seen.target.ends_with("/embeddings") {
            let data = json!([{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}]);
            json!({"object": "list", "model": sent["model"], "data": data})
        } else {
            let message = json!({"role": "assistant", "content": "whole"});
            let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
            json!({"id": "c", "object": "chat.completion", "choices": choices})
        };
        Reply::ok(&answer.to_string()).header("Content-Type", "application/json")
    }
}

#[test]
fn openai_s_client_asks_models_through_the_gate() {
    let second_half = Latch::default();
    let upstream = Upstream::answering(workers_ai(&second_half));
    let recipe = Recipe::before("workers-ai", upstream);
    let mut client = recipe.client(include_str!("workers-ai.mjs"));
    // It streams: the client has the first half while there is no second.
    client.until("first half", PATIENCE);
    second_half.open();
    client.until("second half", PATIENCE);

    let said = result(&mut client);
    assert_eq!(said["whole"], "whole");
    assert_eq!(said["embedding"], json!([0.25, 0.5]));
    for (call, status, error) in [
        ("responses", 403, "PermissionDeniedError"),
        ("models", 403, "PermissionDeniedError"),
        ("stranger", 400, "BadRequestError"),
    ] {
        let refused = &said[call];
        assert_eq!(refused["status"], status, "{call}: {said}");
        assert_eq!(refused["name"], error, "{call}: {said}");
        // What the client calls its request's id finds the line in the gate's log.
        let line = recipe.gate.logs.audit(refused["requestID"].as_str().unwrap());
        let code = match call {
            "responses" => "path-denied",
            "models" => "method-denied",
            _ => "bad-credential",
        };
        assert_eq!(line["code"], code, "{call}: {line}");
        // The unmodified client finds the code and the words.
        assert_eq!(refused["code"], code, "{call}: {said}");
        let message = refused["message"].as_str().unwrap();
        assert!(!message.contains("no body"), "{call}: {message}");
    }

    let completions = format!("{AI}/v1/chat/completions");
    let embeddings = format!("{AI}/v1/embeddings");
    let seen = recipe.saw(&[("POST", &completions), ("POST", &completions), ("POST", &embeddings)]);
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body["messages"][0]["content"], "Say hello.");
    assert_eq!(body["stream"], true);
    recipe.others_may_only("/ai/models/search");
    assert_eq!(recipe.upstream.last().target, format!("{AI}/models/search"));
}
