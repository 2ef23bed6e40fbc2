//! Images in pages, as browsers ask for them: with the page's address as `Referer`, and no credential but the key's id.

use testkit::cache::kept;
use testkit::client::{Request, Response};
use testkit::docs::fences;
use testkit::gate::Gate;
use testkit::poll::poll;
use testkit::token::{now, sk};
use testkit::upstream::{PATIENCE, Reply, Upstream};

use super::{FIRST, Recipe};
use testkit::links::{before_sig, signed};

/// The host that the recipe's gate is called by.
const HOST: &str = "img.example.com";

/// The Accept headers of browsers for images: browsers with the same one share kept answers.
const ACCEPT: &str = "image/avif,image/webp,image/*,*/*;q=0.8";

/// Returns the target of the recipe's `<img>`.
fn src() -> String {
    let html = fences("recipes/images.md", "html").remove(0);
    let (_, rest) =
        html.split_once(&format!("<img src=\"https://{HOST}")).expect("an image of the gate");
    rest.split_once('"').unwrap().0.to_owned()
}

/// Returns a browser's request for an `<img>` of a page.
fn image(path: &str, page: &str) -> Request {
    Request::get(&src().replace("/img/cats/1.jpg", path))
        .header("Accept", ACCEPT)
        .header("Referer", page)
        .header("Sec-Fetch-Dest", "image")
        .header("Sec-Fetch-Mode", "no-cors")
        .header("CF-Connecting-IP", "192.0.2.7")
}

/// Returns a link to the image, good for a minute.
fn link(gate: &Gate) -> String {
    let secret = sk(&gate.signing_secret, FIRST, 1);
    signed(&secret, HOST, &before_sig("/img/cats/1.jpg", FIRST, now() + 60))
}

#[test]
fn pages_show_images_and_the_store_is_asked_once() {
    let upstream =
        Upstream::answering(|_, _| Reply::ok("\u{fffd}JPEG").header("Content-Type", "image/jpeg"));
    let recipe = Recipe::before("images", upstream);
    let cat = "/img/cats/1.jpg";
    let first = image(cat, "https://www.example.com/cats").send(&recipe.gate).passed();
    assert_eq!(first.header("content-type").as_deref(), Some("image/jpeg"));
    let status = |answer: &Response| answer.header("cache-status").unwrap();
    assert!(status(&first).contains("fwd=miss"), "{first}");
    // It is kept once it was answered.
    poll(PATIENCE, || match kept(&recipe.gate) {
        0 => Err("nothing is kept".to_owned()),
        _ => Ok(()),
    });
    let preview = "https://pr-7.preview.example.com/";
    let second = image(cat, preview).send(&recipe.gate).passed();
    assert!(status(&second).contains("hit"), "{second}");
    assert_eq!(second.body, first.body);

    let seen = recipe.upstream.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", "/v1/cats/1.jpg"));
    assert_eq!(seen.header("x-auth-token"), Some(recipe.gate.token.clone()));
    for name in ["authorization", "x-public-key", "referer"] {
        assert_eq!(seen.header(name), None, "{name}");
    }

    // A link works from anywhere; the same image, and so no other request at the store.
    let link = Request::get(&link(&recipe.gate)).header("Host", HOST).header("Accept", ACCEPT);
    let linked = link.send(&recipe.gate).passed();
    assert!(status(&linked).contains("hit"), "{linked}");

    for page in ["https://www.example.org/", "https://example.com/", "http://www.example.com/"] {
        image(cat, page).send(&recipe.gate).refused(403, "origin-denied");
    }
    Request::get(&format!("{cat}?key={FIRST}")).send(&recipe.gate).refused(403, "origin-denied");
    let mut write = image(cat, "https://www.example.com/");
    write.method = "DELETE".to_owned();
    write.send(&recipe.gate).refused(405, "method-not-allowed");

    // The limiter of these tests lets three of one address pass.
    let third = image("/img/cats/2.jpg", "https://www.example.com/");
    third.send(&recipe.gate).passed();
    third.send(&recipe.gate).refused(429, "rate-limited");
    third
        .clone()
        .header("X-Forwarded-For", "192.0.2.8")
        .send(&recipe.gate)
        .refused(429, "rate-limited");
    assert_eq!(recipe.upstream.seen().len(), 2);
}
