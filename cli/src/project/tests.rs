//! Generated projects, read by the command and by wrangler itself.

use std::process::Command;

use serde_json::{Value, json};
use testkit::program::run;
use testkit::random::Random;

use super::dev::{FROM_DOT_ENV, WITH_PROCESS};
use super::*;

/// Reads projects as wrangler does: the variables of its files, and its configuration.
const SCRIPT: &str = "
    const wrangler = require('wrangler');
    const projects = JSON.parse(require('fs').readFileSync(0, 'utf8'));
    const read = ({ file, environment, process: variables }) => {
        Object.assign(process.env, variables);
        const env = environment ?? undefined, all = { config: file, env };
        let config = null, secrets = null;
        try { config = wrangler.unstable_readConfig(all, { hideWarnings: true }) } catch {}
        try { secrets = wrangler.unstable_getVarsForDev(file, undefined, {}, env, true, config?.secrets) } catch {}
        for (const name of Object.keys(variables)) delete process.env[name];
        for (const name in secrets) secrets[name] = secrets[name].value;
        return { config, secrets };
    };
    console.log(JSON.stringify(projects.map(read)));";
const NAMES: [&str; 14] = [
    ".dev.vars", ".dev.vars.a", ".dev.vars.A", ".dev.vars.staging", ".dev.vars.production",
    ".dev.vars.local", ".env", ".env.local", ".env.a", ".env.a.local", ".env.A", ".env.b",
    ".env.production", ".env.staging.local",
];
/// The environments of the projects; in files without difference of case, two of them would be one.
const ENVIRONMENTS: [&str; 5] = ["a", "A", "staging", "production", "x.y"];
const LINES: [&str; 12] = [
    "A=1\n", "A=\"two\"\n", "B=$A\n", "B=${OUTER}\n", "C='${B:-x}'\n", "OUTER=inner\n", "OUTER=\n",
    "A='{\"x\": [1, \"$B\"]}'\n", "B=\\${A}$$B\n", "D=`a b`\n", "export C=${OUTER-$A}\n",
    "D=\\$A # not A\n",
];
const PROCESS: [(&str, &str); 7] = [
    ("OUTER", "outer"),
    ("A", "of the process"),
    (WITH_PROCESS, "true"),
    (WITH_PROCESS, "false"),
    (WITH_PROCESS, "TRUE"),
    (FROM_DOT_ENV, "true"),
    (FROM_DOT_ENV, "False"),
];

/// Fields, some at the top level and some in an environment.
const FIELDS: [(&str, &str); 16] = [
    ("compatibility_date", "\"2026-01-02\""),
    ("preview_urls", "false"),
    ("workers_dev", "true"),
    ("logpush", "true"),
    ("observability", "{ enabled = true, head_sampling_rate = 1 }"),
    ("kv_namespaces", "[{ binding = \"K\", id = \"0\" }]"),
    ("vars", "{ A = 1.0, B = \"1\", C = [1e2, 0.5, -0.0], D = { e = true } }"),
    ("vars", "{ KEYS = [{ id = \"a\", version = 3.0 }] }"),
    ("vars", "{ KEYS = \"[]\", T = 2027-01-02, U = 2027-01-02T03:04:05Z }"),
    ("vars", "{}"),
    ("vars", "{ ROUTES = [{ path = \"/*\", deep = { deeper = [[], [{}]] } }], N = \"null\" }"),
    ("secrets_store_secrets", "[{ binding = \"S\", store_id = \"0\", secret_name = \"T\" }]"),
    ("secrets", "{ required = [\"A\", \"D\"] }"),
    ("secrets", "{ required = [] }"),
    ("route", "\"a.example/*\""),
    ("migrations", "[{ tag = \"v1\", new_sqlite_classes = [\"L\"] }]"),
];

/// Fields that an environment takes from the top level.
const INHERITED: [&str; 7] = [
    "compatibility_date", "preview_urls", "workers_dev", "logpush", "observability", "route",
    "migrations",
];

/// Files at the edges of the two languages.
const EDGES: [(&str, &str); 16] = [
    ("wrangler.toml", "name = 'a'\nvars.A.b = 1\nvars . A . \"c.d\" = 2\n"),
    (
        "wrangler.toml",
        "[[vars.KEYS]]\nid = \"a\"\n[vars.KEYS.mint]\nttl = 1\n[[vars.KEYS]]\nid = \"b\"\n",
    ),
    ("wrangler.toml", "[vars]\r\nA = \"\"\"\r\na\r\nb \\\r\n  c\"\"\"\r\nB = '''\r\na\\b'''\r\n"),
    (
        "wrangler.toml",
        "[vars]\nA = 0xff\nB = 0o17\nC = 1_000\nD = -0\nE = 6e2\nF = 9007199254740991\n",
    ),
    (
        "wrangler.toml",
        "[vars]\nA = [ # c\n 1, [2,], # d\n]\nB = \"\\u00e9\\U0001F600\"\n\"\" = 1 # e\n",
    ),
    (
        "wrangler.toml",
        "vars = { A = {}, B.c = [], B.d = \"#\" }\n[env]\na = { vars = { A = 1 } }\n",
    ),
    ("wrangler.toml", "# c\n[ vars ]\nA = \"\"\"\"x\"\"\"\"\n1 = 2\n"),
    ("wrangler.jsonc", "{ /* a */ \"vars\": { \"A\": \"//\", // b\n \"B\": [1, 2,], }, }\r\n"),
    (
        "wrangler.jsonc",
        "{\r\n\"vars\": {\"A\": 1, \"A\": 2}, \"vars\": {\"B\": \"\\/\\ud83d\\ude00\"}\r\n}",
    ),
    (
        "wrangler.json",
        "{\"vars\": {\"A\": 1.0, \"B\": 1E+2, \"C\": -0, \"D\": null, \"\": true}} // c",
    ),
    // Neither reads these.
    ("wrangler.toml", "[vars]\nA = 1\n[vars]\nB = 2\n"),
    ("wrangler.toml", "vars = { A = 1 }\n[vars.B]\n"),
    ("wrangler.toml", "[vars]\nA = 01\n"),
    ("wrangler.jsonc", "{ 'vars': {} }"),
    ("wrangler.jsonc", "{ \"vars\": {},, }"),
    ("wrangler.json", "{ \"vars\": { \"A\": 0x1 } }"),
];

/// Fields in the two languages.
fn section(fields: &[(&str, &str)]) -> (String, String) {
    let toml: String = fields.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
    let json = fields.iter().map(|(name, value)| {
        let value = value.replace(" = ", ": ").replace("2027-01-02T03:04:05Z", "\"z\"");
        let value = value.replace(" 2027-01-02", " \"y\"");
        let quoted: String = value
            .split_inclusive([' ', '{', '['])
            .map(|word| match word.strip_suffix(": ").or(word.strip_suffix(':')) {
                Some(name) => format!("\"{name}\": "),
                None => word.to_owned(),
            })
            .collect();
        format!("// a comment\n\"{name}\": {quoted},\n")
    });
    (toml, json.collect())
}

#[test]
fn generated_projects_are_read_as_wrangler_reads_them() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let checkout = crate::checkout::Checkout::at(root).unwrap();
    crate::setup::packages(&checkout, &crate::progress::Progress::new()).unwrap();
    let scratch = env::temp_dir().join(crate::random::text(9).unwrap());
    let mut random = Random::new(1);
    let mut projects = Vec::new();
    for number in 0..300 {
        let folder = scratch.join(number.to_string());
        fs::create_dir_all(&folder).unwrap();
        for name in NAMES {
            let lines: String = (0..=random.below(4)).map(|_| random.of(&LINES)).collect();
            // More often than not the first two, which hide the others, are not there.
            if random.below(if name.starts_with(".dev") { 6 } else { 2 }) == 0 {
                fs::write(folder.join(name), lines).unwrap();
            }
        }
        let mut chosen = || {
            let mut fields: Vec<(&str, &str)> = Vec::new();
            for _ in 0..random.below(6) {
                let field = random.of(&FIELDS);
                if !fields.iter().any(|(name, _)| *name == field.0) {
                    fields.push(field);
                }
            }
            section(&fields)
        };
        let (top, top_json) = chosen();
        let own = ENVIRONMENTS.map(|name| (name, chosen()));
        let edge = EDGES.get(number);
        let (name, text) = match (edge, random.below(2)) {
            (Some((name, text)), _) => (*name, (*text).to_owned()),
            (None, 0) => {
                let own = own.map(|(name, (own, _))| format!("[env.\"{name}\"]\n{own}"));
                ("wrangler.toml", format!("name = \"a\"\n{top}{}", own.concat()))
            }
            (None, _) => {
                let own = own.map(|(name, (_, own))| format!("\"{name}\": {{\n{own}}},\n"));
                let own = own.concat();
                (
                    "wrangler.jsonc",
                    format!("{{\n{top_json}\"name\": \"a\",\n\"env\": {{ {own} }},\n}}"),
                )
            }
        };
        let mark = if random.below(3) == 0 { "\u{feff}" } else { "" };
        fs::write(folder.join(name), format!("{mark}{text}")).unwrap();
        let named = random.below(2) == 0 && edge.is_none();
        let environment = named.then(|| random.of(&ENVIRONMENTS));
        let process: Vec<(&str, &str)> =
            PROCESS.into_iter().filter(|_| random.below(3) == 0).collect();
        projects.push((folder.join(name), environment, process));
    }

    let input: Vec<Value> = projects
        .iter()
        .map(|(file, environment, process)| {
            let process: serde_json::Map<String, Value> =
                process.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            json!({"file": file, "environment": environment, "process": process})
        })
        .collect();
    let mut node = Command::new("node");
    let output = run(node.args(["-e", SCRIPT]).current_dir(root), &json!(input).to_string());
    let expected: Vec<Value> = serde_json::from_str(output.lines().last().unwrap()).unwrap();

    let mut different = Vec::new();
    let (mut secrets, mut configurations, mut refused) = (0, 0, 0);
    for (number, ((file, environment, process), theirs)) in
        projects.iter().zip(&expected).enumerate()
    {
        // A listed secret that is a variable, too, is refused by wrangler when it is run.
        if theirs["config"].is_null() && number >= EDGES.len() {
            continue;
        }
        let folder = file.parent().unwrap();
        let project = Project::around(folder, environment.map(str::to_owned)).unwrap();
        let beside = |name: &str| {
            let mut found = process.iter().rev().filter(|(other, _)| *other == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        let mut compare = |what: &str, own: &Value, theirs: &Value| {
            if own != theirs {
                different.push(format!(
                    "{what} of {file:?}, {environment:?}, {process:?}: {own}, {theirs}"
                ));
            }
        };
        let own = project.dev_variables_beside(&beside).unwrap();
        let listed = &theirs["config"]["secrets"];
        for name in ["A", "B", "C", "D", "OUTER"] {
            let (required, theirs) = (listed["required"].as_array(), &theirs["secrets"][name]);
            // All of the process's are among wrangler's where they count, and only the listed ones where some are.
            let is_process_s = own.get(name).is_none() && beside(name).is_some();
            let is_listed = required.is_none_or(|all| all.iter().any(|one| one == name));
            if !is_process_s && is_listed {
                compare(name, &json!(own.get(name)), theirs);
            }
            secrets += usize::from(!theirs.is_null());
        }
        let theirs = &theirs["config"];
        if theirs.is_null() {
            refused += usize::from(project.document().is_err());
            continue;
        }
        let document = project.document().unwrap();
        let empty = json!({});
        let vars = Some(document.own("vars")).filter(|vars| !vars.is_null());
        let mut vars = vars.unwrap_or(&empty).clone();
        let mut their_vars = theirs["vars"].clone();
        for vars in [&mut vars, &mut their_vars] {
            // Text that is JSON is JSON here, and a time may have milliseconds.
            vars.as_object_mut()
                .map(|vars| (vars.remove("KEYS").filter(Value::is_array), vars.remove("U")));
        }
        compare("vars", &vars, &their_vars);
        compare(
            "KEYS",
            &document.own("vars")["KEYS"],
            &match &theirs["vars"]["KEYS"] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                other => other.clone(),
            },
        );
        for field in INHERITED {
            let theirs = &theirs[field];
            // wrangler's own default.
            let theirs = if *theirs == json!([]) { &Value::Null } else { theirs };
            compare(field, document.inherited(field), theirs);
        }
        for table in ["kv_namespaces", "secrets_store_secrets"] {
            let bindings = theirs[table].as_array().into_iter().flatten();
            let bindings: Vec<&str> = bindings.filter_map(|one| one["binding"].as_str()).collect();
            compare(table, &json!(document.names(table)), &json!(bindings));
        }
        configurations += 1;
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(secrets > 200 && configurations > 200, "{secrets}, {configurations}");
    assert_eq!(refused, 6, "of those that wrangler refuses");
    fs::remove_dir_all(scratch).unwrap();
}

/// Says which configuration wrangler takes in a folder; `null` for none, and a text for what it refuses.
#[cfg(unix)]
const CHOICES: &str = "
    const wrangler = require('wrangler');
    const folders = JSON.parse(require('fs').readFileSync(0, 'utf8'));
    const choice = (folder) => {
        process.chdir(folder);
        try { return wrangler.unstable_readConfig({}, { hideWarnings: true, useRedirectIfAvailable: true }).configPath ?? null }
        catch (error) { return { refused: String(error) } }
    };
    console.log(JSON.stringify(folders.map(choice)));";
/// The names of folders, one in another.
#[cfg(unix)]
const FOLDERS: [&str; 6] = ["a", "with space", "é ü", "#1 %41", "[x]", "wrangler.json.d"];

/// Trees of folders with configurations, things that only look like some, and links, which are a right of their own on Windows.
#[cfg(unix)]
#[test]
fn in_generated_folders_the_configuration_is_wrangler_s_or_it_is_said() {
    use std::os::unix::fs::symlink;
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let checkout = crate::checkout::Checkout::at(root).unwrap();
    crate::setup::packages(&checkout, &crate::progress::Progress::new()).unwrap();
    let scratch = env::temp_dir().join(crate::random::text(9).unwrap());
    fs::create_dir_all(&scratch).unwrap();
    let scratch = fs::canonicalize(&scratch).unwrap();
    let mut random = Random::new(7);
    let mut folders = Vec::new();
    for number in 0..300 {
        let mut folder = scratch.join(number.to_string());
        for depth in 0..=random.below(4) {
            folder.push(if depth == 0 { "top" } else { random.of(&FOLDERS) });
            fs::create_dir_all(&folder).unwrap();
            for name in CONFIGURATIONS {
                let file = folder.join(name);
                let text = if name.ends_with("toml") { "name = \"a\"" } else { "{}" };
                match random.below(14) {
                    0 | 1 => fs::write(&file, text).unwrap(),
                    2 => fs::create_dir(&file).unwrap(),
                    3 => symlink("no such file", &file).unwrap(),
                    4 => {
                        fs::write(folder.join(format!("other-{name}")), text).unwrap();
                        symlink(format!("other-{name}"), &file).unwrap();
                    }
                    5 => fs::write(folder.join(name.to_uppercase()), text).unwrap(),
                    _ => {}
                }
            }
            if random.below(12) == 0 {
                fs::create_dir_all(folder.join(".wrangler/deploy")).unwrap();
                fs::write(folder.join("redirected.json"), "{}").unwrap();
                let file = folder.join(REDIRECT);
                match random.below(6) {
                    0 => fs::write(file, "{\"configPath\":\"../../gone.json\"}").unwrap(),
                    1 => fs::write(file, "{").unwrap(),
                    2 => fs::write(file, "").unwrap(),
                    3 => fs::create_dir(file).unwrap(),
                    4 => symlink("no such file", file).unwrap(),
                    _ => fs::write(file, "{\"configPath\":\"../../redirected.json\"}").unwrap(),
                }
            }
        }
        folders.push(match random.below(5) {
            // As `cd` into a link leaves it to the process.
            0 => {
                let link = scratch.join(format!("link-{number}"));
                symlink(&folder, &link).unwrap();
                link
            }
            _ => folder,
        });
    }
    let mut node = Command::new("node");
    let output = run(node.args(["-e", CHOICES]).current_dir(root), &json!(folders).to_string());
    let theirs: Vec<Value> = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    let (mut same, mut said, mut redirected) = (0, 0, 0);
    for (folder, theirs) in folders.iter().zip(&theirs) {
        let here = fs::canonicalize(folder).unwrap();
        if Project::around(&here, None).unwrap().refuse_redirect().is_err() {
            redirected += 1;
            continue;
        }
        let (file, other) = configurations(&here);
        said += usize::from(other.is_some());
        same += usize::from(other.is_none() && file.is_some());
        assert_eq!(&json!(other.or(file)), theirs, "{folder:?}");
    }
    assert!(same > 80 && said > 10 && redirected > 20, "{same}, {said}, {redirected}");
    fs::remove_dir_all(scratch).unwrap();
}
