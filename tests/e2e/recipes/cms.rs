//! A headless CMS, by Strapi's own client.

use serde_json::{Value, json};
use testkit::upstream::{Reply, Upstream};

use super::{Recipe, result};

#[test]
fn strapi_s_client_writes_through_the_gate() {
    let upstream = Upstream::answering(|seen, _| {
        let sent: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let data = json!({"documentId": "a1b2", "title": sent["data"]["title"]});
        Reply::ok(&json!({"data": data, "meta": {}}).to_string())
            .header("Content-Type", "application/json")
    });
    let recipe = Recipe::before("cms", upstream);
    let said = result(&mut recipe.client(include_str!("cms.mjs")));
    assert_eq!(said["made"]["data"]["title"], "Hello");

    // What the key may not do, as this client shows it.
    assert_eq!(said["deleted"]["status"], 403);
    assert_eq!(said["deleted"]["code"], "method-denied");
    assert_eq!(said["elsewhere"]["code"], "path-denied");
    assert_eq!(said["stranger"]["status"], 400);
    assert_eq!(said["stranger"]["code"], "bad-credential");
    for refused in ["deleted", "elsewhere", "stranger"] {
        let name = said[refused]["name"].as_str().unwrap();
        assert!(name.starts_with("HTTP"), "{said}");
    }

    let seen = recipe.saw(&[("POST", "/api/articles"), ("PUT", "/api/articles/a1b2")]);
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(body, json!({"data": {"title": "Hello"}}));
    recipe.others_may_only("/articles");
}
