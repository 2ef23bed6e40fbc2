//! The link of the recipe for images: what its command prints works at a gate with its configuration.

use testkit::client::Request;
use testkit::docs::fences;
use testkit::gate::Setup;
use testkit::program::run;
use testkit::upstream::Upstream;

use crate::Folder;

#[test]
fn the_link_that_the_command_of_the_recipe_prints_passes() {
    let configuration = fences("recipes/images.md", "toml").remove(0);
    let upstream = Upstream::start();
    let gate = Setup::of(&toml::from_str(&configuration).unwrap(), &upstream).start();
    let folder = Folder::of(&configuration);
    let url = "https://img.example.com/img/cats/1.jpg";
    let sign = ["url", "sign", "--key", "pk_first", "--ttl", "86400", url];
    let link = run(folder.command(&gate.signing_secret).args(sign), "");
    let target = link.strip_prefix("https://img.example.com").expect("a link to the gate");
    Request::get(target).header("Host", "img.example.com").send(&gate).passed();
    assert_eq!(upstream.only().target, "/v1/cats/1.jpg");
}
