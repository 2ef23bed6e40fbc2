//! Answers that are not the API's own, or not the ones expected: the run says what is left, and takes nothing for done.

use crate::Folder;
use crate::cloudflare::Instead;
use crate::rotate_stage::Stage;

/// The answer of a proxy, or an error page of Cloudflare's.
const PAGE: &str = "<!DOCTYPE html><html><title>404</title></html>";

impl Stage {
    fn answers(&self, call: &'static str, effect: bool, status: u16, body: &'static str) {
        *self.cloud.world.instead.lock().unwrap() = Some(Instead { call, effect, status, body });
    }

    fn answers_by_itself(&self) {
        *self.cloud.world.instead.lock().unwrap() = None;
    }
}

#[test]
fn only_the_api_itself_says_that_a_token_is_gone() {
    let no_route = r#"{"success":false,"errors":[{"code":7003,"message":"Could not route"}]}"#;
    let refused = r#"{"success":false,"errors":[{"code":1001,"message":"no"}],"result":null}"#;
    for (status, body) in
        [(404, PAGE), (404, ""), (404, no_route), (200, PAGE), (200, refused), (429, PAGE)]
    {
        let stage = Stage::new();
        stage.answers("DELETE ", false, status, body);
        let done = stage.rotate(&["--json", "--old", &stage.old.0]);
        done.is(1, &["not all others were revoked", "run this again", &stage.old.0]);
        assert!(done.json()["left"][0].as_str().unwrap().contains(&stage.old.0), "{body}");
        stage.answers_by_itself();
        stage.first().is(0, &["done"]);
        stage.assert_rotated();
    }
}

#[test]
fn a_list_that_fails_at_the_end_leaves_the_others_and_says_so() {
    let stage = Stage::new();
    let points = &stage.cloud.world.points;
    let command = stage.command(&["--json", "--old", &stage.old.0]);
    // The first call through the gate comes before anything is made.
    let (run, try_on) = points.hold("GET gate:/cms/me", || stage.start(command, None));
    let (_, last_on) = points.hold("GET gate:/cms/me", || try_on.send(()).unwrap());
    stage.answers("GET /client/v4/user/tokens?page=2", false, 429, PAGE);
    last_on.send(()).unwrap();
    let done = run.end(&stage);
    done.is(1, &["listing the tokens", "429", "nothing was revoked", "run this again"]);
    assert_eq!(done.json()["left"].as_array().unwrap().len(), 1);
    stage.answers_by_itself();
    stage.first().is(0, &["done"]);
    stage.assert_rotated();
}

#[test]
fn a_token_whose_making_got_no_good_answer_is_spoken_of() {
    for (status, body) in [(502, PAGE), (200, PAGE)] {
        let stage = Stage::new();
        stage.answers("POST /client/v4/user/tokens", true, status, body);
        let done = stage.rotate(&["--old", &stage.old.0]);
        done.is(1, &["making the new token", "may have been made", "the next run revokes it"]);
        stage.assert_unharmed();
        stage.answers_by_itself();
        stage.rotate(&["--old", &stage.old.0, "--lease", "0"]).is(0, &["done"]);
        stage.assert_rotated();
    }
}

#[test]
fn a_web_page_is_no_sign_that_a_token_works() {
    let (stage, folder) = (Stage::new(), Folder::new());
    stage.answers("GET /cms/me", false, 200, PAGE);
    let token = stage.tokens().by_hand(false, "by a hook", 0).1;
    let hook = format!("cat '{}'", folder.file("token", &token));
    for arguments in [&["--hook", &hook][..], &["--old", &stage.old.0]] {
        let done = stage.rotate(&[arguments, &["--patience", "1"]].concat());
        done.is(1, &["does not work", "a web page", "nothing was put"]);
        stage.assert_untouched();
    }
}
