//! The link of the recipe for images: what its command prints works at a gate with its configuration.

use std::fs;

use testkit::client::Request;
use testkit::docs::fences;
use testkit::gate::Setup;
use testkit::process::scratch;
use testkit::program::run;
use testkit::token::fresh;
use testkit::upstream::Upstream;

#[test]
fn the_link_that_the_command_of_the_recipe_prints_passes() {
    let configuration = fences("recipes/images.md", "toml").remove(0);
    let upstream = Upstream::start();
    let gate = Setup::of(&toml::from_str(&configuration).unwrap(), &upstream).start();
    let folder = scratch(&format!("recipe-link-{}", fresh()));
    fs::write(folder.join("wrangler.toml"), configuration).unwrap();
    fs::write(folder.join("Cargo.toml"), "").unwrap();
    let link = run(
        crate::writegate()
            .args(["url", "sign", "--key", "pk_first", "--ttl", "86400"])
            .arg("https://img.example.com/img/cats/1.jpg")
            .current_dir(&folder)
            .env_remove("CARGO_MANIFEST_DIR")
            .env("SIGNING_SECRET", &gate.signing_secret),
        "",
    );
    let target = link.strip_prefix("https://img.example.com").expect("a link to the gate");
    Request::get(target).header("Host", "img.example.com").send(&gate).passed();
    assert_eq!(upstream.only().target, "/v1/cats/1.jpg");
    fs::remove_dir_all(folder).unwrap();
}
