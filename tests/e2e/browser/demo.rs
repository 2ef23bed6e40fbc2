//! `writegate demo` as a person starts it, and the addresses that it prints.

use std::time::Duration;

use testkit::process::command;
use testkit::program::Program;

/// The command may have to be compiled, and the Worker built.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) struct Demo {
    page: String,
    gate: String,
    session: String,
    _program: Program,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let mut program = Program::start(&mut command(&["demo", "--no-open"]));
        let page = program.until("   the page ", PATIENCE);
        let console = program.until("   the console ", PATIENCE);
        // From then on nothing is written but what the page writes.
        program.until("The gate stays up until Ctrl-C", PATIENCE);
        let after = |line: &str, mark: &str| {
            let rest = line.split_once(mark).expect("an address").1;
            rest.split_whitespace().next().unwrap().to_owned()
        };
        let console_page = after(&console, "the console ");
        Self {
            page: after(&page, "the page "),
            gate: console_page.strip_suffix("/_gate/").unwrap().to_owned(),
            session: after(&console, "its session: "),
            _program: program,
        }
    }

    pub(crate) fn servers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GATE", self.gate.clone()),
            ("PAGES", self.page.clone()),
            ("SESSION", self.session.clone()),
        ]
    }
}
