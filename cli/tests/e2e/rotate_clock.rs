//! A rotation on a machine whose clock is set while it runs.

#![cfg(target_os = "linux")]

use std::fs;
use std::process::Command;

use testkit::program::run;

use crate::Folder;
use crate::rotate_stage::Stage;

/// Sets a program's clock back by this many seconds, as soon as there is the file that `CLOCK_FILE` names.
const SHIM: &str = "
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
  long failed = syscall(SYS_clock_gettime, clock, time);
  if (!failed && clock == CLOCK_REALTIME && !access(getenv(\"CLOCK_FILE\"), F_OK)) time->tv_sec -= SECONDS;
  return failed;
}
";

#[test]
fn a_clock_that_is_set_between_two_steps_revokes_nothing_and_the_next_run_finishes() {
    for (seconds, words) in [
        ("86400", ["session-expired", "nothing was revoked"]),
        ("-86400", ["took too long", "nothing was revoked"]),
    ] {
        let (stage, folder) = (Stage::new(), Folder::new());
        let (shim, set) = (folder.0.join("clock.so"), folder.0.join("set"));
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-x", "c", "-D", &format!("SECONDS={seconds}"), "-o"]);
        run(cc.arg(&shim).arg("-"), SHIM);
        let points = &stage.cloud.world.points;
        let mut command = stage.command(&["--old", &stage.old.0]);
        command.env("LD_PRELOAD", &shim).env("CLOCK_FILE", &set);
        let (rotation, go_on) =
            points.hold("POST /client/v4/user/tokens", || stage.start(command, None));
        fs::write(&set, "").unwrap();
        go_on.send(()).unwrap();
        let done = rotation.end(&stage);
        done.is(1, &words);
        stage.assert_unharmed();
        stage.rotate(&["--old", &stage.old.0, "--lease", "0"]).is(0, &["done"]);
        stage.assert_rotated();
    }
}
